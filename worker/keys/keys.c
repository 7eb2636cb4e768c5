#include "keys.h"

#include "algorithms.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { HASH = 32, BLOCK = 64 };

static EVP_MD *digest;                         /* fetched once, never freed */
static _Thread_local EVP_MD_CTX *hash_context; /* reused: with the same digest it allocates nothing */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static void free_context(void *context) { EVP_MD_CTX_free(context); }
static void fetch(void) {
    if (pthread_key_create(&at_thread_end, free_context) != 0) return;
    if (algorithms_open()) digest = EVP_MD_fetch(NULL, "SHA256", NULL);
}

bool keys_prepare(void) {
    pthread_once(&once, fetch);
    if (digest && !hash_context) {
        hash_context = EVP_MD_CTX_new();
        if (hash_context && pthread_setspecific(at_thread_end, hash_context) != 0) return false;
    }
    return hash_context && EVP_DigestInit_ex2(hash_context, digest, NULL) == 1;
}

void random_bytes(void *out, size_t size) {
    for (uint8_t *p = out; size;) {
        ssize_t n = getrandom(p, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) abort();
        p += n;
        size -= (size_t)n;
    }
}

/* Hashing in a prepared context does not fail; were it to, an unknown hash must not be used as one. */
static void hash_begin(void) {
    if (!hash_context && !keys_prepare()) abort();
    if (EVP_DigestInit_ex2(hash_context, digest, NULL) != 1) abort();
}
static void hash_add(const void *data, size_t size) {
    if (size && EVP_DigestUpdate(hash_context, data, size) != 1) abort();
}
static void hash_end(uint8_t out[HASH]) {
    if (EVP_DigestFinal_ex(hash_context, out, NULL) != 1) abort();
}

void sha256(const void *data, size_t size, uint8_t out[HASH]) {
    hash_begin();
    hash_add(data, size);
    hash_end(out);
}

struct piece {
    const void *data;
    size_t size;
};

static void hmac_pieces(const uint8_t *key, size_t key_size, const struct piece *pieces, size_t count, uint8_t out[HASH]) {
    uint8_t inner[BLOCK] = {0}, outer[BLOCK], hash[HASH];
    if (key_size > BLOCK)
        sha256(key, key_size, inner);
    else if (key_size)
        memcpy(inner, key, key_size);
    for (size_t i = 0; i < BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    hash_begin();
    hash_add(inner, BLOCK);
    for (size_t i = 0; i < count; i++)
        hash_add(pieces[i].data, pieces[i].size);
    hash_end(hash);
    hash_begin();
    hash_add(outer, BLOCK);
    hash_add(hash, HASH);
    hash_end(out);
    secret_wipe(inner, sizeof inner);
    secret_wipe(outer, sizeof outer);
}

void hmac_sha256(const uint8_t *key, size_t key_size, const void *data, size_t size, uint8_t out[HASH]) {
    hmac_pieces(key, key_size, &(struct piece){data, size}, 1, out);
}

void hkdf(const uint8_t *key, size_t key_size, const uint8_t *salt, size_t salt_size, const char *label, uint8_t *out, size_t out_size) {
    uint8_t extracted[HASH], block[HASH];
    assert(out_size <= 255 * HASH);
    hmac_sha256(salt, salt_size, key, key_size, extracted);
    for (uint8_t i = 1; out_size; i++) {
        struct piece pieces[] = {{block, i == 1 ? 0 : HASH}, {label, strlen(label)}, {&i, 1}};
        hmac_pieces(extracted, HASH, pieces, 3, block);
        size_t n = out_size < HASH ? out_size : HASH;
        memcpy(out, block, n);
        out += n;
        out_size -= n;
    }
    secret_wipe(extracted, sizeof extracted);
    secret_wipe(block, sizeof block);
}

bool secret_equal(const void *a, const void *b, size_t size) { return CRYPTO_memcmp(a, b, size) == 0; }
void secret_wipe(void *p, size_t size) { explicit_bzero(p, size); }
