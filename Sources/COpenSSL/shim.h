// libcrypto's message digest API (EVP_DigestInit_ex(3)) and its start-up options (OPENSSL_init_crypto(3)).
#ifndef MODELSYNC_COPENSSL_H
#define MODELSYNC_COPENSSL_H
#include <openssl/crypto.h>
#include <openssl/evp.h>
#endif
