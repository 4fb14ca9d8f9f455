internal import SyncDomain
internal import Synchronization

/// What became of one fetch.
struct FetchOutcome: Sendable {
    /// Nil where the blob is now in the store.
    var error: SyncError?
    /// Nil where another process brought the blob, or nothing was begun.
    var transfer: TransferStatistics?
}

/// Brings one blob into the store: begin, transfer, commit; again after what can be tried again.
struct Fetcher {
    let store: any ModelStoring
    let transport: any Transferring
    let clock: RunClock
    let options: RunOptions
    let observer: any SyncObserver
    let pool: ConnectionPool
    /// Of the files at once.
    let turns: Turns
    /// Bytes of files that wait in memory, while they come and until they are committed.
    let held: Turns

    /// What one fetch is about, for messages.
    struct Job: Sendable {
        var fetch: PlannedFetch
        var model: String
        var path: String

        var subject: String { "\(model)/\(path)" }
    }

    /// Smaller files come over one connection each.
    private static let sharingBytes: Int64 = 16 << 20
    /// A file whose bytes wait in memory gives its turn back when they are there: the disk makes many durable at once, and the
    /// next is fetched meanwhile. So many may wait. Others keep their turn until they are committed, so that hashing is never
    /// far behind.
    static let mostCommits = 256
    /// All that files hold in memory at once.
    static let mostHeldBytes = 16 << 20

    /// What one fetch has come to.
    private struct Progress {
        var policy: RetryPolicy
        var file: SharedFile
        var meter: FileMeter
        var statistics: TransferStatistics
        /// Bytes from before this run, as long as they are among those that are there.
        var resumed: Int64
        /// Of the bytes that are there, some came from another source than the one that is asked now.
        var isMixed = false
        let started: Duration
        let turn: Turn
        /// Of ``Fetcher/held``. Nobody who has it waits for a turn: those who have one may wait for this.
        let room: Turn
        var lastOutcome = TransferOutcome()
        /// Why the last attempt was not the last.
        var lastError: SyncError?
        /// The digests under which wrong bytes were kept.
        var kept: [SHA256Digest] = []
        /// The ingest is done with, and not to be closed.
        var isIngestEnded = false

        /// The bytes that were there are gone.
        mutating func startOver() {
            resumed = 0
            isMixed = false
        }
    }

    /// How often it is looked which connections are silent.
    private static let tick = Duration.seconds(RangeBoard.tickSeconds)
    /// How long to wait before asking again for a file that another process is fetching.
    private static let busyWait = Duration.milliseconds(200)

    /// Never throws: one file's failure is its own.
    func run(_ job: Job) async -> FetchOutcome {
        let able = options.isOffline ? job.fetch.sources.filter { $0.scheme == .file } : job.fetch.sources
        guard !able.isEmpty else { return FetchOutcome(error: offline(job)) }
        let turn = Turn(turns)
        guard await turn.enter() else { return FetchOutcome(error: .cancelled(job.subject)) }
        defer { turn.leave() }
        do throws(SyncError) {
            guard let ingest = try await begin(job) else { return FetchOutcome() }
            // Not before: hosts fail while files wait for their turn.
            let sources = pool.ordered(able)
            let file = SharedFile(
                size: job.fetch.size, missing: ingest.missing, sources: sources.filter { $0.scheme != .file },
                isAlone: job.fetch.size < Self.sharingBytes)
            if job.fetch.size < Self.sharingBytes { return await run(job, sources, ingest, file, turn) }
            return await share(job, sources, ingest, file, turn)
        } catch {
            return FetchOutcome(error: named(error, job))
        }
    }

    private func offline(_ job: Job) -> SyncError {
        SyncError(
            .offline, "\(job.subject): not in the store, and nothing is fetched with --offline; run once without it")
    }

    /// The store speaks of its own paths: say which file of which model it is about.
    private func named(_ error: SyncError, _ job: Job) -> SyncError {
        var named = error
        if !named.message.hasPrefix(job.subject) { named.message = "\(job.subject): \(error.message)" }
        return named
    }

    /// Waits for its turn. Nil where another process has brought the blob.
    private func begin(_ job: Job) async throws(SyncError) -> (any BlobIngest)? {
        var hasTold = false
        while true {
            if Task.isCancelled { throw .cancelled(job.subject) }
            switch try await store.ingest(job.fetch.sha256, size: job.fetch.size) {
            case .present: return nil
            case .ready(let ingest): return ingest
            case .busy:
                if !hasTold { observer.observe(.waiting(model: job.model, path: job.path)) }
                hasTold = true
                do { try await clock.sleep(Self.busyWait) } catch { throw .cancelled(job.subject) }
            }
        }
    }

