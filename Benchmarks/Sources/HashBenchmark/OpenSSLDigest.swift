import COpenSSL
import SyncDomain
import Synchronization
import SystemSupport

/// SHA-256 by OpenSSL's EVP interface, asked in the way that costs it least: the algorithm is looked up once, and a
/// context serves message after message. Independent of the hashing that it is compared with.
final class OpenSSLDigest {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer

    init() throws {
        guard let context = EVP_MD_CTX_new(), let algorithm = EVP_MD_fetch(nil, "SHA256", nil) else {
            throw BenchmarkFailure("OpenSSL has no SHA-256")
        }
        (self.context, self.algorithm) = (context, algorithm)
        begin()
    }

    deinit {
        EVP_MD_free(algorithm)
        EVP_MD_CTX_free(context)
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        let code = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(code == 1, "OpenSSL: EVP_DigestUpdate failed")
    }

    /// The digest of what came since the last call.
    func finish() throws -> SHA256Digest {
        var bytes = [UInt8](repeating: 0, count: 32)
        let code = EVP_DigestFinal_ex(context, &bytes, nil)
        precondition(code == 1, "OpenSSL: EVP_DigestFinal_ex failed")
        begin()
        return try SHA256Digest(bytes: bytes)
    }

    private func begin() {
        let code = EVP_DigestInit_ex2(context, algorithm, nil)
        precondition(code == 1, "OpenSSL: EVP_DigestInit_ex2 failed")
    }

    /// The digests of files, by a thread a core: each takes the next file, and reads it by pieces.
    static func digests(of files: [PayloadFile]) throws -> [SHA256Digest] {
        let next = Atomic(0)
        let results = Mutex<[Result<SHA256Digest, any Error>?]>(Array(repeating: nil, count: files.count))
        let take: @Sendable () -> Int? = {
            let index = next.add(1, ordering: .relaxed).oldValue
            return index < files.count ? index : nil
        }
        let work: @Sendable () -> Void = {
            let hasher = Result { try OpenSSLDigest() }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
            defer { buffer.deallocate() }
            while let index = take() {
                let result = Result { try hasher.get().digest(of: files[index], buffer) }
                results.withLock { $0[index] = result }
            }
        }
        let threads = (0..<processorCount()).map { WorkerThread(name: "openssl-\($0)", body: work) }
        for thread in threads { thread.join() }
        return try results.withLock { try $0.compactMap { try $0?.get() } }
    }

    private func digest(of payload: PayloadFile, _ buffer: UnsafeMutableRawBufferPointer) throws -> SHA256Digest {
        let file = try OpenFile.read(payload.path)
        var offset: Int64 = 0
        while offset < payload.size {
            let count = Int(min(Int64(buffer.count), payload.size - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            guard try file.read(into: piece, at: offset) == count else {
                throw BenchmarkFailure("\(payload.path) ended early")
            }
            update(UnsafeRawBufferPointer(piece))
            offset += Int64(count)
        }
        return try finish()
    }
}
