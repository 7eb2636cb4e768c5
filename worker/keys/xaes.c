#include "xaes.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16, DERIVE = 12 /* bytes of the nonce that choose the key; the other 12 are GCM's */ };

struct xaes {
    EVP_CIPHER_CTX *block; /* AES-256-ECB under the long-lived key */
    EVP_CIPHER_CTX *seal, *open;
    uint8_t k1[BLOCK]; /* CMAC's first subkey */
};

static EVP_CIPHER *ecb, *gcm; /* fetched once, never freed */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void fetch(void) {
    ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static bool encrypt_blocks(struct xaes *x, const uint8_t *in, uint8_t *out, int size) {
    int written;
    return EVP_EncryptUpdate(x->block, out, &written, in, size) == 1 && written == size;
}

/* K1 = AES(0) doubled in GF(2^128), as in CMAC (NIST SP 800-38B). */
static bool make_subkey(struct xaes *x) {
    static const uint8_t zero[BLOCK];
    uint8_t l[BLOCK];
    if (!encrypt_blocks(x, zero, l, BLOCK)) return false;
    for (int i = 0; i < BLOCK; i++)
        x->k1[i] = (uint8_t)(l[i] << 1 | (i + 1 < BLOCK ? l[i + 1] >> 7 : 0));
    x->k1[BLOCK - 1] ^= (uint8_t)(0x87 & -(l[0] >> 7));
    secret_wipe(l, sizeof l);
    return true;
}

struct xaes *xaes_new(const uint8_t key[KEY_BYTES]) {
    static const uint8_t nothing[KEY_BYTES];
    pthread_once(&once, fetch);
    struct xaes *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->block = EVP_CIPHER_CTX_new();
    x->seal = EVP_CIPHER_CTX_new();
    x->open = EVP_CIPHER_CTX_new();
    /* GCM's contexts get their cipher now and their key with each message. */
    if (ecb && gcm && x->block && x->seal && x->open && EVP_EncryptInit_ex2(x->block, ecb, key, NULL, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(x->block, 0) == 1 && EVP_EncryptInit_ex2(x->seal, gcm, nothing, nothing, NULL) == 1 &&
        EVP_DecryptInit_ex2(x->open, gcm, nothing, nothing, NULL) == 1 && make_subkey(x))
        return x;
    xaes_free(x);
    return NULL;
}

void xaes_free(struct xaes *x) {
    if (!x) return;
    EVP_CIPHER_CTX_free(x->block); /* these cleanse their key schedules */
    EVP_CIPHER_CTX_free(x->seal);
    EVP_CIPHER_CTX_free(x->open);
    secret_wipe(x, sizeof *x);
    free(x);
}

/* The message's key: SP 800-108 in counter mode with CMAC. Both inputs are one whole block, so CMAC is one AES each. */
static bool derive(struct xaes *x, const uint8_t nonce[XAES_NONCE], uint8_t key[KEY_BYTES]) {
    uint8_t m[2 * BLOCK];
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t *block = m + i * BLOCK;
        const uint8_t prefix[] = {0, (uint8_t)(i + 1), 'X', 0};
        memcpy(block, prefix, sizeof prefix);
        memcpy(block + sizeof prefix, nonce, DERIVE);
        for (int j = 0; j < BLOCK; j++)
            block[j] ^= x->k1[j];
    }
    bool fine = encrypt_blocks(x, m, key, sizeof m);
    secret_wipe(m, sizeof m);
    return fine;
}

static bool too_large(size_t aad_size, size_t size) { return aad_size > INT_MAX || size > INT_MAX - XAES_OVERHEAD; }

static bool seal(struct xaes *x, const uint8_t *nonce, const void *aad, size_t aad_size, const void *plain, size_t size, uint8_t *out) {
    uint8_t key[KEY_BYTES];
    int n = 0, end = 0;
    bool fine = !too_large(aad_size, size) && derive(x, nonce, key) && EVP_EncryptInit_ex2(x->seal, NULL, key, nonce + DERIVE, NULL) == 1 &&
                (aad_size == 0 || EVP_EncryptUpdate(x->seal, NULL, &n, aad, (int)aad_size) == 1) &&
                (size == 0 || EVP_EncryptUpdate(x->seal, out, &n, plain, (int)size) == 1) &&
                EVP_EncryptFinal_ex(x->seal, out + size, &end) == 1 &&
                EVP_CIPHER_CTX_ctrl(x->seal, EVP_CTRL_AEAD_GET_TAG, XAES_TAG, out + size) == 1;
    secret_wipe(key, sizeof key);
    return fine;
}

bool xaes_seal_nonce(struct xaes *x, const uint8_t nonce[XAES_NONCE], const void *aad, size_t aad_size, const void *plain, size_t size,
                     uint8_t *out) {
    if (out != nonce) memcpy(out, nonce, XAES_NONCE);
    return seal(x, out, aad, aad_size, plain, size, out + XAES_NONCE);
}

bool xaes_seal(struct xaes *x, const void *aad, size_t aad_size, const void *plain, size_t size, uint8_t *out) {
    random_bytes(out, XAES_NONCE);
    return xaes_seal_nonce(x, out, aad, aad_size, plain, size, out);
}

bool xaes_open(struct xaes *x, const void *aad, size_t aad_size, const uint8_t *sealed, size_t size, uint8_t *out) {
    if (size < XAES_OVERHEAD || too_large(aad_size, size - XAES_OVERHEAD)) return false;
    size -= XAES_OVERHEAD;
    const uint8_t *body = sealed + XAES_NONCE;
    uint8_t key[KEY_BYTES], last[BLOCK], tag[XAES_TAG];
    int n = 0, end = 0;
    memcpy(tag, body + size, sizeof tag);
    bool fine = derive(x, sealed, key) && EVP_DecryptInit_ex2(x->open, NULL, key, sealed + DERIVE, NULL) == 1 &&
                EVP_CIPHER_CTX_ctrl(x->open, EVP_CTRL_AEAD_SET_TAG, XAES_TAG, tag) == 1 &&
                (aad_size == 0 || EVP_DecryptUpdate(x->open, NULL, &n, aad, (int)aad_size) == 1) &&
                (size == 0 || EVP_DecryptUpdate(x->open, out, &n, body, (int)size) == 1) && EVP_DecryptFinal_ex(x->open, last, &end) == 1;
    secret_wipe(key, sizeof key);
    if (!fine && size) secret_wipe(out, size);
    return fine;
}