    /// As the one below, with the help of as many other connections as the pool thinks good.
    private func share(
        _ job: Job, _ sources: [SourceURL], _ ingest: any BlobIngest, _ file: SharedFile, _ turn: Turn
    ) async -> FetchOutcome {
        pool.join(file)
        let meter = FileMeter(job, bytes: ingest.byteCount, clock: clock, observer: observer)
        return await withTaskGroup(of: FetchOutcome?.self) { group in
            group.addTask {
                defer {
                    pool.remove(file)
                    file.end()
                }
                return await run(job, sources, ingest, file, turn, meter)
            }
            group.addTask {
                while (try? await clock.sleep(Self.tick)) != nil {
                    if file.tick() { pool.offer(file) }
                }
                return nil
            }
            for await slot in file.wishes ?? AsyncStream(unfolding: { nil }) {
                group.addTask {
                    await Helper(fetcher: self, job: job, ingest: ingest, file: file, meter: meter).run(slot)
                    return nil
                }
            }
            // Whoever still asks for bytes asks for none that are wanted.
            group.cancelAll()
            var outcome: FetchOutcome?
            for await ended in group { outcome = outcome ?? ended }
            // Of a fetch that failed or was cancelled, helpers end after the first connection.
            outcome?.transfer?.add(help: file.takeHelp().attempts)
            return outcome ?? FetchOutcome(error: .cancelled(job.subject))
        }
    }

    private func run(
        _ job: Job, _ sources: [SourceURL], _ first: any BlobIngest, _ file: SharedFile, _ turn: Turn,
        _ meter: FileMeter? = nil
    ) async -> FetchOutcome {
        var ingest = first
        let started = clock.monotonic()
        var progress = Progress(
            policy: RetryPolicy(sources: sources, attempts: options.attempts, bytes: ingest.byteCount), file: file,
            meter: meter ?? FileMeter(job, bytes: ingest.byteCount, clock: clock, observer: observer),
            statistics: TransferStatistics(startedAt: clock.wall()), resumed: ingest.byteCount, started: started,
            turn: turn, room: Turn(held, weight: ingest.waitsInMemory ? Int(job.fetch.size) : 0))
        observer.observe(
            .started(model: job.model, path: job.path, size: job.fetch.size, resumedFrom: ingest.byteCount))
        if ingest.byteCount >= job.fetch.size { tellComplete(job) }
        while true {
            do throws(SyncError) {
                guard let decision = try await attempt(job, ingest, &progress) else {
                    return finished(nil, progress)
                }
                guard let next = try await follow(decision, job, ingest, &progress) else {
                    return finished(nil, progress)
                }
                progress.room.leave()
                ingest = next
            } catch {
                if !progress.isIngestEnded {
                    ingest.close()
                    progress.statistics.bytesKept = ingest.byteCount
                }
                return finished(named(error, job), progress)
            }
        }
    }

    /// Of a file whose bytes were all there no transfer tells.
    private func tellComplete(_ job: Job) {
        let size = job.fetch.size
        observer.observe(.progress(DownloadProgress(model: job.model, path: job.path, bytes: size, total: size)))
    }

    private func finished(_ error: SyncError?, _ progress: Progress) -> FetchOutcome {
        var progress = progress
        progress.room.leave()
        addHelp(&progress)
        var statistics = progress.statistics
        statistics.seconds = (clock.monotonic() - progress.started).seconds
        statistics.bytesResumed = error == nil ? progress.resumed : 0
        return FetchOutcome(error: error, transfer: statistics)
    }

    /// One request and, if all bytes are there, the commit.
    ///
    /// - Returns: nil where the blob is in the store.
    private func attempt(
        _ job: Job, _ ingest: any BlobIngest, _ progress: inout Progress
    ) async throws(SyncError) -> RetryPolicy.Decision? {
        guard await progress.turn.enter(), await progress.room.enter() else { throw .cancelled(job.subject) }
        let isWhole = ingest.byteCount >= job.fetch.size
        if let error = try await bring(job, ingest, &progress) {
            progress.lastError = error
            return progress.policy.decide(
                after: progress.lastOutcome, error, bytes: ingest.byteCount, chance: clock.chance())
        }
        addHelp(&progress)
        if ingest.waitsInMemory { progress.turn.leave() }
        switch try await ingest.commit() {
        case .committed:
            progress.isIngestEnded = true
            // The last request of this connection may have brought nothing, and others the rest.
            progress.statistics.source = progress.statistics.attempts.last { $0.bytes > 0 }?.url
            return nil
        case .mismatch(let got):
            let error = mismatch(job, got, progress.policy.source, progress.lastOutcome)
            progress.lastError = error
            let asked = progress.policy.source.redacted
            if !isWhole, let last = progress.statistics.attempts.lastIndex(where: { $0.url == asked }) {
                progress.statistics.attempts[last].error = error
            }
            let provesNothing = progress.resumed > 0 || progress.isMixed
            return progress.policy.decide(afterMismatch: got, wasResumed: provesNothing, error)
        }
    }

