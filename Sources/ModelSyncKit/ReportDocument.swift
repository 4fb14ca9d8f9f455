internal import FoundationEssentials

/// A report as it was written, as far as its page shows it.
struct ReportDocument: Codable {
    struct Failure: Codable {
        var code: String
        var message: String
        var diagnosis: String?
    }

    struct Attempt: Codable {
        var url: String
        var startedAt: String
        var seconds: Double
        var bytes: Int64
        var httpStatus: Int?
        var error: Failure?

        private enum CodingKeys: String, CodingKey {
            case url, seconds, bytes, error
            case startedAt = "started_at"
            case httpStatus = "http_status"
        }
    }

    struct Entry: Codable {
        var model: String
        var path: String
        var sha256: String?
        var size: Int64
        var outcome: String
        var file: String?
        var source: String?
        var bytesDownloaded: Int64?
        var bytesResumed: Int64?
        var seconds: Double?
        var bytesPerSecond: Double?
        var startedAt: String?
        var attempts: [Attempt]?
        var error: Failure?

        private enum CodingKeys: String, CodingKey {
            case model, path, sha256, size, outcome, file, source, seconds, attempts, error
            case bytesDownloaded = "bytes_downloaded"
            case bytesResumed = "bytes_resumed"
            case bytesPerSecond = "bytes_per_second"
            case startedAt = "started_at"
        }
    }

    struct Source: Codable {
        var path: String
        var sha256: String
    }

    struct Sample: Codable {
        var seconds: Double
        var bytesDownloaded: Int64
        var bytesHashed: Int64

        private enum CodingKeys: String, CodingKey {
            case seconds
            case bytesDownloaded = "bytes_downloaded"
            case bytesHashed = "bytes_hashed"
        }
    }

    var runID: String
    var command: String
    var toolVersion: String
    var host: String
    var startedAt: String
    var finishedAt: String
    var seconds: Double
    var manifests: [Source]
    var store: String
    var outcome: String
    var oldestVerification: String?
    /// Counts by outcome, and sums of bytes.
    var summary: [String: Int64]
    var samples: [Sample]?
    var results: [Entry]
    var error: Failure?

    private enum CodingKeys: String, CodingKey {
        case command, host, seconds, manifests, store, outcome, summary, samples, results, error
        case runID = "run_id"
        case toolVersion = "tool_version"
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case oldestVerification = "oldest_verification"
    }

    private struct Head: Decodable {
        var schema: String?
    }

    /// Reads all of it, so that a page is made of nothing but a whole report.
    ///
    /// - Throws: what is wrong with it.
    init(json: [UInt8]) throws(InvalidValue) {
        // The decoder would take UTF-16 for what it is; the page is UTF-8.
        guard !json.contains(0), String(validating: json, as: UTF8.self) != nil else {
            throw InvalidValue("is not a report: it is not UTF-8 text")
        }
        // Nor does a browser take a byte order mark for the start of JSON.
        guard Self.solid(json).first == UInt8(ascii: "{"),
            let head = try? JSONDecoder().decode(Head.self, from: Data(json))
        else { throw InvalidValue(Self.damage(json)) }
        guard head.schema == SyncReport.schema else {
            let got = head.schema.map { "its schema is '\($0.prefix(40))'" } ?? "it has no schema"
            throw InvalidValue("is not a report that this program knows: \(got), expected '\(SyncReport.schema)'")
        }
        do { self = try JSONDecoder().decode(Self.self, from: Data(json)) } catch {
            throw InvalidValue("is not a whole report: \(Self.place(of: error))")
        }
        let attempts = results.flatMap { $0.attempts ?? [] }
        let durations = [seconds] + results.compactMap(\.seconds) + attempts.map(\.seconds)
        // A century: more can't be told by a clock, nor less than nothing.
        guard durations.allSatisfy({ (0...3.2e9).contains($0) }) else {
            throw InvalidValue("is not a whole report: it has a duration that is out of range")
        }
    }

    /// What was read, as JSON that browsers take: they are stricter than the decoder, and what it did not read is left out.
    ///
    /// - Throws: that there is a number in it which JSON has no words for.
    var json: [UInt8] {
        get throws(InvalidValue) {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            do { return Array(try encoder.encode(self)) } catch {
                throw InvalidValue("is not a whole report: it has a number that is out of range")
            }
        }
    }

    private static func damage(_ json: [UInt8]) -> String {
        let (first, last) = (solid(json).first, solid(json.reversed()).first)
        if first == nil { return "is not a report: it is empty" }
        if first == UInt8(ascii: "{"), last != UInt8(ascii: "}") { return "is not a whole report: it is cut off" }
        return "is not a report: it is not a JSON object"
    }

    /// From the first byte on that is no white space.
    private static func solid(_ json: [UInt8]) -> ArraySlice<UInt8> {
        json.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    }

    private static func place(of error: any Error) -> String {
        func name(_ path: [any CodingKey]) -> String {
            path.reduce("") { name, key in
                if let index = key.intValue { return "\(name)[\(index)]" }
                return name.isEmpty ? key.stringValue : "\(name).\(key.stringValue)"
            }
        }
        return switch error as? DecodingError {
        case .keyNotFound(let key, let context): "'\(name(context.codingPath + [key]))' is missing"
        case .valueNotFound(_, let context), .typeMismatch(_, let context), .dataCorrupted(let context):
            "'\(name(context.codingPath))' has a value of another type than expected"
        default: "it can't be read"
        }
    }
}
