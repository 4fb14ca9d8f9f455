internal import SystemSupport

/// Where the bytes to hash are read from.
enum HashInput: Sendable {
    case file(OpenFile)
    /// A small file that is in memory.
    case bytes([UInt8])

    /// The file, for what can be asked of files alone.
    var file: OpenFile? {
        guard case .file(let file) = self else { return nil }
        return file
    }

    /// For messages.
    var path: String { file?.path ?? "bytes in memory" }

    /// Reads at `offset` until the buffer is full or the bytes end.
    ///
    /// - Returns: how many there were.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemFailure) -> Int {
        switch self {
        case .file(let file): return try unsafe file.read(into: buffer, at: offset)
        case .bytes(let bytes):
            let rest = bytes.dropFirst(Int(offset)).prefix(buffer.count)
            unsafe buffer.copyBytes(from: rest)
            return rest.count
        }
    }
}
