import SyncDomain

extension ManifestReader {
    private static let maximumConnections: Int64 = 1024

    /// Reads the value of `hosts`, as it is written.
    func readHosts(_ value: YAMLDocument.Index) -> [ManifestDraft.HostEntry] {
        let mapping = document.resolve(value)
        guard document.kind(mapping) == .mapping else {
            reportType(of: value, "'hosts' is a mapping of hosts to their settings")
            return []
        }
        var found = HostList()
        readHosts(in: mapping, into: &found)
        return found.entries
    }

    private struct HostList {
        var entries: [ManifestDraft.HostEntry] = []
        /// The key of each host and the mapping that it is in.
        var seen: [HostKey: (key: YAMLDocument.Index, mapping: YAMLDocument.Index)] = [:]
        var merged: Set<YAMLDocument.Index> = []
    }

    /// Own keys first, then what is merged: so the first one that names a host is the one that counts.
    private func readHosts(in mapping: YAMLDocument.Index, into found: inout HostList) {
        var merge: YAMLDocument.Index = 0
        var key = mapping + 1
        let end = document.end(of: mapping)
        while key < end {
            let value = document.end(of: key)
            let name = document.resolve(key)
            if document.kind(name) == .scalar, isMerge(name) {
                if merge != 0 { report(key, "'<<' is here twice; write one, with a sequence: <<: [*a, *b]") }
                merge = value
            } else if let host = readHost(key) {
                readHost(host, key: key, value: value, in: mapping, into: &found)
            }
            key = document.end(of: value)
        }
        guard merge != 0 else { return }
        forEachMerged(merge) { source in
            if found.merged.insert(source).inserted { readHosts(in: source, into: &found) }
        }
    }

    private func readHost(
        _ host: HostKey, key: YAMLDocument.Index, value: YAMLDocument.Index, in mapping: YAMLDocument.Index,
        into found: inout HostList
    ) {
        if let first = found.seen[host] {
            if first.mapping == mapping { reportDuplicate(key, first: first.key) }
            return
        }
        found.seen[host] = (key, mapping)
        guard let settings = readSettings(value) else { return }
        found.entries.append(ManifestDraft.HostEntry(host: host, settings: settings, mark: document.mark(key)))
    }

    private func readHost(_ key: YAMLDocument.Index) -> HostKey? {
        guard let node = scalar(key, "a key of 'hosts'") else { return nil }
        let text = document.string(node)
        // Such a text may hold a password: it is not quoted.
        if text.utf8.contains(UInt8(ascii: "@")) || text.utf8.contains(UInt8(ascii: "/")) {
            report(node, "this is no host; write 'host' or 'host:port' alone, with no scheme, user or path")
            return nil
        }
        do { return try HostKey(text) } catch {
            report(node, "host \(quoted(text)): \(error.reason)")
            return nil
        }
    }

    private func readSettings(_ value: YAMLDocument.Index) -> HostSettings? {
        guard let fields = fields(of: value, .host) else { return nil }
        let variable = fields[.bearerEnv].flatMap { readVariable($0) }
        let connections = fields[.connections].flatMap { readConnections($0) }
        let isValid =
            (variable == nil) == (fields[.bearerEnv] == nil) && (connections == nil) == (fields[.connections] == nil)
        return isValid ? HostSettings(bearerVariable: variable, connections: connections) : nil
    }

    private func readVariable(_ field: MappingFields.Field) -> String? {
        guard let node = scalar(field.value, "'bearer_env'") else { return nil }
        let name = document.bytes(node)
        let isName =
            name.first.map { !(0x30...0x39).contains($0) } == true
            && name.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) || $0 == UInt8(ascii: "_")
            }
        guard isName else {
            // Whoever wrote the token itself here must not find it in a log.
            report(
                node,
                "bearer_env is the name of the environment variable that holds the token, like EXAMPLE_TOKEN; never the token itself"
            )
            return nil
        }
        return document.string(node)
    }

    private func readConnections(_ field: MappingFields.Field) -> Int? {
        guard let node = scalar(field.value, "'connections'", "a number") else { return nil }
        if let count = wholeNumber(node), (1...Self.maximumConnections).contains(count) { return Int(count) }
        report(node, "connections is \(describe(node)); write a whole number from 1 to \(Self.maximumConnections)")
        return nil
    }
}
