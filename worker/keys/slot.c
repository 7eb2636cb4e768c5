#include "slot.h"

#include <stddef.h>
#include <string.h>

enum { COMMITMENT = 32, HEADER = offsetof(struct slot_record, sealed) };

_Static_assert(sizeof(struct slot_record) == 288 && HEADER == 144, "the format on the disk");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format on the disk is little-endian");

/* The associated data of both layers, and its hash for their keys. */
struct binding {
    char format[16];
    uint8_t tenant[ID_BYTES];
    uint8_t header[HEADER];
};

static void bind(const struct slot_record *r, const uint8_t *tenant, struct binding *b, uint8_t hash[32]) {
    *b = (struct binding){.format = "cloison slot 1"};
    memcpy(b->tenant, tenant, ID_BYTES);
    memcpy(b->header, r, HEADER);
    sha256(b, sizeof *b, hash);
}

static struct xaes *outer_key(const struct slot_outer *outer, const uint8_t hash[32]) {
    uint8_t secrets[2 * KEY_BYTES], key[KEY_BYTES];
    memcpy(secrets, outer->shred, KEY_BYTES);
    memcpy(secrets + KEY_BYTES, outer->epoch, KEY_BYTES);
    hkdf(secrets, sizeof secrets, hash, 32, "cloison slot outer v1", key, sizeof key);
    struct xaes *x = xaes_new(key);
    secret_wipe(secrets, sizeof secrets);
    secret_wipe(key, sizeof key);
    return x;
}

static struct xaes *credential_key(const uint8_t credential[KEY_BYTES], const uint8_t hash[32], uint8_t commitment[COMMITMENT]) {
    uint8_t both[KEY_BYTES + COMMITMENT];
    hkdf(credential, KEY_BYTES, hash, 32, "cloison slot credential v1", both, sizeof both);
    memcpy(commitment, both + KEY_BYTES, COMMITMENT);
    struct xaes *x = xaes_new(both);
    secret_wipe(both, sizeof both);
    return x;
}

bool slot_wrap(struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], const uint8_t tmk[KEY_BYTES]) {
    struct binding b;
    uint8_t hash[32], content[COMMITMENT + SLOT_INNER];
    bind(r, outer->tenant, &b, hash);
    struct xaes *inside = credential_key(credential, hash, content), *outside = outer_key(outer, hash);
    bool fine = inside && outside && xaes_seal(inside, &b, sizeof b, tmk, KEY_BYTES, content + COMMITMENT) &&
                xaes_seal(outside, &b, sizeof b, content, sizeof content, r->sealed);
    xaes_free(inside);
    xaes_free(outside);
    secret_wipe(content, sizeof content);
    return fine;
}

bool slot_unwrap(const struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], uint8_t tmk[KEY_BYTES]) {
    struct binding b;
    uint8_t hash[32], commitment[COMMITMENT], content[COMMITMENT + SLOT_INNER];
    memset(tmk, 0, KEY_BYTES);
    bind(r, outer->tenant, &b, hash);
    struct xaes *inside = credential_key(credential, hash, commitment), *outside = outer_key(outer, hash);
    bool fine = inside && outside && xaes_open(outside, &b, sizeof b, r->sealed, sizeof r->sealed, content) &&
                secret_equal(content, commitment, COMMITMENT) && xaes_open(inside, &b, sizeof b, content + COMMITMENT, SLOT_INNER, tmk);
    xaes_free(inside);
    xaes_free(outside);
    secret_wipe(commitment, sizeof commitment);
    secret_wipe(content, sizeof content);
    return fine;
}

bool slot_rewrap(struct slot_record *r, const struct slot_outer *from, const struct slot_outer *to) {
    struct binding b;
    uint8_t hash[32], content[COMMITMENT + SLOT_INNER];
    bind(r, from->tenant, &b, hash);
    struct xaes *old = outer_key(from, hash), *new = outer_key(to, hash);
    bool fine = old && new &&xaes_open(old, &b, sizeof b, r->sealed, sizeof r->sealed, content) &&
                xaes_seal(new, &b, sizeof b, content, sizeof content, r->sealed);
    xaes_free(old);
    xaes_free(new);
    secret_wipe(content, sizeof content);
    return fine;
}
