import ModelSyncKit

/// What failed in a run, each reason once, and what to do about it. Pure.
struct FailureSummary {
    /// What failed for one reason.
    struct Group: Equatable {
        /// Of the first file.
        var message: String
        var count = 1

        var text: String { count > 1 ? "\(message) (and \(ManifestText.count(count - 1, "more file")))" : message }
    }

    /// The report has all of them.
    private static let mostGroups = 20

    /// In the order in which they first came.
    private(set) var groups: [Group] = []
    private(set) var hints: [String] = []

    init(_ report: SyncReport) {
        if report.outcome == .ok { return }
        var known: [String: Int] = [:]
        for result in report.results where result.outcome == .failed {
            guard let error = result.error else { continue }
            let reason = Self.reason(error, of: "\(result.model)/\(result.path)")
            if let index = known[reason] {
                groups[index].count += 1
            } else {
                known[reason] = groups.count
                groups.append(Group(message: error.message))
            }
        }
        if groups.count > Self.mostGroups {
            let rest = groups.dropFirst(Self.mostGroups).reduce(0) { $0 + $1.count }
            groups.removeLast(groups.count - Self.mostGroups)
            hints.append("\(ManifestText.count(rest, "more file")) failed for other reasons: the report has them all")
        }
        hints += Self.again(report)
    }

    /// What the messages of files that failed alike have in common: neither the file nor the rest of a URL behind its host.
    private static func reason(_ error: SyncError, of subject: String) -> String {
        var message = error.message[...]
        if message.hasPrefix(subject) { message = message.dropFirst(subject.count) }
        // By bytes: there may be a hundred thousand of them, and to search strings takes a second for ten thousand.
        let (bytes, slash, space) = (Array(message.utf8), UInt8(ascii: "/"), UInt8(ascii: " "))
        var out = Array(error.code.rawValue.utf8)
        var index = 0
        while index < bytes.count {
            out.append(bytes[index])
            index += 1
            guard bytes[index - 1] == slash, out.hasSuffix("://") else { continue }
            let host = bytes[index...].prefix { $0 != slash && $0 != space }
            out += host
            index = bytes[host.endIndex...].firstIndex(of: space) ?? bytes.count
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func again(_ report: SyncReport) -> [String] {
        let unfinished = report.results.filter {
            $0.outcome == .cancelled || $0.outcome == .failed && $0.error?.isRetryable == true
        }
        guard !unfinished.isEmpty else { return [] }
        let kept = unfinished.reduce(0) { $0 + ($1.transfer?.bytesKept ?? 0) }
        let bytes = kept > 0 ? ": \(HumanFormat.bytes(kept)) of unfinished files are kept" : ""
        return ["run the same command again to go on\(bytes)"]
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
