/* X.509 as far as a tenant's identity needs it. No state; nothing is opened. */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hosts as self.profile has them: NUL-terminated, lower case. */
struct hosts {
    const char *name[8];
    size_t count;
};

/* A new EC P-256 key. NULL: OpenSSL failed. */
EVP_PKEY *certificate_key(void);
/* The key that i2d_PrivateKey() wrote, RFC 5915. NULL: it is no such key. */
EVP_PKEY *certificate_key_read(const uint8_t *der, size_t size);
/* Its uncompressed point, 65 bytes. */
bool certificate_point(const EVP_PKEY *key, uint8_t point[65]);

/* Self-signed for these hosts, valid from a day ago for 397 days. NULL: out of memory. */
X509 *certificate_self_signed(EVP_PKEY *key, const struct hosts *hosts);

/* Reads a PEM chain: certificates and white space, leaf first, at most 10. The caller frees both. false: not one. */
bool certificate_chain_read(const char *pem, size_t size, X509 **leaf, STACK_OF(X509) * *rest);

bool certificate_covers(X509 *leaf, const struct hosts *hosts); /* every one, by subjectAltName */
bool certificate_valid_now(const X509 *leaf);
uint64_t certificate_expires(const X509 *leaf); /* Unix seconds */
