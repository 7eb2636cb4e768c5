#include "kem.h"

#include <openssl/evp.h>
#include <string.h>

/* RFC 9180's labels: "HPKE-v1", then the suite "KEM" 0x0020. Every hash below has its length of 32, so that one HMAC is one expansion. */
#define SUITE "HPKE-v1KEM\x00\x20"
enum { SUITE_BYTES = sizeof SUITE - 1, HASH = 32 };

static EVP_PKEY *load(const uint8_t private[KEY_BYTES]) {
    return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private, KEY_BYTES);
}

static bool public_of(EVP_PKEY *key, uint8_t public[KEM_PUBLIC]) {
    size_t size = KEM_PUBLIC;
    return key && EVP_PKEY_get_raw_public_key(key, public, &size) == 1 && size == KEM_PUBLIC;
}

bool kem_public(const uint8_t private[KEY_BYTES], uint8_t public[KEM_PUBLIC]) {
    EVP_PKEY *key = load(private);
    bool fine = public_of(key, public);
    EVP_PKEY_free(key);
    if (!fine) memset(public, 0, KEM_PUBLIC);
    return fine;
}

/* OpenSSL refuses a result of zero, as RFC 9180 section 7.1.4 demands. */
static bool agree(EVP_PKEY *own, const uint8_t theirs[KEM_PUBLIC], uint8_t dh[HASH]) {
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, theirs, KEM_PUBLIC);
    EVP_PKEY_CTX *context = own ? EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL) : NULL;
    size_t size = HASH;
    bool fine = other && context && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, other) == 1 &&
                EVP_PKEY_derive(context, dh, &size) == 1 && size == HASH;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    return fine;
}

/* ExtractAndExpand(dh, sent || public). */
static void derive(const uint8_t dh[HASH], const uint8_t sent[KEM_PUBLIC], const uint8_t public[KEM_PUBLIC], uint8_t shared[KEM_SHARED]) {
    static const char extract[] = SUITE "eae_prk", expand[] = "\x00\x20" SUITE "shared_secret";
    enum { EXTRACT = sizeof extract - 1, EXPAND = sizeof expand - 1 };
    uint8_t input[EXTRACT + HASH], info[EXPAND + 2 * KEM_PUBLIC + 1], prk[HASH];
    memcpy(input, extract, EXTRACT);
    memcpy(input + EXTRACT, dh, HASH);
    hmac_sha256(NULL, 0, input, sizeof input, prk);
    memcpy(info, expand, EXPAND);
    memcpy(info + EXPAND, sent, KEM_PUBLIC);
    memcpy(info + EXPAND + KEM_PUBLIC, public, KEM_PUBLIC);
    info[sizeof info - 1] = 1;
    hmac_sha256(prk, sizeof prk, info, sizeof info, shared);
    secret_wipe(input, sizeof input);
    secret_wipe(prk, sizeof prk);
}

bool kem_encapsulate(const uint8_t public[KEM_PUBLIC], const uint8_t ephemeral[KEY_BYTES], uint8_t sent[KEM_PUBLIC],
                     uint8_t shared[KEM_SHARED]) {
    uint8_t dh[HASH];
    EVP_PKEY *key = load(ephemeral);
    bool fine = public_of(key, sent) && agree(key, public, dh);
    EVP_PKEY_free(key);
    if (fine) {
        derive(dh, sent, public, shared);
    } else {
        memset(sent, 0, KEM_PUBLIC);
        memset(shared, 0, KEM_SHARED);
    }
    secret_wipe(dh, sizeof dh);
    return fine;
}

bool kem_decapsulate(const uint8_t private[KEY_BYTES], const uint8_t public[KEM_PUBLIC], const uint8_t sent[KEM_PUBLIC],
                     uint8_t shared[KEM_SHARED]) {
    uint8_t dh[HASH];
    EVP_PKEY *key = load(private);
    bool fine = agree(key, sent, dh);
    EVP_PKEY_free(key);
    if (fine)
        derive(dh, sent, public, shared);
    else
        memset(shared, 0, KEM_SHARED);
    secret_wipe(dh, sizeof dh);
    return fine;
}
