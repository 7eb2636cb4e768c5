#include "csr.h"

#include "names.h"

#include <string.h>

enum {
    CN_MAX = 64,
    INTEGER = 0x02,
    BIT_STRING = 0x03,
    OCTET_STRING = 0x04,
    UTF8_STRING = 0x0c,
    SEQUENCE = 0x30,
    SET = 0x31,
    CONTEXT_0 = 0xa0,
    DNS_NAME = 0x82
};

/* Complete TLVs that never change. */
static const uint8_t version_0[] = {INTEGER, 1, 0};
static const uint8_t oid_common_name[] = {0x06, 3, 0x55, 0x04, 0x03};
static const uint8_t oid_san[] = {0x06, 3, 0x55, 0x1d, 0x11};
static const uint8_t oid_extension_request[] = {0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
static const uint8_t key_algorithm[] = {SEQUENCE, 19, 0x06, 7,    0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, /* id-ecPublicKey */
                                        0x06,     8,  0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};      /* prime256v1 */
static const uint8_t ecdsa_sha256[] = {SEQUENCE, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

/* The order of P-256 (SEC 2, 2.4.2). */
static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* DER is written from its end to its beginning, so that every length is known when it is written. */
struct writer {
    uint8_t *bytes;
    size_t at; /* the first byte written so far */
    bool failed;
};

static void put(struct writer *w, const void *bytes, size_t size) {
    if (w->failed || size > w->at) {
        w->failed = true;
        return;
    }
    w->at -= size;
    memcpy(w->bytes + w->at, bytes, size);
}

static void put_byte(struct writer *w, uint8_t byte) { put(w, &byte, 1); }

/* Puts tag and length before what was written since the position was `end`. */
static void wrap(struct writer *w, uint8_t tag, size_t end) {
    size_t size = end - w->at;
    put_byte(w, (uint8_t)size);
    if (size > 0xff) put_byte(w, (uint8_t)(size >> 8));
    if (size > 0x7f) put_byte(w, size > 0xff ? 0x82 : 0x81);
    put_byte(w, tag);
}

static void put_tlv(struct writer *w, uint8_t tag, const void *bytes, size_t size) {
    size_t end = w->at;
    put(w, bytes, size);
    wrap(w, tag, end);
}

static void put_attributes(struct writer *w, const char *const host[], size_t count) {
    size_t end = w->at;
    for (size_t i = count; i-- > 0;)
        put_tlv(w, DNS_NAME, host[i], strlen(host[i]));
    wrap(w, SEQUENCE, end); /* GeneralNames */
    wrap(w, OCTET_STRING, end);
    put(w, oid_san, sizeof oid_san);
    wrap(w, SEQUENCE, end); /* Extension */
    wrap(w, SEQUENCE, end); /* Extensions */
    wrap(w, SET, end);
    put(w, oid_extension_request, sizeof oid_extension_request);
    wrap(w, SEQUENCE, end); /* Attribute */
    wrap(w, CONTEXT_0, end);
}

static void put_info(struct writer *w, const char *const host[], size_t count, const uint8_t point[CSR_POINT]) {
    size_t end = w->at;
    put_attributes(w, host, count);

    size_t key = w->at;
    put(w, point, CSR_POINT);
    put_byte(w, 0); /* unused bits */
    wrap(w, BIT_STRING, key);
    put(w, key_algorithm, sizeof key_algorithm);
    wrap(w, SEQUENCE, key);

    size_t subject = w->at, cn = strlen(host[0]);
    if (cn <= CN_MAX) {
        put_tlv(w, UTF8_STRING, host[0], cn);
        put(w, oid_common_name, sizeof oid_common_name);
        wrap(w, SEQUENCE, subject);
        wrap(w, SET, subject);
    }
    wrap(w, SEQUENCE, subject);
    put(w, version_0, sizeof version_0);
    wrap(w, SEQUENCE, end);
}

static bool asked_for(const char *const host[], size_t count) {
    if (count == 0 || count > TENANT_HOSTS_MAX) return false;
    for (size_t i = 0; i < count; i++)
        if (!name_is_host(host[i])) return false;
    return true;
}

/* Moves what was written to the beginning of the buffer. */
static size_t finish(struct writer *w) {
    if (w->failed) return 0;
    size_t size = CSR_MAX - w->at;
    memmove(w->bytes, w->bytes + w->at, size);
    return size;
}

size_t csr_info_encode(const char *const host[], size_t count, const uint8_t point[CSR_POINT], uint8_t out[CSR_MAX]) {
    if (!asked_for(host, count) || point[0] != 0x04) return 0;
    struct writer w = {.bytes = out, .at = CSR_MAX};
    put_info(&w, host, count, point);
    return finish(&w);
}

size_t csr_encode(const char *const host[], size_t count, const uint8_t point[CSR_POINT], const uint8_t *signature, size_t signature_size,
                  uint8_t out[CSR_MAX]) {
    if (!asked_for(host, count) || point[0] != 0x04 || !csr_signature_fits(signature, signature_size)) return 0;
    struct writer w = {.bytes = out, .at = CSR_MAX};
    put(&w, signature, signature_size);
    put_byte(&w, 0); /* unused bits */
    wrap(&w, BIT_STRING, CSR_MAX);
    put(&w, ecdsa_sha256, sizeof ecdsa_sha256);
    put_info(&w, host, count, point);
    wrap(&w, SEQUENCE, CSR_MAX);
    return finish(&w);
}

/* One INTEGER of 1..order-1 in its shortest form at p; its size with tag and length, 0 = not one. */
static size_t scalar(const uint8_t *p, size_t size) {
    if (size < 3 || p[0] != INTEGER || p[1] < 1 || p[1] > 33 || p[1] > size - 2) return 0;
    const uint8_t *v = p + 2;
    size_t n = p[1];
    if (v[0] & 0x80) return 0; /* negative */
    if (v[0] == 0) {
        if (n == 1 || !(v[1] & 0x80)) return 0; /* zero, or a byte too many */
        v++;
        n--;
    }
    if (n > 32 || (n == 32 && memcmp(v, order, n) >= 0)) return 0;
    return 2 + (size_t)p[1];
}

bool csr_signature_fits(const uint8_t *signature, size_t size) {
    if (size < 8 || size > CSR_SIGNATURE_MAX || signature[0] != SEQUENCE || signature[1] != size - 2) return false;
    size_t r = scalar(signature + 2, size - 2);
    if (!r) return false;
    size_t s = scalar(signature + 2 + r, size - 2 - r);
    return s && 2 + r + s == size;
}

size_t csr_check(const char *const host[], size_t count, const uint8_t *in, size_t size, uint8_t out[CSR_MAX]) {
    /* Where point and signature lie follows from the request with any key: all lengths before them are the registry's. */
    const uint8_t any[CSR_POINT] = {0x04, 0xaa, 0x55};
    size_t info = csr_info_encode(host, count, any, out);
    if (!info || size > CSR_MAX) return 0;
    const uint8_t *key = memmem(out, info, key_algorithm, sizeof key_algorithm);
    if (!key) return 0;
    size_t point = (size_t)(key - out) + sizeof key_algorithm + 3; /* BIT STRING, length, unused bits */

    /* The outer header: DER has one way to write the length of what is left. */
    size_t head = size > 0x103 ? 4 : size > 0x81 ? 3 : 2, signature = head + info + sizeof ecdsa_sha256 + 3;
    if (size <= signature || size < head + point + CSR_POINT) return 0;
    uint8_t given[CSR_POINT], mark[CSR_SIGNATURE_MAX];
    size_t mark_size = size - signature;
    if (mark_size > sizeof mark) return 0;
    memcpy(given, in + head + point, sizeof given);
    memcpy(mark, in + signature, mark_size);

    size_t made = csr_encode(host, count, given, mark, mark_size, out);
    return made == size && memcmp(in, out, size) == 0 ? made : 0;
}

size_t csr_pem(const uint8_t *der, size_t size, char out[CSR_PEM_MAX]) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----\n", end[] = "-----END CERTIFICATE REQUEST-----\n";
    char *p = out;
    memcpy(p, begin, sizeof begin - 1);
    p += sizeof begin - 1;
    for (size_t i = 0, column = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)der[i] << 16 | (left > 1 ? (uint32_t)der[i + 1] << 8 : 0) | (left > 2 ? der[i + 2] : 0);
        *p++ = digit[group >> 18];
        *p++ = digit[group >> 12 & 63];
        *p++ = left > 1 ? digit[group >> 6 & 63] : '=';
        *p++ = left > 2 ? digit[group & 63] : '=';
        if ((column += 4) == 64 || left <= 3) {
            *p++ = '\n';
            column = 0;
        }
    }
    memcpy(p, end, sizeof end);
    return (size_t)(p - out) + sizeof end - 1;
}
