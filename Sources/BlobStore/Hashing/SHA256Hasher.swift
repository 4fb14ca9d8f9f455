internal import COpenSSL
public import SyncDomain

/// One running SHA-256 over OpenSSL's EVP interface (EVP_DigestInit_ex(3)). One thread at a time.
@safe final class SHA256Hasher {
    private let context: OpaquePointer

    init() {
        // Both fail for lack of memory alone, or for an OpenSSL without SHA-256: nothing could be verified then.
        guard let context = unsafe EVP_MD_CTX_new() else { fatalError("OpenSSL: EVP_MD_CTX_new failed") }
        unsafe self.context = context
        let code = unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil)
        precondition(code == 1, "OpenSSL: EVP_DigestInit_ex failed")
    }

    deinit {
        unsafe EVP_MD_CTX_free(context)
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        let code = unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(code == 1, "OpenSSL: EVP_DigestUpdate failed")
    }

    /// Ends it: call once, and nothing after.
    func finish() -> SHA256Digest {
        var bytes = [UInt8](repeating: 0, count: 32)
        let code = unsafe EVP_DigestFinal_ex(context, &bytes, nil)
        guard code == 1, let digest = try? SHA256Digest(bytes: bytes) else {
            fatalError("OpenSSL: EVP_DigestFinal_ex failed")
        }
        return digest
    }
}

extension SHA256Digest {
    /// The digest of bytes in memory.
    public init(of bytes: [UInt8]) {
        let hasher = SHA256Hasher()
        unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        self = hasher.finish()
    }
}
