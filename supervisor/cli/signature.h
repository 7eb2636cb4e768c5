/* Detached signatures with a key in a PEM file, so that plain OpenSSL verifies them: Ed25519 (RFC 8032), or ECDSA and RSA over SHA-256. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_MAX = 1024 /* bytes: RSA of 8192 bits */ };

/* Signs text[0..size) with the private key in the file. Its size, or 0: *error says in words what is wrong with the key. */
size_t signature_make(const char *key_file, const void *text, size_t size, uint8_t out[SIGNATURE_MAX], const char **error);

enum signature { SIGNATURE_GOOD, SIGNATURE_WRONG, SIGNATURE_NO_KEY /* *error says why */ };
/* key_file: a public key in PEM, or a certificate. */
enum signature signature_verify(const char *key_file, const void *text, size_t size, const uint8_t *signature, size_t signature_size,
                                const char **error);
