import ArgumentParser
import ModelSyncKit

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the models that the store holds. Offline.",
        discussion: """
            Examples:
              modelsync list
              modelsync list --format json
            """)

    @OptionGroup var global: GlobalOptions

    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        let manager = ModelManager(store: global.store)
        let models = try await manager.list()
        switch format {
        case .json: Console.write(ModelText.json(models, store: manager.store))
        case .text: ModelText.printTable(models)
        }
    }
}

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one model: what it is, its files and where they came from. Offline.",
        discussion: """
            Examples:
              modelsync show demucs/htdemucs
              modelsync show faster-whisper/small --format json
            """)

    @Argument(help: ArgumentHelp("The model's name.", valueName: "name"), completion: Completion.models)
    var name: String

    @OptionGroup var global: GlobalOptions

    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        let manager = ModelManager(store: global.store)
        let name = try ModelText.name(name)
        guard let model = try await manager.metadata(of: name) else {
            throw CommandFailure(message: await ModelText.unknown(name, in: manager), status: .incomplete)
        }
        switch format {
        case .json: Console.write(ModelText.json(model, store: manager.store))
        case .text: ModelText.printDetails(model)
        }
    }
}

struct PathCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "path",
        abstract: "Print the path to load a model from, after a quick check of its files. Offline.",
        discussion: """
            Examples:
              whisperx --model "$(modelsync path faster-whisper/small)" song.wav
              modelsync path demucs/htdemucs htdemucs.yaml
            """)

    @Argument(help: ArgumentHelp("The model's name.", valueName: "name"), completion: Completion.models)
    var name: String

    @Argument(
        help: ArgumentHelp("One file of the model; none: the model's folder.", valueName: "file"),
        completion: Completion.files)
    var file: String?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let manager = ModelManager(store: global.store)
        let name = try ModelText.name(name)
        do throws(SyncError) {
            Console.print(try await manager.path(of: name, file: file))
        } catch {
            // Missing and damaged are answers of this command, not failures of the machine.
            let isUnknown = try await !manager.knows(name)
            throw CommandFailure(
                message: isUnknown ? await ModelText.unknown(name, in: manager) : error.message,
                status: error.code == .storePermission ? .inputOutput : .incomplete)
        }
    }
}
