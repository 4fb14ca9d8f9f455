#include "modelsync_sha256_lanes.h"

#if defined(__x86_64__)
#include <cpuid.h>

modelsync_sha256_features modelsync_sha256_cpu(void) {
    modelsync_sha256_features features = {false, false, false};
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
    const bool has_sse = (c & bit_SSSE3) && (c & bit_SSE4_1);
    // Wide registers can only be used if the system saves them: what XGETBV tells, where there is one.
    unsigned saved = 0, high;
    if (c & bit_OSXSAVE) __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    features.avx2 = (saved & 0x06) == 0x06 && (b & bit_AVX2);
    features.avx512 = (saved & 0xE6) == 0xE6 && (b & wide) == wide;
    features.sha = has_sse && (b & bit_SHA);
    return features;
}
#else
modelsync_sha256_features modelsync_sha256_cpu(void) { return (modelsync_sha256_features){false, false, false}; }
#endif
