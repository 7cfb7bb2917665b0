/* See scram.h. */
#include "metadata/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string.h>

bool scram_mechanism_known(int8_t mechanism) {
    return mechanism == SCRAM_SHA_256 || mechanism == SCRAM_SHA_512;
}

int32_t scram_keys(int8_t mechanism, const uint8_t *salted, int32_t len, uint8_t stored[SCRAM_KEY_MAX],
                   uint8_t server[SCRAM_KEY_MAX]) {
    if (!scram_mechanism_known(mechanism) || len <= 0) return 0;
    const EVP_MD *hash = mechanism == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
    uint8_t client[SCRAM_KEY_MAX];
    bool ok = HMAC(hash, salted, len, (const unsigned char *)"Client Key", 10, client, NULL) &&
              HMAC(hash, salted, len, (const unsigned char *)"Server Key", 10, server, NULL) &&
              EVP_Digest(client, (size_t)EVP_MD_get_size(hash), stored, NULL, hash, NULL);
    explicit_bzero(client, sizeof client);
    return ok ? EVP_MD_get_size(hash) : 0;
}
