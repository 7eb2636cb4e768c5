/* SHA-256 over bytes that come over days: what it has taken in can be kept and gone on from. And the base64 (RFC 4648) that digests and
 * file names travel in. */
#pragma once

#include "keys.h"

/* 112 bytes in the order of this machine: fit to be kept in the tenant's own sealed file. */
enum { DIGEST_STATE = 112, DIGEST_BYTES = 32, DIGEST_BASE64 = 44 };
struct digest {
    _Alignas(8) uint8_t state[DIGEST_STATE];
};
void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *bytes, size_t size);
void digest_end(const struct digest *d, uint8_t out[DIGEST_BYTES]); /* d may take more afterwards */

/* 4 characters for each 3 bytes begun, and a NUL. */
void base64_write(const uint8_t *bytes, size_t size, char *out);
/* Strict: padded, nothing but the alphabet. *out_size bytes of at most `room`; false: malformed or too long. */
bool base64_read(const char *text, size_t size, uint8_t *out, size_t room, size_t *out_size);
