/* Sizes and small calls every key file shares. keys/ is the only includer of <openssl/evp.h> and <argon2.h>; all secrets live in the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_BYTES = 32, ID_BYTES = 16 };

/* Fetches every algorithm of keys/ for the calling thread, so that nothing below can fail or open a file later. Each thread that calls
 * anything of keys/ calls this first, before the wall; password_stretch() alone needs it not. false: out of memory. */
bool keys_prepare(void);

/* Fills with random bytes from the kernel (a generator in user space would repeat nonces in a machine restored from a snapshot); ends the
 * process when there are none. */
void random_bytes(void *out, size_t size);

/* HKDF-SHA256 (RFC 5869) of one key with a label; out_size <= 8160. salt may be NULL. */
void hkdf(const uint8_t *key, size_t key_size, const uint8_t *salt, size_t salt_size, const char *label, uint8_t *out, size_t out_size);

void sha256(const void *data, size_t size, uint8_t out[32]);
void hmac_sha256(const uint8_t *key, size_t key_size, const void *data, size_t size, uint8_t out[32]);

/* Equal without a timing difference. */
bool secret_equal(const void *a, const void *b, size_t size);
void secret_wipe(void *p, size_t size);
