/* The one certification request that may leave a worker (S2, S4): PKCS #10, byte for byte what the registry asks for but for the public
 * key and the signature. Pure; the worker builds with it, the steward re-encodes with it, neither trusts the other's bytes.
 *
 *   version 0 · subject CN = first host (empty when it is longer than 64 bytes, RFC 5280's ub-common-name) · EC P-256 key ·
 *   extensionRequest { subjectAltName, the hosts in order } · ecdsa-with-SHA256
 */
#pragma once

#include "limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CSR_POINT = 65,         /* an uncompressed P-256 point: 04 X Y */
    CSR_SIGNATURE_MAX = 72, /* DER SEQUENCE { r, s } */
    CSR_PEM_MAX = 5700,     /* csr_pem() of CSR_MAX bytes and its NUL */
};

/* The part that is signed, CertificationRequestInfo. host: 1..TENANT_HOSTS_MAX names for which name_is_host() holds; out: CSR_MAX bytes.
 * Returns its size; 0 for a bad host, count or point. */
size_t csr_info_encode(const char *const host[], size_t count, const uint8_t point[CSR_POINT], uint8_t out[CSR_MAX]);

/* The whole request around a signature of csr_info_encode()'s bytes. Returns its size; 0 also for a signature csr_signature_fits() refuses.
 */
size_t csr_encode(const char *const host[], size_t count, const uint8_t point[CSR_POINT], const uint8_t *signature, size_t signature_size,
                  uint8_t out[CSR_MAX]);

/* Whether this is DER SEQUENCE { INTEGER r, INTEGER s }, minimal, with 0 < r, s < the order of P-256, and nothing behind. */
bool csr_signature_fits(const uint8_t *signature, size_t size);

/* Takes point and signature out of `in`, builds the request anew into out and returns its size, which is `size`, when the two are equal in
 * every byte; 0 = not what the registry asked for. The signature itself is not verified: that takes no secret and the CA does it. */
size_t csr_check(const char *const host[], size_t count, const uint8_t *in, size_t size, uint8_t out[CSR_MAX]);

/* RFC 7468 text, NUL-terminated. der: 1..CSR_MAX bytes. Returns its length. */
size_t csr_pem(const uint8_t *der, size_t size, char out[CSR_PEM_MAX]);
