/* XAES-256-GCM (C2SP), on OpenSSL's EVP: AES-256-GCM under a key and nonce derived from a 192-bit random nonce. */
#pragma once

#include "keys.h"

enum { XAES_NONCE = 24, XAES_TAG = 16, XAES_OVERHEAD = XAES_NONCE + XAES_TAG };

/* A prepared key: key schedules and cipher contexts, one thread at a time. */
struct xaes;

struct xaes *xaes_new(const uint8_t key[KEY_BYTES]); /* NULL: out of memory */
void xaes_free(struct xaes *x);                      /* wipes */

/* out: size + XAES_OVERHEAD bytes = nonce, ciphertext, tag. false only when OpenSSL fails (out of memory). */
bool xaes_seal(struct xaes *x, const void *aad, size_t aad_size, const void *plain, size_t size, uint8_t *out);
/* out: size - XAES_OVERHEAD bytes; false and out wiped when anything differs. */
bool xaes_open(struct xaes *x, const void *aad, size_t aad_size, const uint8_t *sealed, size_t size, uint8_t *out);
/* With a given nonce: for the published vectors. */
bool xaes_seal_nonce(struct xaes *x, const uint8_t nonce[XAES_NONCE], const void *aad, size_t aad_size, const void *plain, size_t size,
                     uint8_t *out);
