// Two messages by the SHA extensions: a round waits for the one before it, so the instructions of a second message fit
// into the pauses of the first.
#if defined(__x86_64__)
#include "modelsync_sha256_lanes.h"

#include <immintrin.h>

#include "constants.h"

#define TARGET "sha,sse4.1,ssse3"

/// One block of both messages. The hash value is held as the instructions want it: words a, b, e, f and c, d, g, h.
__attribute__((target(TARGET), always_inline)) static inline void two_blocks(__m128i abef[2], __m128i cdgh[2],
                                                                             const uint8_t *const blocks[2],
                                                                             size_t offset) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i abef_before[2] = {abef[0], abef[1]}, cdgh_before[2] = {cdgh[0], cdgh[1]};
    __m128i w[2][4];
    for (int m = 0; m < 2; m++) {
        const __m128i *words = (const void *)(blocks[m] + offset);
        for (int i = 0; i < 4; i++) w[m][i] = _mm_shuffle_epi8(_mm_loadu_si128(words + i), swap);
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < 16; t++) {  // four rounds each
        for (int m = 0; m < 2; m++) {
            __m128i *next = &w[m][t & 3], last = w[m][(t + 3) & 3];
            if (t >= 4) {
                __m128i sum = _mm_sha256msg1_epu32(*next, w[m][(t + 1) & 3]);
                sum = _mm_add_epi32(sum, _mm_alignr_epi8(last, w[m][(t + 2) & 3], 4));
                *next = _mm_sha256msg2_epu32(sum, last);
            }
            __m128i wk = _mm_add_epi32(*next, _mm_load_si128((const __m128i *)(K + 4 * t)));
            cdgh[m] = _mm_sha256rnds2_epu32(cdgh[m], abef[m], wk);
            abef[m] = _mm_sha256rnds2_epu32(abef[m], cdgh[m], _mm_shuffle_epi32(wk, 0x0E));
        }
    }
    for (int m = 0; m < 2; m++) {
        abef[m] = _mm_add_epi32(abef[m], abef_before[m]);
        cdgh[m] = _mm_add_epi32(cdgh[m], cdgh_before[m]);
    }
}

__attribute__((target(TARGET))) void modelsync_sha256_sha_x2(modelsync_sha256_lane *const *lanes, size_t lane_count,
                                                             size_t block_count) {
    const uint8_t *blocks[2];
    __m128i abef[2], cdgh[2];
    for (size_t m = 0; m < 2; m++) {
        // With one message the second follows it, into a result that nobody reads.
        const modelsync_sha256_lane *from = lanes[m < lane_count ? m : 0];
        blocks[m] = from->blocks;
        __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&from->hash[0]), 0xB1);
        __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&from->hash[4]), 0x1B);
        abef[m] = _mm_alignr_epi8(dcba, hgfe, 8);
        cdgh[m] = _mm_blend_epi16(hgfe, dcba, 0xF0);
    }
    for (size_t offset = 0; offset < block_count * 64; offset += 64) two_blocks(abef, cdgh, blocks, offset);
    for (size_t m = 0; m < lane_count; m++) {
        __m128i feba = _mm_shuffle_epi32(abef[m], 0x1B);
        __m128i dchg = _mm_shuffle_epi32(cdgh[m], 0xB1);
        _mm_storeu_si128((__m128i *)&lanes[m]->hash[0], _mm_blend_epi16(feba, dchg, 0xF0));
        _mm_storeu_si128((__m128i *)&lanes[m]->hash[4], _mm_alignr_epi8(dchg, feba, 8));
        lanes[m]->blocks += block_count * 64;
    }
}
#endif
