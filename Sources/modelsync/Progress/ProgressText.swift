import ModelSyncKit

/// Progress in words: what becomes a line of the log.
struct ProgressText {
    let isVerbose: Bool
    /// What the bars show is not said as well.
    let hasBars: Bool

    func line(_ event: SyncEvent) -> String? {
        let isBrief = hasBars && !isVerbose
        switch event {
        case .planned(let plan):
            guard plan.bytesToFetch > 0, !isBrief else { return nil }
            let files = ManifestText.count(plan.fetches.count, "file")
            return "fetching \(HumanFormat.bytes(plan.bytesToFetch)) in \(files)"
        case .waiting(let model, let path): return "waiting for another process to fetch \(model)/\(path)"
        case .started(let model, let path, let size, let resumed):
            guard isVerbose || resumed > 0 && !isBrief else { return nil }
            return "started \(model)/\(path) (\(HumanFormat.bytes(size)))"
                + (resumed > 0 ? ", \(HumanFormat.bytes(resumed)) here already" : "")
        case .retrying(let model, let path, let error, let delay, _):
            return "retrying \(model)/\(path) in \(HumanFormat.duration(delay.seconds)): \(error.message)"
        case .finished(let result): return result.isSuccess && isBrief ? nil : finished(result)
        case .note(let text): return text
        case .progress, .verifying, .verified: return nil
        }
    }

    private func finished(_ result: DownloadResult) -> String {
        let subject = "\(result.model)/\(result.path)"
        switch (result.outcome, result.error) {
        case (.unmanaged, _): return "unmanaged \(subject): stays as it is"
        case (.failed, let error?):
            var reason = error.message[...]
            if reason.hasPrefix(subject + ": ") { reason = reason.dropFirst(subject.count + 2) }
            // What to do about it comes in the end, once for all that failed alike.
            return "failed \(subject): \(reason.firstRange(of: "; ").map { reason[..<$0.lowerBound] } ?? reason)"
        default: break
        }
        let kept = result.isSuccess ? nil : result.transfer.map { HumanFormat.bytes($0.bytesKept) + " of " }
        var line = "\(result.outcome.rawValue) \(subject) (\(kept ?? "")\(HumanFormat.bytes(result.size))"
        if let transfer = result.transfer {
            line += " in \(HumanFormat.duration(transfer.seconds))"
            if let rate = transfer.bytesPerSecond { line += ", \(HumanFormat.bytes(Int64(rate)))/s" }
        }
        return line + ")"
    }

    /// A sign of life: how far the run is.
    func life(_ board: ProgressBoard, at now: Double) -> String {
        let bytes = HumanFormat.bytes(board.bytes) + (board.total.map { " of \(HumanFormat.bytes($0))" } ?? "")
        let rate = board.bytesPerSecond
        var pace = rate >= 1 ? " at \(HumanFormat.bytes(Int64(rate)))/s" : ""
        if let silence = board.silence(at: now) {
            pace = ", no data for \(HumanFormat.duration(silence))"
        } else if rate >= 1, let left = board.secondsLeft {
            pace += ", \(HumanFormat.duration(left)) left"
        }
        switch board.phase {
        case .looking: return "looking at the store"
        case .hashing: return "verifying: \(bytes) hashed\(pace)"
        case .fetching:
            let failed = board.failures > 0 ? ", \(board.failures) failed" : ""
            let files = "\(board.filesDone) of \(ManifestText.count(board.fileCount, "file"))\(failed)"
            return "\(board.running.count) running; \(files); \(bytes)\(pace)"
        }
    }
}
