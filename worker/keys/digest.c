/* OpenSSL 3.0's EVP can neither save nor load a digest under way; the older interface to the same code is a plain struct. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

static_assert(sizeof(SHA256_CTX) == DIGEST_STATE, "the state is this struct");

void digest_begin(struct digest *d) {
    SHA256_CTX sha;
    SHA256_Init(&sha);
    memcpy(d->state, &sha, sizeof sha);
}

void digest_add(struct digest *d, const void *bytes, size_t size) {
    SHA256_CTX sha;
    memcpy(&sha, d->state, sizeof sha);
    SHA256_Update(&sha, bytes, size);
    memcpy(d->state, &sha, sizeof sha);
    secret_wipe(&sha, sizeof sha);
}

void digest_end(const struct digest *d, uint8_t out[DIGEST_BYTES]) {
    SHA256_CTX sha;
    memcpy(&sha, d->state, sizeof sha);
    SHA256_Final(out, &sha);
    secret_wipe(&sha, sizeof sha);
}

void base64_write(const uint8_t *bytes, size_t size, char *out) { EVP_EncodeBlock((unsigned char *)out, bytes, (int)size); }

bool base64_read(const char *text, size_t size, uint8_t *out, size_t room, size_t *out_size) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t group[3];
    size_t pad = 0;
    *out_size = 0;
    if (size % 4 != 0) return false;
    while (pad < 2 && pad < size && text[size - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < size - pad; i++)
        if (!text[i] || !strchr(alphabet, text[i])) return false;
    for (size_t i = 0; i < size; i += 4) {
        size_t n = i + 4 == size ? 3 - pad : 3;
        if (EVP_DecodeBlock(group, (const unsigned char *)text + i, 4) != 3 || n > room - *out_size) return false;
        memcpy(out + *out_size, group, n);
        *out_size += n;
    }
    return true;
}
