public import SyncDomain
import Synchronization

/// The store's port in memory, as the one on disk behaves, with hooks for what goes wrong.
///
///     let store = InMemoryStore()
///     store.fail(.publish, SyncError(.storeIO, "broken"))         // the next publish throws
///     store.setBusy(digest, asks: 2, thenBring: bytes)            // .busy twice, then .present
///     … the code under test …
///     #expect(store.calls.contains(.commit(digest)))
///     #expect(store.view("a.bin", of: name) == bytes)
///
/// A view is a second name of a blob: what is done to the bytes of one is seen through the other. Safe from any thread.
public final class InMemoryStore: ModelStoring {
    /// What can be made to fail.
    public enum Operation: Sendable, Hashable, CaseIterable {
        case survey, ingest, begin, write, restart, commit, keepUnreferenced, adopt, publish, mend, remove, save
    }

    /// A call that came; writes are not remembered.
    public enum Call: Sendable, Hashable {
        case survey(VerifyDepth)
        case ingest(SHA256Digest)
        case expect(SHA256Digest, SourceURL)
        case begin(SHA256Digest, offset: Int64)
        case restart(SHA256Digest)
        case commit(SHA256Digest)
        case keepUnreferenced(SHA256Digest, as: SHA256Digest)
        case close(SHA256Digest)
        case adopt(String, of: ModelName, as: SHA256Digest)
        case reseal(SHA256Digest)
        case publish(ModelName)
        case mend([String], of: ModelName)
        case remove(ModelName)
        case save(runID: String)
    }

    public let path: String
    /// Whether the bytes of a file wait in memory until they are committed: what the ingests say of themselves.
    public let waitsInMemory: Bool
    let state: Mutex<State>
    let failed = Mutex<Set<HostKey>>([])

    /// - Parameter path: what the store says that its folder is; nothing is made there.
    public init(path: String = "/in-memory-store", bytesFree: Int64 = 1 << 50, waitsInMemory: Bool = false) {
        self.path = path
        self.waitsInMemory = waitsInMemory
        state = Mutex(State(bytesFree: bytesFree))
    }

    // MARK: What is there

    /// All calls so far, in order.
    public var calls: [Call] { state.withLock { $0.calls } }
    /// What a survey says may still be written.
    public var bytesFree: Int64 {
        get { state.withLock { $0.bytesFree } }
        set { state.withLock { $0.bytesFree = newValue } }
    }

    /// The bytes under a digest's name, right or wrong; nil where nothing is.
    public func blob(_ digest: SHA256Digest) -> [UInt8]? { state.withLock { $0.blobs[digest]?.bytes } }
    /// The digests that have a blob.
    public var blobs: Set<SHA256Digest> { state.withLock { Set($0.blobs.keys) } }
    /// The bytes of an unfinished download; nil where nothing is.
    public func partial(_ digest: SHA256Digest) -> [UInt8]? { state.withLock { $0.partials[digest]?.bytes } }
    /// The bytes that a program reads at a path; nil where nothing is.
    public func view(_ path: String, of model: ModelName) -> [UInt8]? {
        state.withLock { $0.views[model]?[path]?.bytes }
    }
    /// All paths in a model's folder, sorted.
    public func paths(of model: ModelName) -> [String] { state.withLock { ($0.views[model] ?? [:]).keys.sorted() } }
    /// What was published last.
    public func record(_ model: ModelName) -> Model? { state.withLock { $0.records[model] } }
    /// By run id.
    public var reports: [String: [UInt8]] { state.withLock { $0.reports } }

    // MARK: What a test puts there

    /// A whole and sealed blob, brought by somebody else. Its bytes may be wrong: only a full survey finds that.
    public func put(_ bytes: [UInt8], as digest: SHA256Digest) {
        state.withLock { $0.blobs[digest] = File(bytes, isSealed: true) }
    }

    /// The unfinished download of an earlier run.
    public func putPartial(
        _ bytes: [UInt8], of digest: SHA256Digest, from source: SourceURL? = nil, validator: Validator? = nil
    ) {
        let validated = source.flatMap { source in validator.map { (source, $0) } }
        state.withLock { $0.partials[digest] = Partial(bytes: bytes, validated: validated) }
    }

    /// A file that somebody wrote into a model's folder; replaces a view, and leaves its blob alone.
    public func putFile(_ bytes: [UInt8], at path: String, of model: ModelName) {
        state.withLock { $0.views[model, default: [:]][path] = File(bytes, isSealed: false) }
    }

    /// The record of an earlier run, with none of its blobs and views.
    public func putRecord(_ model: Model) { state.withLock { $0.records[model.name] = model } }

    /// Takes a blob away; its views stay.
    public func removeBlob(_ digest: SHA256Digest) { _ = state.withLock { $0.blobs.removeValue(forKey: digest) } }

