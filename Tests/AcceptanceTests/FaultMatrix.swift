import Foundation
import SyncDomain
import TestSupport
import Testing

/// A row of the matrix: how an origin goes wrong, and what is to come of its file.
struct Fault: Sendable, CustomTestStringConvertible {
    typealias Answer = @Sendable (FaultRequest, Int) -> FaultResponse

    var name: String
    var ending: Ending
    /// Requests that are made; nil where any number is right.
    var requests: Int?
    /// Waits between them; nil where any are right.
    var waits: [Duration]?
    /// So short where the fault is that nothing comes.
    var stallTimeout = Duration.seconds(20)
    var answer: Answer

    var testDescription: String { name }

    init(
        _ name: String, _ ending: Ending, requests: Int? = nil, waits: [Duration]? = nil,
        stallTimeout: Duration = .seconds(20), _ answer: @escaping Answer
    ) {
        self.name = name
        self.ending = ending
        self.requests = requests
        self.waits = waits
        self.stallTimeout = stallTimeout
        self.answer = answer
    }

    /// What a right server answers.
    static func file(_ request: FaultRequest, etag: String? = nil) -> FaultResponse {
        .file(FaultWorld.right, etag: etag, for: request)
    }

    /// Wrong once, right from then on.
    static func once(_ wrong: @escaping @Sendable (FaultRequest) -> FaultResponse) -> Answer {
        { request, attempt in attempt == 1 ? wrong(request) : file(request) }
    }

    /// The first answer ends in mid-file; then the other.
    static func cutThen(
        etag: String? = nil, _ wrong: @escaping @Sendable (FaultRequest, Int) -> FaultResponse
    ) -> Answer {
        { request, attempt in
            attempt == 1 ? file(request, etag: etag).truncated(at: FaultWorld.cut) : wrong(request, attempt)
        }
    }

    static func always(_ response: FaultResponse) -> Answer { { _, _ in response } }

    /// Where the fault is in the body of this answer, if no answer may get past that byte of the file.
    static func place(_ request: FaultRequest) -> Int { max(0, FaultWorld.cut - (request.rangeStart ?? 0)) }

    /// The body and how it is told: what a page or a pointer would be.
    static func page(_ text: String, size: Int? = nil, type: String) -> FaultResponse {
        let padding = [UInt8](repeating: 32, count: max(0, (size ?? 0) - text.utf8.count))
        return .ok(Array(text.utf8) + padding).header("Content-Type", type)
    }
}

extension Fault {
    private static let size = FaultWorld.size
    private static let cut = FaultWorld.cut
    private static let attempts = FaultWorld.attempts
    /// A right answer whose first byte is so late counts as one more stall, and as one more request.
    private static let quick = Duration.seconds(4)

    /// Connections that end, break or bring nothing.
    static let connections: [Fault] = [
        Fault("truncated once", .arrives(), requests: 2, waits: [.seconds(1)], once { file($0).truncated(at: cut) }),
        Fault("truncated each time, further on", .arrives(), requests: 4) { request, _ in
            file(request).truncated(at: 30_000)
        },
        Fault("truncated always at one place", .fails(.networkInterrupted, .truncated, cut), requests: attempts + 1) {
            request, _ in file(request).truncated(at: place(request))
        },
        Fault("truncated always, no ranges", .fails(.networkInterrupted, .truncated, 4 * cut), requests: attempts + 1) {
            _, _ in .ok(FaultWorld.right).truncated(at: cut)
        },
        Fault("reset once", .arrives(), requests: 2, once { file($0).reset(at: cut) }),
        Fault("reset always at one place", .fails(.networkInterrupted, .truncated, 0...cut)) { request, _ in
            file(request).reset(at: place(request))
        },
        Fault("closed with no answer once", .arrives(), requests: 2, once { _ in .hangUp }),
        Fault("closed with no answer always", .fails(.networkInterrupted), requests: attempts, always(.hangUp)),
        Fault("stalled once", .arrives(), requests: 2, stallTimeout: quick, once { file($0).stalled(at: cut) }),
        Fault("stalled always", .fails(.networkStalled, nil, cut), requests: attempts + 1, stallTimeout: quick) {
            request, _ in file(request).stalled(at: place(request))
        },
        Fault("silent once", .arrives(), requests: 2, stallTimeout: quick, once { _ in .silence }),
        Fault("silent always", .fails(.networkStalled), requests: attempts, stallTimeout: quick, always(.silence)),
        Fault("a slow drip is no stall", .arrives(), requests: 1, stallTimeout: .seconds(2)) { request, _ in
            file(request).dripping(10_000, everyMicroseconds: 250_000)
        },
        Fault(
            "no Content-Length, cut once", .arrives(), requests: 2, once { file($0).withoutLength().truncated(at: cut) }
        ),
        Fault("chunked, cut once", .arrives(), requests: 2, once { file($0).chunked().truncated(at: cut) }),
        Fault("no Content-Length", .arrives(), requests: 1) { request, _ in file(request).withoutLength() },
        Fault("chunked", .arrives(), requests: 1) { request, _ in file(request).chunked() },
    ]

