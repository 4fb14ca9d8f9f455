import TestSupport
import Testing

/// What lies between a host and here. Rates in bytes per second.
struct NetworkShape: Sendable, CustomTestStringConvertible {
    var name: String
    /// All connections together.
    var line: Double
    var roundTripSeconds: Double
    /// What the host gives to one connection.
    var perConnection = Double.infinity
    /// The part of the packets that gets lost, with a sender that takes each loss for a full line, as Reno does.
    var loss = 0.0
    /// Bytes that are lost together: more than a packet's where the network card cuts the packets.
    var segment = 1_460.0
    /// The part of the line that each connection after the first costs.
    var cost = 0.0
    /// Beyond so many connections the host gives half.
    var halvesBeyond = Int.max
    /// Beyond so many connections the host answers 429.
    var refusesBeyond = Int.max
    /// How far the speed strays from one look to the next, either way, as a part of it.
    var noise = 0.1
    /// When there is another line or another limit.
    var change: (second: Double, line: Double, perConnection: Double)?

    var testDescription: String { name }

    /// What one connection comes up to: the limit, or the rule of Mathis for a lossy line.
    var connectionCap: Double {
        let lossy = loss > 0 ? segment / roundTripSeconds * 1.22 / loss.squareRoot() : .infinity
        return min(line, perConnection, lossy)
    }

    func capacity(of count: Int) -> Double {
        let left = line * max(0.1, 1 - cost * Double(count - 1))
        return count > halvesBeyond ? min(left, Double(halvesBeyond) * connectionCap) / 2 : left
    }

    /// What so many connections bring when they are up to speed.
    func steady(_ count: Int) -> Double {
        count > refusesBeyond ? 0 : min(capacity(of: count), Double(count) * connectionCap)
    }

    func best(bound: Int) -> Double { (1...bound).map(steady).max() ?? 0 }
}

/// A host behind a ``NetworkShape``, in steps of a policy's look. No time passes.
///
/// A connection brings nothing for three round trips (TCP, TLS, the request), then ten packets a round trip, and twice
/// as much each round trip until its limit or its fair share of the line.
struct SimulatedNetwork {
    static let lookSeconds = 0.1
    private static let step = 0.01

    private(set) var shape: NetworkShape
    private(set) var seconds = 0.0
    /// Each connection's age in seconds, bytes per second, and where between two losses it started.
    private var connections: [(age: Double, rate: Double, saw: Double)] = []
    private var random: Dice

    init(_ shape: NetworkShape, seed: UInt64) {
        self.shape = shape
        random = Dice(seed: seed)
    }

    var active: Int { connections.count }

    /// A look's time with `wanted` connections; the newest are the ones to end where there are more.
    ///
    /// - Returns: the bytes that came, those that would have come without noise, and whether the host refused.
    mutating func look(wanted: Int) -> (bytes: Int64, smooth: Double, isRefused: Bool) {
        if let change = shape.change, seconds >= change.second {
            (shape.line, shape.perConnection, shape.change) = (change.line, change.perConnection, nil)
        }
        let isRefused = wanted > shape.refusesBeyond
        let count = min(wanted, shape.refusesBeyond)
        while connections.count > count { connections.removeLast() }
        while connections.count < count { connections.append((0, 0, .random(in: 0..<1, using: &random))) }
        var smooth = 0.0
        for _ in 0..<Int((Self.lookSeconds / Self.step).rounded()) { smooth += advance() * Self.step }
        seconds += Self.lookSeconds
        let stray = Double.random(in: -1...1, using: &random) * shape.noise
        return (Int64(smooth * (1 + stray)), smooth, isRefused)
    }

    /// - Returns: bytes per second, of all connections together.
    private mutating func advance() -> Double {
        let first = 10 * 1_460 / shape.roundTripSeconds
        let growth = 1 + Self.step / shape.roundTripSeconds
        for index in connections.indices {
            connections[index].age += Self.step
            guard connections[index].age >= 3 * shape.roundTripSeconds else { continue }
            // From one loss to the next, a sender doubles what the loss halved.
            let saw = (connections[index].saw + connections[index].age).truncatingRemainder(dividingBy: 1)
            let cap = shape.connectionCap * (shape.loss > 0 ? (2 + 2 * saw) / 3 : 1)
            connections[index].rate = min(cap, max(first, connections[index].rate * growth))
        }
        let capacity = shape.capacity(of: connections.count)
        let wanted = connections.reduce(0) { $0 + $1.rate }
        if wanted > capacity { shareLine(capacity) }
        return min(wanted, capacity)
    }

    /// Whoever wants less than an even share leaves the rest to the others.
    private mutating func shareLine(_ capacity: Double) {
        var left = capacity
        let order = connections.indices.sorted { connections[$0].rate < connections[$1].rate }
        for (place, index) in order.enumerated() {
            connections[index].rate = min(connections[index].rate, left / Double(order.count - place))
            left -= connections[index].rate
        }
    }
}