    /// Takes a view away; its blob stays.
    public func removeView(_ path: String, of model: ModelName) {
        _ = state.withLock { $0.views[model]?.removeValue(forKey: path) }
    }

    /// Changes the bytes of a blob, and of its views.
    ///
    /// - Parameter keepsSeal: as rot does, which only a full survey finds.
    public func damage(_ digest: SHA256Digest, to bytes: [UInt8], keepsSeal: Bool = false) {
        state.withLock { state in
            state.blobs[digest]?.bytes = bytes
            if !keepsSeal { state.blobs[digest]?.isSealed = false }
        }
    }

    /// Touches a blob: the bytes stay, the seal is broken.
    public func unseal(_ digest: SHA256Digest) { state.withLock { $0.blobs[digest]?.isSealed = false } }

    // MARK: What a test makes go wrong

    /// Makes the next calls throw.
    ///
    /// - Parameters:
    ///   - subject: the hex digest, model name or run id that it is about; nil for any.
    ///   - skipping: how many such calls go well before.
    ///   - times: how many such calls fail.
    public func fail(
        _ operation: Operation, _ error: SyncError, for subject: String? = nil, skipping: Int = 0, times: Int = 1
    ) {
        state.withLock {
            $0.failures.append(
                Failure(operation: operation, subject: subject, error: error, skipping: skipping, times: times))
        }
    }

    /// Makes the next calls of ingest answer `busy`, as if another process were fetching the blob.
    ///
    /// - Parameter bytes: what that process has brought when it is done; nil if it gives up.
    public func setBusy(_ digest: SHA256Digest, asks: Int, thenBring bytes: [UInt8]? = nil) {
        state.withLock { $0.busy[digest] = (asks, bytes) }
    }

    // MARK: Inside

    /// Bytes with any number of names.
    final class File {
        var bytes: [UInt8]
        var isSealed: Bool

        init(_ bytes: [UInt8], isSealed: Bool) {
            self.bytes = bytes
            self.isSealed = isSealed
        }
    }

    struct Partial {
        var bytes: [UInt8] = []
        var validated: (source: SourceURL, validator: Validator)?
        var isOpen = false
    }

    struct Failure {
        var operation: Operation
        var subject: String?
        var error: SyncError
        var skipping: Int
        var times: Int
    }

    struct State {
        var bytesFree: Int64
        var calls: [Call] = []
        var blobs: [SHA256Digest: File] = [:]
        var partials: [SHA256Digest: Partial] = [:]
        var views: [ModelName: [String: File]] = [:]
        var records: [ModelName: Model] = [:]
        var reports: [String: [UInt8]] = [:]
        var failures: [Failure] = []
        var busy: [SHA256Digest: (asks: Int, bytes: [UInt8]?)] = [:]
        /// Blobs that a full survey found rotten under a whole seal.
        var rotten: Set<ObjectIdentifier> = []

        mutating func failure(_ operation: Operation, _ subject: String) -> SyncError? {
            for index in failures.indices where failures[index].operation == operation && failures[index].times > 0 {
                guard failures[index].subject.map({ $0 == subject }) ?? true else { continue }
                guard failures[index].skipping == 0 else {
                    failures[index].skipping -= 1
                    continue
                }
                failures[index].times -= 1
                return failures[index].error
            }
            return nil
        }

        func isPresent(_ digest: SHA256Digest, size: Int64) -> Bool {
            guard let file = blobs[digest] else { return false }
            return file.isSealed && file.bytes.count == Int(size) && !rotten.contains(ObjectIdentifier(file))
        }
    }

    /// Runs `body` alone, unless the call is one that a test wants to fail.
    func change<Value: Sendable>(
        _ operation: Operation, _ subject: String, _ call: Call? = nil,
        _ body: (inout State) throws(SyncError) -> Value
    ) throws(SyncError) -> Value {
        let result: Result<Value, SyncError> = state.withLock { state in
            if let call { state.calls.append(call) }
            if let error = state.failure(operation, subject) { return .failure(error) }
            do throws(SyncError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

extension Payload {
    private static let known = Mutex<[[UInt8]: SHA256Digest]>([:])

    /// The SHA-256 of the bytes by the `sha256sum` command, which is asked once for the same bytes.
    public static func digest(_ bytes: [UInt8]) throws -> SHA256Digest {
        if let digest = known.withLock({ $0[bytes] }) { return digest }
        let digest = try SHA256Digest(hex: try sha256(bytes))
        known.withLock { $0[bytes] = digest }
        return digest
    }

    static func digestOrError(_ bytes: [UInt8]) throws(SyncError) -> SHA256Digest {
        do { return try digest(bytes) } catch { throw SyncError(.storeIO, "the test's oracle failed: \(error)") }
    }
}
