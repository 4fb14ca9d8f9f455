/// The parts of the page that need no script.
extension ReportDocument {
    /// Failures beyond these are in the table alone.
    private static let mostFailures = 100
    /// The attempts of more failures than these are folded up.
    private static let mostUnfolded = 3

    private var failures: [Entry] { results.filter { $0.outcome == "failed" } }

    var title: HTML { "modelsync \(command) \(outcome) · \(host) · \(startedAt)" }

    /// What came of the run, how much it was, and what failed.
    var overview: HTML {
        """
        <header class="outcome \(outcome)">
        <p class="mark" aria-hidden="true">\(outcome == "ok" ? "✓" : outcome == "failed" ? "✕" : "■")</p>
        <div><h1>\(headline)</h1>
        <p><code>modelsync \(command)</code> on <b>\(host)</b>, \(Self.time(startedAt)), \
        took \(HumanFormat.duration(seconds))</p></div>
        </header>
        \(runFailure)
        \(totals)
        \(failureList)
        """
    }

    private func count(_ outcome: ResultOutcome) -> Int64 {
        Int64(results.count { $0.outcome == outcome.rawValue })
    }

    private var headline: HTML {
        func files(_ count: Int64) -> HTML { count == 1 ? "1 file" : "\(count) files" }
        let (failed, all) = (count(.failed), Int64(results.count))
        switch outcome {
        case "ok":
            return all == 0 ? "Nothing to do" : command == "verify" ? "All is whole" : "All is as the manifest says"
        case "cancelled":
            let missing = count(.cancelled) + count(.skipped) + failed
            return missing == 0 ? "Cancelled" : "Cancelled: \(missing) of \(files(all)) not done"
        default: return failed == 0 ? "The run failed" : "\(failed) of \(files(all)) failed"
        }
    }

    private var runFailure: HTML {
        guard let error else { return "" }
        return """
            <section aria-label="Why the run failed"><div class="failure">
            <p class="chips"><code class="chip bad">\(error.code)</code></p><p class="message">\(error.message)</p>
            </div></section>
            """
    }

    // MARK: Totals

    private var totals: HTML {
        """
        <section aria-label="Totals"><dl class="totals">
        <div><dt>Files</dt><dd>\(Int64(results.count))</dd></div>
        \(total("bytes_downloaded", "Downloaded", rate))
        \(total("bytes_resumed", "Resumed", "from an earlier run"))
        \(total("bytes_reused", "Reused", "were here already"))
        \(total("bytes_verified", "Verified", "hashed"))
        <div><dt>Took</dt><dd>\(HumanFormat.duration(seconds))</dd></div>
        </dl>\(counts)</section>
        """
    }

    private var counts: HTML {
        var counts: [HTML] = []
        for outcome in ResultOutcome.allCases {
            let count = count(outcome)
            if count == 0 { continue }
            counts.append("<li class=\"o o-\(outcome.rawValue)\"><b>\(count)</b> \(outcome.rawValue)</li>")
        }
        return counts.isEmpty ? "" : "<ul class=\"counts\" aria-label=\"Files by outcome\">\(counts)</ul>"
    }

    private var rate: String {
        let perSecond = Double(summary["bytes_downloaded"] ?? 0) / max(seconds, 0.001)
        return "\(HumanFormat.bytes(Int64(min(perSecond, 1e18))))/s over the run"
    }

    private func total(_ key: String, _ name: String, _ note: String) -> HTML {
        guard let bytes = summary[key], bytes > 0 else { return "" }
        return "<div><dt>\(name)</dt><dd>\(HumanFormat.bytes(bytes)) <small>\(note)</small></dd></div>"
    }

    // MARK: Failures

    private var failureList: HTML {
        let failures = failures
        if failures.isEmpty { return "" }
        let isOpen = failures.count <= Self.mostUnfolded
        let shown = failures.prefix(Self.mostFailures).map { Self.failure($0, isOpen: isOpen) }
        let rest = failures.count - shown.count
        let more: HTML = rest > 0 ? "<p>and \(Int64(rest)) more: choose “failed” in the table of files below.</p>" : ""
        return """
            <section aria-labelledby="failures"><h2 id="failures">Failures <small>\(Int64(failures.count))</small></h2>
            \(shown)\(more)</section>
            """
    }

