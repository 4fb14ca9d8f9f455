// LOAD for eight lanes of 256-bit registers: two squares of 8 x 8 words. The includer defines LOAD and TARGET.

__attribute__((target(TARGET), always_inline)) static inline void LOAD(VECTOR w[16], const uint8_t *const blocks[8],
                                                                       size_t offset) {
    const __m256i swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    for (int half = 0; half < 2; half++) {
        __m256i r[8], s[8];
        for (int i = 0; i < 8; i++) {
            const void *row = blocks[i] + offset + 32 * half;
            r[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)row), swap);
        }
        for (int i = 0; i < 8; i += 2) {
            s[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
            s[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            r[i] = _mm256_unpacklo_epi64(s[i], s[i + 2]);
            r[i + 1] = _mm256_unpackhi_epi64(s[i], s[i + 2]);
            r[i + 2] = _mm256_unpacklo_epi64(s[i + 1], s[i + 3]);
            r[i + 3] = _mm256_unpackhi_epi64(s[i + 1], s[i + 3]);
        }
        // Now part p of r[4q + j] is word 4p + j of lanes 4q to 4q + 3.
        for (int j = 0; j < 4; j++) {
            w[8 * half + j] = (VECTOR)_mm256_permute2x128_si256(r[j], r[4 + j], 0x20);
            w[8 * half + 4 + j] = (VECTOR)_mm256_permute2x128_si256(r[j], r[4 + j], 0x31);
        }
    }
}
