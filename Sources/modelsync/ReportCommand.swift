import ArgumentParser
import ModelSyncKit

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Make a web page of a run's report: one file, to be read with no network.",
        discussion: """
            Examples:
              modelsync report report.json --html report.html
              modelsync verify --report - | modelsync report - --html - > verify.html
            """)

    @Argument(
        help: ArgumentHelp(
            "A report that --report wrote, or one of the store's runs/; - for standard input.", valueName: "file"))
    var file: String

    @Option(help: ArgumentHelp("Where the page goes; - for standard output.", valueName: "out"))
    var html: String

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let configuration = SyncConfiguration()
        let page: ReportPage
        do throws(ReportReadError) { page = try ReportPage(readingReport: file, configuration: configuration) } catch {
            throw CommandFailure(message: error.description, status: ExitStatus(error))
        }
        if html == "-" { return Console.write(page.html) }
        try CommandFailure.creating { () throws(SyncError) in
            try ReportFile(configuration.absolute(html)).write(page.html)
        }
        global.console.note("page: \(configuration.absolute(html))")
    }
}
