// Sixteen lanes in 512-bit registers, and eight in 256-bit ones with the same instructions: a pass of the narrow kernel
// takes two thirds of the wide one's time where 256-bit instructions have three ports and 512-bit ones have two.
#if defined(__x86_64__)
#include "modelsync_sha256_lanes.h"

#include <immintrin.h>
#include <string.h>

#include "constants.h"

#define TARGET "avx512f,avx512bw,avx512vl"
// Truth tables of VPTERNLOG for the functions of section 4.1.2.
#define XOR3(x, y, z) TERNARY(x, y, z, 0x96)
#define CH(x, y, z) TERNARY(x, y, z, 0xCA)
#define MAJ(x, y, z) TERNARY(x, y, z, 0xE8)

#define KERNEL modelsync_sha256_avx512_x16
#define LANES 16
typedef uint32_t words16 __attribute__((vector_size(64)));
#define VECTOR words16
#define ROTR(x, n) ((words16)_mm512_ror_epi32((__m512i)(x), n))
#define TERNARY(x, y, z, table) ((words16)_mm512_ternarylogic_epi32((__m512i)(x), (__m512i)(y), (__m512i)(z), table))
#define LOAD load16

__attribute__((target(TARGET), always_inline)) static inline void load16(words16 w[16], const uint8_t *const blocks[16],
                                                                         size_t offset) {
    const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    __m512i r[16], s[16];
    for (int i = 0; i < 16; i++) r[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[i] + offset), swap);
    for (int i = 0; i < 16; i += 2) {
        s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
    }
    // Now part p of r[4q + j] is word 4p + j of lanes 4q to 4q + 3.
    for (int j = 0; j < 4; j++) {
        __m512i even_low = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88);
        __m512i even_high = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
        __m512i odd_low = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
        __m512i odd_high = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
        w[j] = (words16)_mm512_shuffle_i32x4(even_low, even_high, 0x88);
        w[4 + j] = (words16)_mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        w[8 + j] = (words16)_mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        w[12 + j] = (words16)_mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

#include "lanes.h"

#undef KERNEL
#undef LANES
#undef VECTOR
#undef ROTR
#undef TERNARY
#undef LOAD

#define KERNEL modelsync_sha256_avx512_x8
#define LANES 8
typedef uint32_t words8 __attribute__((vector_size(32)));
#define VECTOR words8
#define ROTR(x, n) ((words8)_mm256_ror_epi32((__m256i)(x), n))
#define TERNARY(x, y, z, table) ((words8)_mm256_ternarylogic_epi32((__m256i)(x), (__m256i)(y), (__m256i)(z), table))
#define LOAD load8

#include "transpose8.h"

#include "lanes.h"
#endif
