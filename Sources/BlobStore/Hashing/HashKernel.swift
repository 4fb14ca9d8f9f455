internal import COpenSSL
internal import CSHA256Lanes
internal import SyncDomain

/// One way to advance the hash values of one or more messages by whole blocks.
@safe struct HashKernel: Sendable, Equatable {
    typealias Lane = UnsafeMutablePointer<modelsync_sha256_lane>

    let name: String
    /// How many messages it takes; fewer take it as long.
    let lanes: Int
    let function: @Sendable (UnsafePointer<Lane>, _ laneCount: Int, _ blockCount: Int) -> Void

    /// Advances the lanes, one to ``lanes`` of them, and moves their `blocks` past what was hashed.
    func advance(_ lanes: UnsafeBufferPointer<Lane>, blocks: Int) {
        guard let first = lanes.baseAddress, !lanes.isEmpty else { return }
        unsafe function(first, lanes.count, blocks)
    }

    /// One message, by OpenSSL.
    static let openSSL = unsafe HashKernel(name: "openssl", lanes: 1) { lanes, _, blockCount in
        let lane = unsafe lanes[0]
        guard let blocks = unsafe lane.pointee.blocks else { return }
        let code = unsafe withUnsafeMutablePointer(to: &lane.pointee.hash) { hash in
            unsafe hash.withMemoryRebound(to: UInt32.self, capacity: 8) { hash in
                unsafe modelsync_SHA256_blocks(hash, blocks, blockCount)
            }
        }
        precondition(code == 1, "OpenSSL: SHA256_Update failed")
        unsafe lane.pointee.blocks = blocks + blockCount * HashState.blockBytes
    }

    /// All that this machine can run, OpenSSL's first. Which of them is fast is ``HashSchedule``'s to find out.
    static let all: [HashKernel] = {
        #if arch(x86_64)
            let cpu = modelsync_sha256_cpu()
            return [openSSL] + (cpu.sha && mayUseSHAExtensions ? [sha2] : []) + (cpu.avx2 ? [avx2x8] : [])
                + (cpu.avx512 ? [avx512x8, avx512x16] : [])
        #else
            return [openSSL]
        #endif
    }()

    #if arch(x86_64)
        private static let sha2 = unsafe HashKernel(name: "sha x2", lanes: 2) {
            unsafe modelsync_sha256_sha_x2($0, $1, $2)
        }
        private static let avx2x8 = unsafe HashKernel(name: "avx2 x8", lanes: 8) {
            unsafe modelsync_sha256_avx2_x8($0, $1, $2)
        }
        private static let avx512x8 = unsafe HashKernel(name: "avx512 x8", lanes: 8) {
            unsafe modelsync_sha256_avx512_x8($0, $1, $2)
        }
        private static let avx512x16 = unsafe HashKernel(name: "avx512 x16", lanes: 16) {
            unsafe modelsync_sha256_avx512_x16($0, $1, $2)
        }
    #endif

    /// Whoever takes the SHA extensions from OpenSSL by OPENSSL_ia32cap(3) means this program too. They are bit 29 of the
    /// second word; the other bits are no guide, since OpenSSL clears that of AVX-512 on CPUs where it does not pay for it.
    private static let mayUseSHAExtensions: Bool = {
        guard let start = unsafe OpenSSL_version(OPENSSL_CPU_INFO) else { return true }
        let text = unsafe String(cString: start)
        let words = text.split(separator: "OPENSSL_ia32cap=").last?.prefix { $0 != " " }.split(separator: ":")
        let second = words?.dropFirst().first?.dropFirst("0x".count)
        return second.flatMap { UInt64($0, radix: 16) }.map { $0 >> 29 & 1 == 1 } ?? true
    }()

    static func == (a: HashKernel, b: HashKernel) -> Bool { a.name == b.name }
}

/// Where the hashing of a message stands, between whole blocks.
struct HashState: Sendable {
    static let blockBytes = 64

    /// FIPS 180-4, 5.3.3.
    var hash: SIMD8<UInt32> = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Bytes that are in it.
    var byteCount: Int64 = 0
}