    private static func failure(_ entry: Entry, isOpen: Bool) -> HTML {
        var chips: HTML = "<code class=\"chip bad\">\(entry.error?.code ?? "failed")</code>"
        if let diagnosis = entry.error?.diagnosis { chips += " <code class=\"chip\">\(diagnosis)</code>" }
        return """
            <article class="failure">
            <h3><span class="model">\(entry.model)/</span>\(entry.path) <small>\(HumanFormat.bytes(entry.size))</small> \(chips)</h3>
            <p class="message">\(entry.error.map { brief($0, entry) } ?? "")</p>\(attempts(entry, isOpen: isOpen))
            </article>
            """
    }

    /// The message without what stands beside it: the file's name, and a source.
    private static func brief(_ error: Failure, _ entry: Entry, _ url: String? = nil) -> String {
        var message = error.message[...]
        for prefix in ["\(entry.model)/\(entry.path): ", url ?? "", ": ", " "] where message.hasPrefix(prefix) {
            message = message.dropFirst(prefix.count)
        }
        return String(message)
    }

    private static func attempts(_ entry: Entry, isOpen: Bool) -> HTML {
        guard let attempts = entry.attempts, !attempts.isEmpty else { return "" }
        let told = entry.error?.message ?? ""
        let rows = attempts.map { attempt -> HTML in
            let status = attempt.httpStatus.map(String.init) ?? "–"
            var end: HTML = "ok"
            if let error = attempt.error {
                end = "<code>\(error.code)</code>"
                if !told.hasPrefix(error.message) { end += ": \(brief(error, entry, attempt.url))" }
            }
            return """
                <tr><td><time datetime="\(attempt.startedAt)">\(clock(attempt.startedAt))</time></td>\
                <td class="n">\(HumanFormat.duration(attempt.seconds))</td><td class="n">\(HumanFormat.bytes(attempt.bytes))</td>\
                <td class="n">\(status)</td><td class="url">\(attempt.url)</td><td>\(end)</td></tr>
                """
        }
        let count = attempts.count == 1 ? "1 attempt" : "\(attempts.count) attempts"
        return """
            <details\(isOpen ? " open" : "")><summary>\(count)</summary><div class="wide" tabindex="0" role="region" aria-label="Attempts"><table>
            <thead><tr><th scope="col">Began, UTC</th><th scope="col" class="n">Took</th><th scope="col" class="n">Bytes</th>\
            <th scope="col" class="n">HTTP</th><th scope="col">From</th><th scope="col">Ended with</th></tr></thead>
            <tbody>\(rows)</tbody></table></div></details>
            """
    }

    // MARK: The run

    /// What was run, where, on what.
    var facts: HTML {
        let manifests = manifests.map { source -> HTML in
            "<dd><span class=\"path\">\(source.path)</span> <code class=\"digest\">sha256:\(source.sha256)</code></dd>"
        }
        let oldest: HTML =
            if let oldestVerification { "<dt>Oldest verification</dt><dd>\(Self.time(oldestVerification))</dd>" } else {
                ""
            }
        return """
            <dl class="facts">
            <dt>Command</dt><dd><code>modelsync \(command)</code>, version \(toolVersion)</dd>
            <dt>Host</dt><dd>\(host)</dd>
            <dt>Began</dt><dd>\(Self.time(startedAt))</dd>
            <dt>Ended</dt><dd>\(Self.time(finishedAt))</dd>
            <dt>Store</dt><dd><span class="path">\(store)</span></dd>
            <dt>Run</dt><dd><code>\(runID)</code></dd>
            <dt>Manifests</dt>\(manifests.isEmpty ? ["<dd>none: what was applied before</dd>"] : manifests)
            \(oldest)</dl>
            """
    }

    /// `2026-11-20 18:45:00 UTC`
    private static func time(_ text: String) -> HTML {
        let parts = text.split(separator: "T", maxSplits: 1)
        guard parts.count == 2 else { return "\(text)" }
        return "<time datetime=\"\(text)\">\(String(parts[0])) \(String(parts[1].prefix(8))) UTC</time>"
    }

    /// `18:45:00.123`
    private static func clock(_ text: String) -> String {
        guard let start = text.firstIndex(of: "T") else { return text }
        return String(text[text.index(after: start)...].prefix { $0 != "Z" })
    }
}
