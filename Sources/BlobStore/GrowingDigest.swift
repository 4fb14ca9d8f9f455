internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// The digest of a file that grows, starts over and grows again: one hash stream after another.
///
/// Safe to use from any thread.
final class GrowingDigest: Sendable {
    private struct State {
        /// Nil until there is something to hash.
        var stream: (any HashStreaming)?
        /// Of all the bytes that are there, once it is known.
        var known: SHA256Digest?
        /// The hash values that led to it.
        var marks: [SHA256Digest] = []
    }

    private let open: @Sendable () -> any HashStreaming
    private let state: Mutex<State>

    /// Hashes nothing yet.
    init(of file: OpenFile, by hashes: HashService) {
        open = { hashes.stream(file) }
        state = Mutex(State())
    }

    /// Says that so many contiguous bytes are there.
    func advance(to count: Int64) {
        let stream = state.withLock { state in
            (state.known, state.marks) = (nil, [])
            return begun(&state)
        }
        stream.advance(to: count)
    }

    private func begun(_ state: inout State) -> any HashStreaming {
        let stream = state.stream ?? open()
        state.stream = stream
        return stream
    }

    /// The digest of the first `count` bytes, all that are there. A stream ends with its digest, or with its failure: what
    /// comes after that, more bytes or another try, is hashed by a new one.
    func digest(of count: Int64) async throws(SyncError) -> SHA256Digest {
        if let known = state.withLock({ $0.known }) { return known }
        let stream = state.withLock { begun(&$0) }
        do throws(SyncError) {
            let got = try await stream.digest(of: count)
            state.withLock { $0 = State(known: got, marks: stream.marks) }
            return got
        } catch {
            state.withLock { $0.stream = nil }
            throw error
        }
    }

    /// The hash values after each chunk, once the digest is known.
    var marks: [SHA256Digest] { state.withLock { $0.marks } }

    /// The bytes are no longer those that were hashed.
    func startOver() {
        let old = state.withLock { state in
            defer { state = State() }
            return state.stream
        }
        old?.cancel()
    }

    /// Ends the hashing: whoever waits for a digest is answered with `cancelled`.
    func cancel() { state.withLock { $0.stream }?.cancel() }
}
