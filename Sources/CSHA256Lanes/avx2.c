// Eight lanes in 256-bit registers, for CPUs without AVX-512.
#if defined(__x86_64__)
#include "modelsync_sha256_lanes.h"

#include <immintrin.h>
#include <string.h>

#include "constants.h"

#define TARGET "avx2"
#define KERNEL modelsync_sha256_avx2_x8
#define LANES 8
typedef uint32_t words8 __attribute__((vector_size(32)));
#define VECTOR words8
#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define XOR3(x, y, z) ((x) ^ (y) ^ (z))
// The same functions as in section 4.1.2, in fewer instructions.
#define CH(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define LOAD load8

#include "transpose8.h"

#include "lanes.h"
#endif
