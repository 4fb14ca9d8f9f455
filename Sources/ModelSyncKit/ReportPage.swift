internal import BlobStore
internal import FoundationEssentials
internal import SystemSupport

/// Why no page could be made of a report.
public enum ReportReadError: Error, Sendable, CustomStringConvertible {
    /// No file is there.
    case notFound(path: String)
    /// It is there and can't be read.
    case unreadable(SyncError)
    /// It was read and is no report, or not a whole one; the reason follows the path.
    case invalid(path: String, InvalidValue)

    /// What to show a person: one line that names the file.
    public var description: String {
        switch self {
        case .notFound(let path): "\(path): no such report"
        case .unreadable(let error): error.message
        case .invalid(let path, let error):
            "\(path): \(error.reason); give what `apply --report` or `verify --report` wrote, or a file of the store's runs/"
        }
    }
}

/// A run's report as one web page that needs nothing else: no network, no other file.
///
/// What went wrong comes first, with each attempt; then how fast bytes came, what each file waited for, and a table of all
/// results that can be sorted and searched. Outcome, totals and failures are there with scripts off as well. Nothing in the
/// report can become a part of the page's code.
public struct ReportPage: Sendable {
    /// A file of more bytes is refused.
    public static let byteLimit = 512 << 20

    /// The page, UTF-8.
    public let html: [UInt8]

    /// - Parameter json: a report as ``SyncReport/json`` gives it.
    /// - Throws: what is wrong with it, in words that follow its name.
    public init(json: [UInt8]) throws(InvalidValue) {
        let document = try ReportDocument(json: json)
        let data = Self.embedded(try document.json)
        let (style, script) = (PackageResources.report_css, PackageResources.report_js)
        html = Self.fill(PackageResources.report_html) { name in
            switch name {
            case "title": Array(document.title.markup.utf8)
            case "style": style
            case "script": script
            case "style-source": Self.contentSource(style)
            case "script-source": Self.contentSource(script)
            case "overview": Array(document.overview.markup.utf8)
            case "facts": Array(document.facts.markup.utf8)
            case "report": data
            default: []
            }
        }
    }

    /// Reads the report that a run wrote.
    ///
    /// - Parameters:
    ///   - path: of the file; `-` for standard input.
    ///   - configuration: says what a relative path is relative to.
    /// - Throws: ``ReportReadError``.
    public init(
        readingReport path: String, configuration: SyncConfiguration = SyncConfiguration()
    ) throws(ReportReadError) {
        let shown = path == "-" ? "<stdin>" : path
        let json: [UInt8]
        do throws(SystemFailure) {
            json = try OpenFile.read(path == "-" ? "/dev/stdin" : configuration.absolute(path))
                .readAll(limit: Self.byteLimit)
        } catch {
            if error.isNotFound { throw .notFound(path: shown) }
            throw .unreadable(SyncError(.storeIO, "\(shown): the report can't be read: \(error.reason)"))
        }
        do throws(InvalidValue) { try self.init(json: json) } catch { throw .invalid(path: shown, error) }
    }

    /// Puts parts where a template has `{{name}}`. What is put in is not looked at again.
    static func fill(_ template: [UInt8], _ part: (String) -> [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var rest = template[...]
        while let start = rest.firstRange(of: Array("{{".utf8)),
            let end = rest[start.upperBound...].firstRange(of: Array("}}".utf8))
        {
            out += rest[..<start.lowerBound]
            out += part(String(decoding: rest[start.upperBound..<end.lowerBound], as: UTF8.self))
            rest = rest[end.upperBound...]
        }
        return out + rest
    }

    /// The same JSON, with nothing in it that could end the element that holds it.
    static func embedded(_ json: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(json.count + json.count / 16)
        for (index, byte) in json.enumerated() {
            switch byte {
            case UInt8(ascii: "<"): out += Array(#"\u003c"#.utf8)
            case UInt8(ascii: ">"): out += Array(#"\u003e"#.utf8)
            case UInt8(ascii: "&"): out += Array(#"\u0026"#.utf8)
            // U+2028 and U+2029, which end lines of JavaScript, are E2 80 A8 and E2 80 A9.
            case 0xA8, 0xA9:
                guard index >= 2, json[index - 2] == 0xE2, json[index - 1] == 0x80 else { fallthrough }
                out.removeLast(2)
                out += Array((byte == 0xA8 ? #"\u2028"# : #"\u2029"#).utf8)
            default: out.append(byte)
            }
        }
        return out
    }

    /// As a content security policy names an inline style or script: what differs from it in a byte does nothing.
    private static func contentSource(_ code: [UInt8]) -> [UInt8] {
        let hex = SHA256Digest(of: code).hexBytes
        let digest = stride(from: 0, to: hex.count, by: 2).compactMap { index in
            UInt8(String(decoding: hex[index..<index + 2], as: UTF8.self), radix: 16)
        }
        return Array("'sha256-\(Data(digest).base64EncodedString())'".utf8)
    }
}
