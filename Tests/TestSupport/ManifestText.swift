/// The text of a manifest, from values: what a test says that it wants.
public struct ManifestText: Sendable {
    public struct File: Sendable {
        public var path: String
        public var size: Int
        public var sha256: String
        public var urls: [String]

        public init(_ path: String, size: Int, sha256: String, urls: [String]) {
            self.path = path
            self.size = size
            self.sha256 = sha256
            self.urls = urls
        }
    }

    public struct Model: Sendable {
        public var name: String
        public var version: String?
        public var tags: [String]
        public var files: [File]

        public init(_ name: String, version: String? = nil, tags: [String] = [], files: [File]) {
            self.name = name
            self.version = version
            self.tags = tags
            self.files = files
        }
    }

    /// By host (or `host:port`): the name of the variable that holds its token.
    public var bearerVariables: [String: String]
    /// By host (or `host:port`): most connections.
    public var connections: [String: Int]
    public var models: [Model]

    public init(_ models: [Model], bearerVariables: [String: String] = [:], connections: [String: Int] = [:]) {
        self.models = models
        self.bearerVariables = bearerVariables
        self.connections = connections
    }

    /// YAML in which each value is quoted.
    public var text: String {
        var out = "version: 1\n"
        let hosts = Set(bearerVariables.keys).union(connections.keys).sorted()
        if !hosts.isEmpty { out += "hosts:\n" }
        for host in hosts {
            out += "  \(Self.quoted(host)):\n"
            if let variable = bearerVariables[host] { out += "    bearer_env: \(variable)\n" }
            if let count = connections[host] { out += "    connections: \(count)\n" }
        }
        out += "models:\n"
        for model in models { out += Self.text(model) }
        return out
    }

    private static func text(_ model: Model) -> String {
        var out = "  - name: \(quoted(model.name))\n"
        if let version = model.version { out += "    version: \(quoted(version))\n" }
        if !model.tags.isEmpty { out += "    tags: [\(model.tags.map(quoted).joined(separator: ", "))]\n" }
        out += "    files:\n"
        for file in model.files {
            out += "      - path: \(quoted(file.path))\n        size: \(file.size)\n"
            out += "        sha256: \(quoted(file.sha256))\n"
            out += "        urls:\n" + file.urls.map { "          - \(quoted($0))\n" }.joined()
        }
        return out
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for character in text {
            if character == "\"" || character == "\\" { out.append("\\") }
            out.append(character)
        }
        return out + "\""
    }
}
