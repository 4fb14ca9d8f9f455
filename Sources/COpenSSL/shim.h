// libcrypto: its digests (EVP_DigestInit_ex(3)), one SHA-256 block function, what it knows of the CPU
// (OpenSSL_version(3)), and its start-up options (OPENSSL_init_crypto(3)).
#ifndef MODELSYNC_COPENSSL_H
#define MODELSYNC_COPENSSL_H
// SHA256_Update is deprecated since 3.0, and the only way to go on from a hash value: see docs/decisions/0005.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

/// Advances a SHA-256 hash value (eight words, as numbers) by whole blocks of 64 bytes: SHA256_Update(3).
///
/// Returns 1, or 0 on failure.
static inline int modelsync_SHA256_blocks(unsigned int *_Nonnull hash, const void *_Nonnull blocks,
                                          size_t block_count) {
    SHA256_CTX context = {.md_len = SHA256_DIGEST_LENGTH};
    memcpy(context.h, hash, sizeof context.h);
    const int code = SHA256_Update(&context, blocks, block_count * SHA256_CBLOCK);
    memcpy(hash, context.h, sizeof context.h);
    return code;
}
#endif