    /// Requests until all bytes are there, or one has failed.
    private func bring(
        _ job: Job, _ ingest: any BlobIngest, _ progress: inout Progress
    ) async throws(SyncError) -> SyncError? {
        // Told once: the URL is read anew each time.
        let (file, host) = (progress.file, progress.policy.source.host)
        var brought = RangeBoard.Brought()
        let isSmall = TransferRequest.isSmall(job.fetch.size)
        var isIn = false
        var slot: ConnectionPool.Slot?
        func leave() {
            if isIn { pool.leave(slot) }
            isIn = false
        }
        defer { leave() }
        while ingest.byteCount < job.fetch.size {
            if isIn, pool.isHeld(host) { leave() }
            // Before the claim: what is claimed must not wait for a connection, least of all the first bytes that are missing.
            if !isIn {
                do { slot = try await pool.enter(host, isSmall: isSmall) } catch { throw .cancelled(job.subject) }
            }
            isIn = true
            guard let claim = file.claim(isFirst: true, after: brought) else {
                leave()
                await file.change()
                file.recover(ingest.missing)
                if Task.isCancelled { throw .cancelled(job.subject) }
                continue
            }
            defer { file.release(claim) }
            let begun = clock.monotonic()
            if let error = await transfer(job, ingest, claim, slot, &progress) { return error }
            brought = .init(bytes: progress.lastOutcome.bytes, seconds: (clock.monotonic() - begun).seconds)
        }
        return nil
    }

    /// One request.
    ///
    /// - Returns: why the bytes are not all there; nil where they are.
    private func transfer(
        _ job: Job, _ ingest: any BlobIngest, _ claim: RangeBoard.Claim, _ slot: ConnectionPool.Slot?,
        _ progress: inout Progress
    ) async -> SyncError? {
        let source = progress.policy.source
        // Connections are judged by what large files bring over them.
        let host = slot?.isStream == true ? nil : slot?.host
        ingest.expect(from: source)
        let request = TransferRequest(
            url: source, expectedSize: job.fetch.size, offset: claim.range.lowerBound,
            end: claim.range.upperBound < job.fetch.size ? claim.range.upperBound : nil,
            validator: ingest.validator(for: source) ?? progress.file.validator(for: source), subject: job.subject)
        let sink = FileSink(ingest, progress.file, claim, source, host, progress.meter, pool)
        progress.file.willAsk(source)
        let (startedAt, started) = (clock.wall(), clock.monotonic())
        var outcome = await ask(request, sink, progress.file, claim)
        sink.end()
        if request.isSmall, outcome.httpStatus != nil {
            pool.didAnswer(slot?.host, isMultiplexed: outcome.isMultiplexed)
        }
        if outcome.error == nil || sink.isDone { outcome.bytes = sink.taken }
        if sink.isDone || outcome.error?.code == .cancelled && progress.file.wasTakenOver(claim) { outcome.error = nil }
        if Task.isCancelled, outcome.error != nil { outcome.error = .cancelled(job.subject) }
        if sink.hasStartedOver { progress.startOver() }
        let isShort = outcome.error == nil && !progress.file.isWhole(claim)
        let error = (outcome.error ?? (isShort ? truncation(job, ingest.byteCount, outcome) : nil))
            .map { named($0, job) }
        progress.lastOutcome = outcome
        progress.statistics.add(
            TransferAttempt(
                url: source.redacted, startedAt: startedAt, seconds: (clock.monotonic() - started).seconds,
                bytes: outcome.bytes, httpStatus: outcome.httpStatus, error: error))
        return error
    }

    /// Makes the request. Where another connection takes over all that is left of the claim, it ends.
    func ask(
        _ request: TransferRequest, _ sink: FileSink, _ file: SharedFile, _ claim: RangeBoard.Claim
    ) async -> TransferOutcome {
        guard file.isShared else { return await transport.transfer(request, into: sink) }
        let transfer = Task { await transport.transfer(request, into: sink) }
        file.didBegin(claim) { transfer.cancel() }
        return await withTaskCancellationHandler {
            await transfer.value
        } onCancel: {
            transfer.cancel()
        }
    }

    /// What other connections brought counts as this fetch's. Bytes of other sources prove nothing against this one.
    private func addHelp(_ progress: inout Progress) {
        let (bytes, attempts) = progress.file.takeHelp()
        progress.statistics.add(help: attempts)
        if bytes.contains(where: { $0.key != progress.policy.source && $0.value > 0 }) { progress.isMixed = true }
    }

