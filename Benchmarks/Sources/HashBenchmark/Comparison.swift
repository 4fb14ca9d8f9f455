import SyncDomain

/// A way to do the work that all of a comparison do.
struct Contender {
    let name: String
    /// Does it once.
    let run: () async throws -> Run
}

struct Run {
    let seconds: Double
    /// Of each file, in the order of the files; nil where the run was held against them in another way.
    let digests: [SHA256Digest]?
}

/// Runs all by turns, so that what disturbs the machine for a while disturbs each of them, and whoever is first is last
/// the next time. The first run of each is not counted: it finds caches cold.
///
/// - Returns: the seconds of each, in the order given.
/// - Throws: ``BenchmarkFailure`` when one of them found other digests than those expected.
func measure(_ contenders: [Contender], expected: [SHA256Digest], repeats: Int) async throws -> [[Double]] {
    var seconds = contenders.map { _ in [Double]() }
    for round in 0...repeats {
        let order = Array(contenders.indices)
        for index in round.isMultiple(of: 2) ? order : order.reversed() {
            let run = try await contenders[index].run()
            guard run.digests ?? expected == expected else {
                throw BenchmarkFailure("\(contenders[index].name): the digests are not those of the files")
            }
            if round > 0 { seconds[index].append(run.seconds) }
        }
    }
    return seconds
}

/// What the work takes by the wall's clock.
func timed<Result>(_ work: () async throws -> Result) async rethrows -> (result: Result, seconds: Double) {
    let start = ContinuousClock.now
    let result = try await work()
    return (result, start.duration(to: .now) / .seconds(1))
}

/// A line of the table.
struct Row: Encodable {
    let part: Part
    let name: String
    let bytes: Int64
    /// Of each run.
    let oursSeconds: [Double]
    let opensslSeconds: [Double]
    /// Of the medians.
    let ratio: Double

    init(_ part: Part, _ name: String, bytes: Int64, ours: [Double], openSSL: [Double]) {
        (self.part, self.name, self.bytes) = (part, name, bytes)
        (oursSeconds, opensslSeconds) = (ours, openSSL)
        ratio = median(ours) / median(openSSL)
    }

    /// As thresholds name it.
    var fullName: String { "\(part.rawValue): \(name)" }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