    /// Bodies and heads that are not the file's.
    static let bodies: [Fault] = [
        Fault(
            "wrong bytes once", .arrives(2 * size), requests: 2, waits: [], once { .file(FaultWorld.wrong, for: $0) }),
        Fault("the same wrong bytes always", .fails(.digestMismatch, .sourceChanged, 2 * size)) { request, _ in
            .file(FaultWorld.wrong, for: request)
        },
        Fault("other wrong bytes each time", .fails(.digestMismatch, .transport, 2 * size)) { request, attempt in
            .file(attempt == 1 ? FaultWorld.wrong : FaultWorld.otherWrong, for: request)
        },
        Fault("a total that is too long", .fails(.sizeMismatch), requests: 1, always(.ok(FaultWorld.right + [0]))),
        Fault("a total that is too short", .fails(.sizeMismatch), requests: 1) { request, _ in
            .file(Array(FaultWorld.right.dropLast()), for: request)
        },
        Fault("a whole body that ends too soon", .fails(.sizeMismatch, nil, cut), requests: 2) { request, _ in
            .file(Array(FaultWorld.right.prefix(cut)), for: request).chunked()
        },
        Fault("an endless body", .fails(.sizeMismatch, nil, size), requests: 1) { _, _ in
            FaultResponse.ok(FaultWorld.wrong).chunked().endless()
        },
        Fault("an encoded body", .fails(.protocolViolation), requests: 1) { request, _ in
            file(request).header("Content-Encoding", "gzip")
        },
        Fault("a login page", .fails(.sizeMismatch, .htmlPage), requests: 1) { _, _ in
            page("<!doctype html><title>log in</title>", type: "text/html")
        },
        Fault("a login page without a length", .fails(.sizeMismatch, .htmlPage, 36), requests: 1) { _, _ in
            page("<!doctype html><title>log in</title>", type: "text/html").chunked()
        },
        Fault("a login page of the right size", .fails(.digestMismatch, .htmlPage, 2 * size)) { _, _ in
            page("<html>", size: size, type: "application/octet-stream")
        },
        Fault("a Git LFS pointer", .fails(.sizeMismatch, .lfsPointer), requests: 1) { _, _ in
            page("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", type: "text/plain")
        },
        Fault("a head of 500 KB", .fails(.protocolViolation), requests: 1) { request, _ in
            (0..<5000).reduce(into: file(request)) { $0.headers.append(("X-\($1)", String(repeating: "x", count: 90))) }
        },
        Fault("not HTTP", .fails(.protocolViolation), requests: 1) { _, _ in .ok([]).after("220 ESMTP\r\n\r\n") },
    ]