    /// Does what the policy decided.
    ///
    /// - Returns: the ingest to go on with; nil where another process has brought the blob meanwhile.
    private func follow(
        _ decision: RetryPolicy.Decision, _ job: Job, _ ingest: any BlobIngest, _ progress: inout Progress
    ) async throws(SyncError) -> (any BlobIngest)? {
        switch decision {
        case .fail(let error, let digest):
            let isKept = await keep(digest, ingest, &progress)
            // Bytes that are known to be wrong are nothing to go on from. The error to tell may be of an earlier source's.
            let isWrong = progress.lastError?.code == .digestMismatch
            if !isKept, isWrong || progress.lastOutcome.mustRestart { try? ingest.restart() }
            dropHost(progress)
            throw told(error, progress)
        case .nextSource(let fromScratch, let digest):
            dropHost(progress)
            tell(job, .zero, progress)
            if await keep(digest, ingest, &progress) {
                guard let next = try await begin(job) else { return nil }
                progress.isIngestEnded = false
                progress.startOver()
                progress.resumed = next.byteCount
                progress.file = SharedFile(size: job.fetch.size, missing: next.missing, sources: [], isAlone: true)
                progress.meter = FileMeter(job, bytes: next.byteCount, clock: clock, observer: observer)
                return next
            }
            if fromScratch { try restart(ingest, &progress) } else { progress.isMixed = ingest.byteCount > 0 }
        case .retry(let delay, let fromScratch):
            tell(job, delay, progress)
            if fromScratch { try restart(ingest, &progress) }
            if progress.lastOutcome.retryAfter != nil { pool.hold(progress.policy.source.host, for: delay) }
            if delay > .zero {
                do { try await clock.sleep(delay) } catch { throw .cancelled(job.subject) }
            }
        }
        if Task.isCancelled { throw .cancelled(job.subject) }
        return ingest
    }

    private func restart(_ ingest: any BlobIngest, _ progress: inout Progress) throws(SyncError) {
        // First, so that no other connection takes the new bytes for its own.
        progress.file.startOver()
        try ingest.restart()
        progress.meter.reset()
        progress.startOver()
    }

    /// A host that fails for this file would fail for others; a file that it does not have says nothing of it.
    private func dropHost(_ progress: Progress) {
        guard let error = progress.lastError, let asked = progress.file.asked, progress.policy.sources.count > 1,
            error.isRetryable || error.code == .digestMismatch || error.code.rawValue.hasPrefix("network")
        else { return }
        pool.drop(asked, because: error)
    }

    /// Keeps wrong bytes of the right size, so that a corrected manifest fetches nothing again.
    ///
    /// - Returns: whether they are kept. Where they can't be, the source's fault is still the thing to tell.
    private func keep(_ digest: SHA256Digest?, _ ingest: any BlobIngest, _ progress: inout Progress) async -> Bool {
        guard let digest else { return false }
        do throws(SyncError) { try await ingest.keepUnreferenced(as: digest) } catch { return false }
        progress.isIngestEnded = true
        if !progress.kept.contains(digest) { progress.kept.append(digest) }
        return true
    }

    private func told(_ error: SyncError, _ progress: Progress) -> SyncError {
        guard error.code == .digestMismatch, !progress.kept.isEmpty else { return error }
        let digests = progress.kept.map(\.hex).joined(separator: " and ")
        var told = error
        told.message +=
            "; the bytes are kept in the store as \(digests), and nothing is fetched again once the manifest names them"
        return told
    }

    private func tell(_ job: Job, _ delay: Duration, _ progress: Progress) {
        guard let error = progress.lastError else { return }
        observer.observe(
            .retrying(
                model: job.model, path: job.path, error: error, after: delay, source: progress.policy.source.redacted))
    }

    private func truncation(_ job: Job, _ count: Int64, _ outcome: TransferOutcome) -> SyncError? {
        guard count < job.fetch.size else { return nil }
        let found = Diagnosis.of(contentType: outcome.contentType, firstBytes: outcome.firstBytes)
        return SyncError(
            .sizeMismatch, "\(job.subject): the source ended after \(count) of \(job.fetch.size) bytes",
            isRetryable: found == nil, diagnosis: found ?? .truncated)
    }

    private func mismatch(
        _ job: Job, _ got: SHA256Digest, _ source: SourceURL, _ outcome: TransferOutcome
    ) -> SyncError {
        let diagnosis = Diagnosis.of(contentType: outcome.contentType, firstBytes: outcome.firstBytes)
        var message =
            "\(job.subject): \(source.redacted) gave bytes with sha256 \(got), the manifest wants \(job.fetch.sha256)"
        if diagnosis == .htmlPage { message += "; the answer is a web page, as a login or error page is" }
        if diagnosis == .lfsPointer { message += "; the answer is a Git LFS pointer, not the file that it points to" }
        return SyncError(.digestMismatch, message, diagnosis: diagnosis)
    }
}
