// SHA-256 (FIPS 180-4, section 6.2) over several messages side by side on one core: each message has a lane of the
// vector registers. The functions advance whole blocks; padding (section 5.1.1) is the caller's.
#ifndef MODELSYNC_SHA256_LANES_H
#define MODELSYNC_SHA256_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// One message on its way: the hash value so far (FIPS 180-4, 6.2.2, as numbers) and where its next blocks are.
typedef struct {
    uint32_t hash[8];
    const uint8_t *_Nullable blocks;
} modelsync_sha256_lane;

/// Hashes `block_count` blocks of 64 bytes of each of the first `lane_count` lanes, and moves their `blocks` past them.
/// `lane_count` is from 1 to the number in the name: what is fewer costs as much time. Blocks need no alignment.
/// Only for a CPU that has the instructions in the name: see modelsync_sha256_cpu().
typedef void modelsync_sha256_kernel(modelsync_sha256_lane *_Nonnull const *_Nonnull lanes, size_t lane_count,
                                     size_t block_count);

/// The instructions that the CPU has and the system lets programs use.
typedef struct {
    bool avx2;
    /// F, BW and VL.
    bool avx512;
    /// The SHA extensions; also needs SSSE3 and SSE4.1.
    bool sha;
} modelsync_sha256_features;

/// Asks the CPU (CPUID, XGETBV). All false where it is no x86-64.
modelsync_sha256_features modelsync_sha256_cpu(void);

#if defined(__x86_64__)
modelsync_sha256_kernel modelsync_sha256_avx512_x16;
modelsync_sha256_kernel modelsync_sha256_avx512_x8;
modelsync_sha256_kernel modelsync_sha256_avx2_x8;
modelsync_sha256_kernel modelsync_sha256_sha_x2;
#endif

#endif
