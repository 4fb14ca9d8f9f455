/// Runs `body` and waits for it, for callers that are not async. The body's tasks run on a thread that is made for them.
///
/// Never to be called from a task: the cooperative pool is as wide as the machine has cores, and each of its threads that waits
/// here is one less for what is waited for.
public func waiting<Value: Sendable, Failure: Error>(
    for body: @escaping @Sendable () async throws(Failure) -> Value
) throws(Failure) -> Value {
    let thread = TaskThread(name: "waiting")
    defer { thread.shutDown() }
    let result = Monitor<Result<Value, Failure>?>(nil)
    // Its end is waited for below, in the same scope.
    Task(executorPreference: thread) {
        let value: Result<Value, Failure>
        do throws(Failure) { value = .success(try await body()) } catch { value = .failure(error) }
        result.withLock { $0 = value }
        result.notifyAll()
    }
    return try result.wait { $0 }.get()
}
