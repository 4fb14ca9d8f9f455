import Foundation
import Glibc
import SyncDomain

/// The table, a line as soon as it is known, and the same as JSON.
final class Report {
    private let machine: Machine
    private(set) var rows: [Row] = []

    init(_ machine: Machine) {
        self.machine = machine
        put(machine.text + "\n\nA ratio is our time divided by the other's: below 1.00 we are faster.")
    }

    func begin(_ part: Part) {
        put("\n" + line(part.rawValue, "ours", "OpenSSL", "ratio"))
    }

    func add(_ row: Row) {
        rows.append(row)
        put(line(row.name, figure(row, row.oursSeconds), figure(row, row.opensslSeconds), decimal(row.ratio)))
    }

    /// A word on what was not measured.
    func note(_ text: String) { put(text) }

    func write(_ path: String) throws {
        struct Document: Encodable {
            let machine: Machine
            let rows: [Row]
        }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let document = try encoder.encode(Document(machine: machine, rows: rows))
        try (document + Data("\n".utf8)).write(to: URL(fileURLWithPath: path))
    }

    private func figure(_ row: Row, _ seconds: [Double]) -> String {
        row.part.needsProgram
            ? "\(HumanFormat.decimal(median(seconds), digits: 3)) s"
            : "\(HumanFormat.decimal(Double(row.bytes) / median(seconds) / 1e6, digits: 0)) MB/s"
    }

    private func decimal(_ value: Double) -> String { HumanFormat.decimal(value, digits: 2) }

    private func line(_ name: String, _ columns: String...) -> String {
        name.padding(toLength: 44, withPad: " ", startingAt: 0)
            + columns.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined()
    }

    private func put(_ text: String) {
        print(text)
        fflush(nil)
    }
}

/// The worst ratio that is allowed, by the full name of a row.
struct Thresholds {
    private let worst: [String: Double]

    static func load() throws -> Thresholds {
        let file = URL(fileURLWithPath: Package.folder + "/thresholds.json")
        return Thresholds(worst: try JSONDecoder().decode([String: Double].self, from: Data(contentsOf: file)))
    }

    /// - Throws: ``BenchmarkFailure`` when a row is worse, or is not there though its part was measured.
    func hold(_ rows: [Row], of parts: [Part]) throws {
        let problems = worst.sorted { $0.key < $1.key }.compactMap { name, worst -> String? in
            guard parts.contains(where: { name.hasPrefix($0.rawValue + ":") }) else { return nil }
            guard let row = rows.first(where: { $0.fullName == name }) else { return "\(name): was not measured" }
            let ratio = HumanFormat.decimal(row.ratio, digits: 3)
            return row.ratio > worst ? "\(name): the ratio is \(ratio); at most \(worst) is allowed" : nil
        }
        guard problems.isEmpty else { throw BenchmarkFailure(problems.joined(separator: "\n")) }
    }
}
