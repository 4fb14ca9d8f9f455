// The hash computation of FIPS 180-4, 6.2.2, once for each vector width. Word i of all lanes is one vector, so that a
// round of the standard is the same few instructions for all messages. The includer defines
//   KERNEL   the function's name             LANES     how many messages
//   VECTOR   LANES words of 32 bits          TARGET    the instruction sets
//   LOAD     (VECTOR w[16], lane blocks[], offset): the next block of each lane, big-endian, transposed
//   ROTR, XOR3, CH, MAJ                      of section 4.1.2, in the set's own instructions

__attribute__((target(TARGET))) void KERNEL(modelsync_sha256_lane *const *lanes, size_t lane_count,
                                            size_t block_count) {
    const uint8_t *blocks[LANES];
    uint32_t words[8][LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        // A lane with no message follows the first one's, into a result that nobody reads.
        const modelsync_sha256_lane *from = lanes[lane < lane_count ? lane : 0];
        blocks[lane] = from->blocks;
        for (int i = 0; i < 8; i++) words[i][lane] = from->hash[i];
    }
    VECTOR hash[8];
    memcpy(hash, words, sizeof hash);

    for (size_t offset = 0; offset < block_count * 64; offset += 64) {
        VECTOR w[16];
        LOAD(w, blocks, offset);
        VECTOR a = hash[0], b = hash[1], c = hash[2], d = hash[3];
        VECTOR e = hash[4], f = hash[5], g = hash[6], h = hash[7];
        // Unrolled, the schedule is a ring of 16 registers and the moves from a to h cost nothing.
#pragma clang loop unroll(full)
        for (int t = 0; t < 64; t++) {
            VECTOR *next = &w[t & 15];
            if (t >= 16) {
                VECTOR near = w[(t + 14) & 15], far = w[(t + 1) & 15];
                *next += XOR3(ROTR(far, 7), ROTR(far, 18), far >> 3) + w[(t + 9) & 15] +
                         XOR3(ROTR(near, 17), ROTR(near, 19), near >> 10);
            }
            // The longest chain from round to round goes through e: what does not wait for it is added first.
            VECTOR t1 = (h + (*next + K[t])) + CH(e, f, g) + XOR3(ROTR(e, 6), ROTR(e, 11), ROTR(e, 25));
            VECTOR t2 = XOR3(ROTR(a, 2), ROTR(a, 13), ROTR(a, 22)) + MAJ(a, b, c);
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
        hash[0] += a;
        hash[1] += b;
        hash[2] += c;
        hash[3] += d;
        hash[4] += e;
        hash[5] += f;
        hash[6] += g;
        hash[7] += h;
    }

    memcpy(words, hash, sizeof hash);
    for (size_t lane = 0; lane < lane_count; lane++) {
        for (int i = 0; i < 8; i++) lanes[lane]->hash[i] = words[i][lane];
        lanes[lane]->blocks += block_count * 64;
    }
}
