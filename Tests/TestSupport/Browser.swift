import Foundation

/// Headless Chromium, as a user's browser.
public enum Browser {
    /// Nil where there is none.
    public static let path = ["chromium", "chromium-browser", "google-chrome"].lazy.compactMap(Tool.find).first

    /// What the driver's facts stand behind, in the document that is left.
    private static let factsTag = "<script type=\"application/json\" id=\"facts\">"

    /// What became of a page.
    public struct Visit: Sendable {
        /// The document as it is after its scripts, as HTML.
        public let document: String
        /// What scripts, policies and failures wrote to the console.
        public let console: [String]
        /// What was asked of the network, the browser's own housekeeping included: the hosts.
        public let hosts: Set<String>

        /// What the driver left, as JSON.
        public func facts() throws -> [String: Any] {
            guard let start = document.range(of: factsTag),
                let end = document.range(of: "</script>", range: start.upperBound..<document.endIndex),
                let facts = try JSONSerialization.jsonObject(
                    with: Data(document[start.upperBound..<end.lowerBound].utf8)) as? [String: Any]
            else { throw ToolFailure("the driver left no facts; console: \(console)") }
            return facts
        }
    }

    /// Opens a page from a file, with a proxy between it and any network.
    ///
    /// - Parameters:
    ///   - driver: the body of an async function that is run in the page and returns facts. The page's content security
    ///     policy is taken out for it; nil leaves the page as it is.
    ///   - settings: further options of the command.
    public static func visit(_ html: String, driver: String? = nil, _ settings: String...) async throws -> Visit {
        let page = driver.map { driven(html, by: $0) } ?? html
        var visit = try await open(page, settings)
        // The page's time goes on while what the driver waits for waits for a core: it can be over before the driver is done.
        for _ in 0..<2 where driver != nil && !visit.document.contains(factsTag) {
            visit = try await open(page, settings)
        }
        return visit
    }

    private static func open(_ html: String, _ settings: [String]) async throws -> Visit {
        guard let path else { throw ToolFailure("chromium is not installed") }
        return try await TemporaryFolder.with { folder in
            let page = try folder.write(html, to: "page.html")
            let server = try FaultServer()
            defer { server.stop() }
            var launch = Launch(
                path,
                [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-extensions", "--user-data-dir=\(folder.appending("profile"))",
                    "--proxy-server=127.0.0.1:\(server.port)", "--proxy-bypass-list=<-loopback>",
                    "--window-size=1200,900", "--virtual-time-budget=20000", "--enable-logging=stderr",
                ] + settings + ["--dump-dom", "file://\(page)"],
                environment: ["HOME": folder.path, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"])
            launch.output = folder.appending("document")
            launch.errors = folder.appending("log")
            let status = try await ChildProcess(launch).wait()
            let (document, log) = (readText(launch.output), readText(launch.errors))
            guard status == .exited(0), !document.isEmpty else { throw ToolFailure("chromium: \(status)\n\(log)") }
            return Visit(
                document: document,
                console: log.split(separator: "\n").filter { $0.contains(":CONSOLE") }.map(String.init),
                hosts: Set(server.recording.requests.compactMap { $0.headers["host"] }))
        }
    }

    private static func driven(_ html: String, by driver: String) -> String {
        let script = """
            <script>
            const frame = () => new Promise((done) => setTimeout(done, 60));
            const drive = async () => { \(driver) };
            addEventListener("load", () => drive().catch((error) => ({ error: String(error) })).then((facts) => {
              const out = document.createElement("script");
              out.type = "application/json";
              out.id = "facts";
              out.textContent = JSON.stringify(facts).replaceAll("<", "\\\\u003c");
              document.body.append(out);
            }));
            </script></body>
            """
        let open = html.replacingOccurrences(
            of: "<meta http-equiv=\"Content-Security-Policy\"[^>]*>", with: "", options: .regularExpression)
        guard let end = open.range(of: "</body>", options: .backwards) else { return open }
        return open.replacingCharacters(in: end, with: script)
    }
}
