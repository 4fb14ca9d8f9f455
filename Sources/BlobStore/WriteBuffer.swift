internal import SystemSupport

/// Gathers the pieces in which bytes come off the network into large writes of whole pages: 16 KiB at a time, off the
/// bounds of pages, take two to four times as long.
struct WriteBuffer {
    /// 65 pages. For a power of two, at multiples of it, Linux makes each write one large folio; in a virtual machine that
    /// gives free memory back to its host those are of memory that the host must find again, and writing takes up to ten
    /// times as long. An odd number of pages makes small ones.
    static let unit: Int64 = 65 << 12

    /// Where the file ends, of what has been written and nothing else.
    private(set) var written: Int64
    private var held: [UInt8] = []

    /// - Parameter written: bytes that are in the file.
    init(written: Int64) {
        self.written = written
    }

    /// Bytes that are in the file or held.
    var byteCount: Int64 { written + Int64(held.count) }

    /// Whether all is in the file.
    var isEmpty: Bool { held.isEmpty }

    /// Takes the next bytes, and writes what makes whole units; all, if they are the last.
    ///
    /// - Throws: the system's failure. What it held before stays, with these bytes; of a piece that would
    ///   have been written as it is, nothing is taken.
    mutating func append(_ bytes: RawSpan, isLast: Bool, to file: OpenFile) throws(SystemFailure) {
        let end = byteCount + Int64(bytes.byteCount)
        let cut = isLast ? end : end / Self.unit * Self.unit
        if held.isEmpty, cut > written {
            // As they are, with no copy: small files, and sources that give large pieces.
            let count = Int(cut - written)
            try file.write(bytes.extracting(first: count), at: written)
            written = cut
            hold(bytes.extracting(droppingFirst: count))
        } else {
            hold(bytes)
            if cut > written { try flush(Int(cut - written), to: file) }
        }
    }

    /// Writes all that is held.
    mutating func flush(to file: OpenFile) throws(SystemFailure) {
        if !held.isEmpty { try flush(held.count, to: file) }
    }

    private mutating func flush(_ count: Int, to file: OpenFile) throws(SystemFailure) {
        try unsafe file.write(held.span.bytes.extracting(first: count), at: written)
        written += Int64(count)
        held.removeFirst(count)
    }

    private mutating func hold(_ bytes: RawSpan) {
        if bytes.isEmpty { return }
        if held.isEmpty { held.reserveCapacity(Int(Self.unit) + bytes.byteCount) }
        unsafe bytes.withUnsafeBytes { unsafe held.append(contentsOf: $0) }
    }
}
