import SystemSupport

/// Holds every thread that comes until it is opened.
final class Gate: Sendable {
    private let isOpen = Monitor(false)
    private let arrivals = AsyncStream.makeStream(of: Void.self)

    func pass() {
        arrivals.continuation.yield()
        isOpen.wait { $0 ? () : nil }
    }

    func arrival() async {
        for await _ in arrivals.stream { return }
    }

    func open() {
        isOpen.withLock { $0 = true }
        isOpen.notifyAll()
    }
}
