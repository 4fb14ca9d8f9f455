import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

/// A store, a network and a clock that do as they are told, and the engine between them.
struct World: Sendable {
    let store: InMemoryStore
    let transport: ScriptedTransport
    let time: ManualClock
    let log: EventLog
    var options = RunOptions()
    /// Of the next run.
    var control = RunControl()

    init(
        bytesFree: Int64 = 1 << 50, sliceBytes: Int = 1 << 16, time: ManualClock = ManualClock(),
        perSlice: Duration = .zero, waitsInMemory: Bool = false,
        onEvent: @escaping @Sendable (SyncEvent) -> Void = { _ in }
    ) {
        store = InMemoryStore(bytesFree: bytesFree, waitsInMemory: waitsInMemory)
        transport = ScriptedTransport(sliceBytes: sliceBytes) { if perSlice > .zero { time.advance(perSlice) } }
        self.time = time
        log = EventLog(onEvent: onEvent)
    }

    /// What one run has come to.
    struct Run: Sendable {
        var plan: SyncPlan
        var results: [DownloadResult]
        var notes: [String]

        /// The one result of that `model/path`.
        func result(_ name: String) throws -> DownloadResult {
            let found = results.filter { $0.model + "/" + $0.path == name }
            try #require(found.count == 1, "\(name) among \(results.map { $0.model + "/" + $0.path })")
            return found[0]
        }

        /// By `model/path`.
        var outcomes: [String: ResultOutcome] {
            Dictionary(results.map { ($0.model + "/" + $0.path, $0.outcome) }) { _, _ in .failed }
        }
    }

    var engine: SyncEngine {
        SyncEngine(
            store: store, transport: transport, clock: time.clock, options: options, observer: log,
            control: control)
    }

    func apply(_ models: Model...) async throws -> Run { try await apply(models) }

    func apply(_ models: [Model]) async throws -> Run {
        let plan = try await engine.plan(Manifest(applied: models))
        let (results, notes) = await engine.apply(plan)
        return Run(plan: plan, results: results, notes: notes)
    }

    /// A model's file of these bytes, at one URL a host.
    func file(_ path: String, _ bytes: [UInt8], hosts: [String] = ["origin.example.org"]) throws -> ModelFile {
        ModelFile(
            path: try RelativePath(path), size: Int64(bytes.count), sha256: try Payload.digest(bytes),
            sources: try hosts.map { try source(path, host: $0) })
    }

    /// The same, and each of its hosts has it.
    func served(_ path: String, _ bytes: [UInt8], hosts: [String] = ["origin.example.org"]) throws -> ModelFile {
        let file = try file(path, bytes, hosts: hosts)
        for source in file.sources { transport.serve(source, bytes) }
        return file
    }

    /// Each ingest that was begun has been ended: a partial that is still somebody's would answer busy.
    func expectNothingIsOpen(_ models: Model..., sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for file in models.flatMap(\.files) {
            switch try await store.ingest(file.sha256, size: file.size) {
            case .busy: Issue.record("\(file.path) was not closed", sourceLocation: sourceLocation)
            case .ready(let ingest): ingest.close()
            case .present: break
            }
        }
    }
}

/// Random bytes, others for each seed.
func bytes(_ count: Int, _ seed: UInt64) -> [UInt8] { Payload.bytes(count, seed: seed) }
