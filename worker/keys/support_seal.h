/*
 * Sealing to the provider's support duty and opening its answers (S7): CMS (RFC 5652, 5083, 5084), always AuthEnvelopedData with
 * AES-256-GCM. The recipient is the certificate of an offline key on an elliptic curve (OpenSSL 3.0 has no X25519 in CMS); an answer is
 * sealed under 32 bytes that went up inside the message, so that nobody but the support duty and this tenant can read either.
 */
#pragma once

#include "keys.h"

struct support_key;

/* Reads one certificate, PEM. NULL: unreadable, not of an elliptic curve of 256 bits or more, or no memory. */
struct support_key *support_key_read(const void *pem, size_t size);
void support_key_free(struct support_key *key);
bool support_key_in_time(const struct support_key *key); /* its certificate is valid now */

/* Seals; the bytes written, 0 = out of its time, out of memory, or more than room. */
size_t support_seal(const struct support_key *key, const void *plain, size_t size, uint8_t *out, size_t room);

/* Opens an answer; its bytes, -1 = not one for this key, or more than room. */
long support_open(const uint8_t key[KEY_BYTES], const uint8_t *sealed, size_t size, void *out, size_t room);
