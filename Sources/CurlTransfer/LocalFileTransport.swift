internal import Glibc
internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// `file` URLs, read on threads of their own: libcurl would read the whole file on the loop's.
final class LocalFileTransport: Sendable {
    private static let sliceBytes = 1 << 20
    private static let threads = 2

    private let pool = BlockingPool(name: "file", threads: threads)
    private let isClosed = Flag()

    /// As ``CurlTransport/transfer(_:into:)``. No validator, no status.
    func transfer(_ request: TransferRequest, into sink: any TransferSink) async -> TransferOutcome {
        let answer = Answer()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard answer.wait(continuation) else { return continuation.resume(returning: Self.cancelled(request)) }
                pool.submit { [isClosed] in
                    guard let continuation = answer.take() else { return }
                    var reading = FileReading(request, sink)
                    continuation.resume(returning: reading.run { answer.isCancelled || isClosed.isSet })
                }
            }
        } onCancel: {
            answer.cancel()?.resume(returning: Self.cancelled(request))
        }
    }

    private static func cancelled(_ request: TransferRequest) -> TransferOutcome {
        TransferOutcome(error: .cancelled(request.subject))
    }

    /// Ends what runs as cancelled, and joins the threads. A second call returns at once.
    func shutDown() {
        isClosed.set()
        pool.shutDown()
    }

    /// Goes up once.
    private final class Flag: Sendable {
        private let value = Atomic(false)

        var isSet: Bool { value.load(ordering: .relaxed) }

        func set() { value.store(true, ordering: .relaxed) }
    }

    /// Who waits for a transfer. Whoever takes it answers: a thread, or who cancels it while no thread is free.
    private final class Answer: Sendable {
        private let state = Mutex<(waiter: CheckedContinuation<TransferOutcome, Never>?, isCancelled: Bool)>(
            (nil, false))

        var isCancelled: Bool { state.withLock { $0.isCancelled } }

        /// - Returns: false if it was cancelled before.
        func wait(_ waiter: CheckedContinuation<TransferOutcome, Never>) -> Bool {
            state.withLock { state in
                if !state.isCancelled { state.waiter = waiter }
                return !state.isCancelled
            }
        }

        func take() -> CheckedContinuation<TransferOutcome, Never>? { state.withLock { $0.waiter.take() } }

        func cancel() -> CheckedContinuation<TransferOutcome, Never>? {
            state.withLock { state in
                state.isCancelled = true
                return state.waiter.take()
            }
        }
    }

    /// One file to one sink, on the thread that calls.
    private struct FileReading {
        let request: TransferRequest
        let sink: any TransferSink
        var outcome = TransferOutcome()

        init(_ request: TransferRequest, _ sink: any TransferSink) {
            self.request = request
            self.sink = sink
        }

        mutating func run(isCancelled: () -> Bool) -> TransferOutcome {
            do {
                try read(isCancelled)
            } catch {
                outcome.error = error
            }
            return outcome
        }

        private mutating func read(_ isCancelled: () -> Bool) throws(SyncError) {
            if isCancelled() { throw .cancelled(request.subject) }
            guard let path = request.url.filePath else {
                throw TransferFault(.policyScheme, "not the URL of a file").error(request)
            }
            // Not blocking: a pipe that nobody writes to would hold the thread for ever.
            let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else { throw Self.refusal(errno, path).error(request) }
            // Nothing was written: close(2) has nothing to report.
            defer { _ = close(descriptor) }
            let size = try check(descriptor, path)
            outcome.declaredSize = size
            let offset = try start(size)
            try sink.begin(at: offset, validator: nil)
            _ = posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
            try copy(descriptor, path, offset..<max(offset, min(size, request.end ?? size)), isCancelled)
        }

        private func check(_ descriptor: Int32, _ path: String) throws(SyncError) -> Int64 {
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { throw Self.refusal(errno, path).error(request) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw TransferFault(.storeIO, "\(path) is not a regular file", hint: "name the file itself").error(
                    request)
            }
            let size = Int64(status.st_size)
            if let expected = request.expectedSize, size != expected {
                throw wrongSize(descriptor, path, size, expected)
            }
            return size
        }

        private func wrongSize(_ descriptor: Int32, _ path: String, _ size: Int64, _ expected: Int64) -> SyncError {
            var fault = TransferFault(
                .sizeMismatch, "\(path) has \(size) bytes, expected \(expected)", hint: "check the size in the manifest"
            )
            if size <= ResponseGate.inspectableBytes {
                var start = [UInt8](repeating: 0, count: Exchange.firstBytesLimit)
                let count = unsafe start.withUnsafeMutableBytes {
                    unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
                }
                fault = fault.diagnosed(Diagnosis.of(contentType: nil, firstBytes: Array(start.prefix(max(0, count)))))
            }
            return fault.error(request)
        }

        private mutating func start(_ size: Int64) throws(SyncError) -> Int64 {
            if request.offset <= size { return request.offset }
            outcome.mustRestart = true
            throw TransferFault(
                .sizeMismatch, "the file has \(size) bytes, fewer than the \(request.offset) that came before"
            )
            .restarting().error(request)
        }

        private mutating func copy(
            _ descriptor: Int32, _ path: String, _ range: Range<Int64>, _ isCancelled: () -> Bool
        ) throws(SyncError) {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: sliceBytes, alignment: 1 << 12)
            defer { unsafe buffer.deallocate() }
            var position = range.lowerBound
            while position < range.upperBound {
                if isCancelled() { throw .cancelled(request.subject) }
                let wanted = Int(min(Int64(sliceBytes), range.upperBound - position))
                let count = unsafe pread(descriptor, buffer.baseAddress, wanted, off_t(position))
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw Self.refusal(errno, path).error(request) }
                guard count > 0 else { throw shrunk(path, position, range.upperBound) }
                let slice = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
                try unsafe sink.write(slice.bytes)
                if position == 0 { unsafe outcome.firstBytes = Array(slice.prefix(Exchange.firstBytesLimit)) }
                position += Int64(count)
                outcome.bytes += Int64(count)
            }
        }

        private func shrunk(_ path: String, _ position: Int64, _ size: Int64) -> SyncError {
            var fault = TransferFault(
                .sizeMismatch, "\(path) became shorter while it was read: got \(position) of \(size) bytes")
            fault.diagnosis = .truncated
            return fault.error(request)
        }

        private static func refusal(_ code: Int32, _ path: String) -> TransferFault {
            let reason = SystemFailure("open", path, code: code).reason
            switch code {
            case ENOENT, ENOTDIR:
                return TransferFault(
                    .httpNotFound, "\(path) is not there (\(reason))", hint: "check the path in the manifest")
            case EACCES, EPERM:
                return TransferFault(
                    .storePermission, "\(path) may not be read (\(reason))",
                    hint: "check who owns the file and its folders")
            default:
                return TransferFault(
                    .storeIO, "\(path) can't be read (\(reason))", hint: "check the disk that it is on")
            }
        }
    }
}

extension TransferFault {
    fileprivate func error(_ request: TransferRequest) -> SyncError {
        error(subject: request.subject, url: request.url, origin: request.url)
    }
}