    /// What comes of the rest of a file whose first part is there.
    static let ranges: [Fault] = [
        Fault("200 to a range", .arrives(cut + size), requests: 2, cutThen { _, _ in .ok(FaultWorld.right) }),
        Fault(
            "another range once", .arrives(cut + size), requests: 3,
            cutThen { request, attempt in
                attempt == 2
                    ? .part(Array(FaultWorld.right[(cut + 1)...]), contentRange: "bytes 40001-99999/100000")
                    : file(request)
            }),
        Fault("another range always", .fails(.protocolViolation, nil, cut...(4 * cut))) { request, _ in
            guard request.rangeStart != nil else { return .ok(FaultWorld.right).truncated(at: cut) }
            return .part(Array(FaultWorld.right[(cut + 1)...]), contentRange: "bytes 40001-99999/100000")
        },
        Fault(
            "a range of another total", .fails(.sizeMismatch, nil, cut), requests: 2,
            cutThen { request, _ in
                .file(FaultWorld.right + [0], for: request)
            }),
        Fault(
            "416 once", .arrives(cut + size), requests: 3,
            cutThen { request, attempt in
                attempt == 2 ? .status(416) : file(request)
            }),
        Fault("416 to the whole file", .fails(.httpStatus), requests: 1, always(.status(416))),
        Fault("another version, told by its tag", .arrives(cut + size), requests: 2) { request, attempt in
            attempt == 1
                ? .file(FaultWorld.wrong, etag: "\"v1\"", for: request).truncated(at: cut)
                : file(request, etag: "\"v2\"")
        },
        Fault("another version, If-Range ignored", .arrives(cut + size), requests: 3) { request, attempt in
            if attempt == 1 { return .file(FaultWorld.wrong, etag: "\"v1\"", for: request).truncated(at: cut) }
            var request = request
            request.headers["if-range"] = nil
            return file(request, etag: "\"v2\"")
        },
        Fault(
            "another version, with no tag", .arrives(2 * size), requests: 3,
            once {
                .file(FaultWorld.wrong, for: $0).truncated(at: cut)
            }),
        Fault(
            "a strong validator", .arrives(), requests: 2,
            cutThen(etag: "\"v1\"") { request, _ in
                request.headers["if-range"] == "\"v1\"" ? file(request, etag: "\"v1\"") : .status(400)
            }),
        Fault(
            "a weak validator", .arrives(), requests: 2,
            cutThen(etag: "W/\"v1\"") { request, _ in
                request.headers["if-range"] == nil ? file(request, etag: "W/\"v1\"") : .status(400)
            }),
        Fault(
            "no validator", .arrives(), requests: 2,
            cutThen { request, _ in
                request.headers["if-range"] == nil ? file(request) : .status(400)
            }),
    ]

    /// What a server says in place of a file.
    static let statuses: [Fault] =
        [(401, .httpUnauthorized), (403, .httpUnauthorized), (404, .httpNotFound), (410, .httpNotFound)].map {
            Fault("\($0) always", .fails($1), requests: 1, waits: [], always(.status($0)))
        }
        + [400, 501, 505].map { Fault("\($0) always", .fails(.httpStatus), requests: 1, always(.status($0))) }
        + [408, 425, 429, 500, 502, 503, 504].flatMap { status in
            [
                Fault("\(status) once", .arrives(), requests: 2, waits: [.seconds(1)], once { _ in .status(status) }),
                Fault(
                    "\(status) always", .fails(.httpStatus), requests: attempts, waits: [.seconds(1), .seconds(2)],
                    always(.status(status))),
            ]
        }
        + [429, 503].flatMap(waiting)

    private static func waiting(_ status: Int) -> [Fault] {
        func once(_ name: String, _ text: String, _ wait: Duration) -> Fault {
            Fault(
                "\(status) Retry-After \(name)", .arrives(), requests: 2, waits: [wait],
                Fault.once { _ in
                    .status(status, retryAfter: text)
                })
        }
        func hopeless(_ text: String) -> Fault {
            Fault(
                "\(status) Retry-After \(text)", .fails(.httpStatus), requests: 1, waits: [],
                always(
                    .status(status, retryAfter: text)))
        }
        return [
            once("in seconds", "120", .seconds(120)), once("that is the longest", "300", .seconds(300)),
            once("of a past date", "Thu, 01 Jan 1970 00:00:10 GMT", .seconds(1)), once("of 0", "0", .seconds(1)),
            once("that is negative", "-120", .seconds(1)), once("that is no time", "soon", .seconds(1)),
            hopeless("301"), hopeless("86400000"), hopeless("Fri, 31 Dec 2999 23:59:59 GMT"),
        ]
    }

    /// Ways that lead nowhere, or where nobody may go.
    static let redirects: [Fault] = [
        Fault("a redirect loop", .fails(.httpRedirect), requests: 11, always(.redirect(to: "/f.bin"))),
        Fault("a redirect to a file", .fails(.policyScheme), requests: 1, always(.redirect(to: "file:///etc/passwd"))),
        Fault("a redirect to ftp", .fails(.policyScheme), requests: 1, always(.redirect(to: "ftp://127.0.0.1/f"))),
        Fault(
            "a redirect with a password", .fails(.httpRedirect), requests: 1,
            always(
                .redirect(to: "http://user:secret@127.0.0.1/f"))),
        Fault("a redirect without a Location", .fails(.protocolViolation), requests: 1, always(.status(302))),
    ]
}
