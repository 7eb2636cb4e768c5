/*
 * DHKEM(X25519, HKDF-SHA256), RFC 9180 section 4.1: a secret for whoever has the private key, made by somebody who has the public one
 * alone. Any 32 bytes are a private key (RFC 7748). Everything is false when OpenSSL fails (out of memory), or where another's bytes give a
 * point of small order; what is given out is then zero.
 */
#pragma once

#include "keys.h"

enum { KEM_PUBLIC = 32, KEM_SHARED = 32 };

bool kem_public(const uint8_t private[KEY_BYTES], uint8_t public[KEM_PUBLIC]);
/* `ephemeral`: 32 random bytes of this call alone. `sent` is what the other side needs. */
bool kem_encapsulate(const uint8_t public[KEM_PUBLIC], const uint8_t ephemeral[KEY_BYTES], uint8_t sent[KEM_PUBLIC],
                     uint8_t shared[KEM_SHARED]);
bool kem_decapsulate(const uint8_t private[KEY_BYTES], const uint8_t public[KEM_PUBLIC], const uint8_t sent[KEM_PUBLIC],
                     uint8_t shared[KEM_SHARED]);
