public import SyncDomain
import Synchronization

/// A sink in memory that remembers how it was called, and fails where a test wants it to.
public final class CollectingSink: TransferSink {
    /// One call of ``begin(at:validator:)``.
    public struct Begin: Sendable, Equatable {
        public var offset: Int64
        public var validator: Validator?

        public init(offset: Int64, validator: Validator?) {
            self.offset = offset
            self.validator = validator
        }
    }

    private struct State: Sendable {
        var begins: [Begin] = []
        var bytes: [UInt8]
        var writes = 0
    }

    private let state: Mutex<State>
    private let onBegin: @Sendable (Begin) throws(SyncError) -> Void
    private let onWrite: @Sendable (_ bytesSoFar: Int, _ count: Int) throws(SyncError) -> Void

    /// - Parameters:
    ///   - bytes: what is there before the transfer.
    ///   - onBegin: called before each begin; what it throws ends the transfer.
    ///   - onWrite: called before each write with the bytes that are there and how many are to come.
    public init(
        _ bytes: [UInt8] = [], onBegin: @escaping @Sendable (Begin) throws(SyncError) -> Void = { _ in },
        onWrite: @escaping @Sendable (_ bytesSoFar: Int, _ count: Int) throws(SyncError) -> Void = { _, _ in }
    ) {
        state = Mutex(State(bytes: bytes))
        self.onBegin = onBegin
        self.onWrite = onWrite
    }

    /// What is there now.
    public var bytes: [UInt8] { state.withLock { $0.bytes } }
    /// All calls of begin, in order.
    public var begins: [Begin] { state.withLock { $0.begins } }
    /// How often write was called.
    public var writes: Int { state.withLock { $0.writes } }

    public func begin(at offset: Int64, validator: Validator?) throws(SyncError) {
        let begin = Begin(offset: offset, validator: validator)
        try onBegin(begin)
        state.withLock { state in
            state.begins.append(begin)
            state.bytes.removeSubrange(min(Int(offset), state.bytes.count)...)
        }
    }

    public func write(_ bytes: RawSpan) throws(SyncError) {
        try onWrite(state.withLock { $0.bytes.count }, bytes.byteCount)
        let copy = bytes.withUnsafeBytes { Array($0) }
        state.withLock { state in
            state.bytes += copy
            state.writes += 1
        }
    }
}
