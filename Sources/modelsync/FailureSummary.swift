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
        // Most name no URL, and there may be a hundred thousand of them.
        guard message.utf8.contains(UInt8(ascii: "/")) else { return error.code.rawValue + message }
        let words = message.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard let scheme = word.firstRange(of: "://") else { return word }
            return word[..<(word[scheme.upperBound...].firstIndex(of: "/") ?? word.endIndex)]
        }
        return error.code.rawValue + words.joined(separator: " ")
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
