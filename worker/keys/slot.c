#include "slot.h"

#include <stddef.h>
#include <string.h>

enum { COMMITMENT = 32, CONTENT = COMMITMENT + SLOT_INNER, HEADER = offsetof(struct slot_record, sealed) };

_Static_assert(sizeof(struct slot_record) == 456 && HEADER == 176, "the format on the disk");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format on the disk is little-endian");

void slot_describe(const struct slot_record *r, struct slot *slot) {
    *slot =
        (struct slot){.kind = r->kind, .rights = r->rights, .rights_epoch = r->rights_epoch, .created = r->created, .expires = r->expires};
    memcpy(slot->id, r->id, ID_BYTES);
    memcpy(slot->owner, r->owner, ID_BYTES);
    memcpy(slot->locator, r->locator, ID_BYTES);
    memcpy(slot->origin, r->origin, ID_BYTES);
}

/* The associated data of all layers, and its hash for their keys. */
struct binding {
    char format[16];
    uint8_t tenant[ID_BYTES];
    uint8_t header[HEADER];
};

static void bind(const struct slot_record *r, const uint8_t *tenant, struct binding *b, uint8_t hash[32]) {
    *b = (struct binding){.format = "cloison slot 2"};
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

/* What the credential's layer holds. */
struct inner {
    uint8_t private[KEY_BYTES];
    uint8_t authority[KEY_BYTES]; /* of this slot alone */
};
_Static_assert(sizeof(struct inner) + XAES_OVERHEAD == SLOT_INNER, "the format on the disk");

static void own_authority(const uint8_t *authority, const uint8_t hash[32], uint8_t own[KEY_BYTES]) {
    hkdf(authority, KEY_BYTES, hash, 32, "cloison slot authority v1", own, KEY_BYTES);
}

/* Of the seal of the TMK. */
static struct xaes *given_key(const uint8_t shared[KEM_SHARED], const uint8_t own[KEY_BYTES], const uint8_t hash[32]) {
    uint8_t both[KEM_SHARED + KEY_BYTES], key[KEY_BYTES];
    memcpy(both, shared, KEM_SHARED);
    memcpy(both + KEM_SHARED, own, KEY_BYTES);
    hkdf(both, sizeof both, hash, 32, "cloison slot given v1", key, sizeof key);
    struct xaes *x = xaes_new(key);
    secret_wipe(both, sizeof both);
    secret_wipe(key, sizeof key);
    return x;
}

static bool give(struct slot_record *r, const struct binding *b, const uint8_t hash[32], const uint8_t own[KEY_BYTES],
                 const uint8_t tmk[KEY_BYTES]) {
    uint8_t ephemeral[KEY_BYTES], shared[KEM_SHARED];
    random_bytes(ephemeral, sizeof ephemeral);
    struct xaes *x = kem_encapsulate(r->public, ephemeral, r->sent, shared) ? given_key(shared, own, hash) : NULL;
    bool fine = x && xaes_seal(x, b, sizeof *b, tmk, KEY_BYTES, r->tmk);
    xaes_free(x);
    secret_wipe(ephemeral, sizeof ephemeral);
    secret_wipe(shared, sizeof shared);
    return fine;
}

static bool take(const struct slot_record *r, const struct binding *b, const uint8_t hash[32], const struct inner *in,
                 uint8_t tmk[KEY_BYTES]) {
    uint8_t shared[KEM_SHARED];
    struct xaes *x = kem_decapsulate(in->private, r->public, r->sent, shared) ? given_key(shared, in->authority, hash) : NULL;
    bool fine = x && xaes_open(x, b, sizeof *b, r->tmk, sizeof r->tmk, tmk);
    xaes_free(x);
    secret_wipe(shared, sizeof shared);
    return fine;
}

bool slot_wrap(struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], const uint8_t *authority,
               const uint8_t tmk[KEY_BYTES]) {
    struct binding b;
    struct inner in;
    uint8_t hash[32], content[CONTENT];
    random_bytes(in.private, sizeof in.private);
    bool fine = kem_public(in.private, r->public);
    bind(r, outer->tenant, &b, hash);
    own_authority(authority, hash, in.authority);
    struct xaes *inside = credential_key(credential, hash, content), *outside = outer_key(outer, hash);
    fine = fine && inside && outside && xaes_seal(inside, &b, sizeof b, &in, sizeof in, content + COMMITMENT) &&
           xaes_seal(outside, &b, sizeof b, content, sizeof content, r->sealed) && give(r, &b, hash, in.authority, tmk);
    xaes_free(inside);
    xaes_free(outside);
    secret_wipe(content, sizeof content);
    secret_wipe(&in, sizeof in);
    return fine;
}

bool slot_unwrap(const struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], uint8_t tmk[KEY_BYTES]) {
    struct binding b;
    struct inner in;
    uint8_t hash[32], commitment[COMMITMENT], content[CONTENT];
    memset(tmk, 0, KEY_BYTES);
    bind(r, outer->tenant, &b, hash);
    struct xaes *inside = credential_key(credential, hash, commitment), *outside = outer_key(outer, hash);
    bool fine = inside && outside && xaes_open(outside, &b, sizeof b, r->sealed, sizeof r->sealed, content) &&
                secret_equal(content, commitment, COMMITMENT) &&
                xaes_open(inside, &b, sizeof b, content + COMMITMENT, SLOT_INNER, (uint8_t *)&in) && take(r, &b, hash, &in, tmk);
    xaes_free(inside);
    xaes_free(outside);
    secret_wipe(commitment, sizeof commitment);
    secret_wipe(content, sizeof content);
    secret_wipe(&in, sizeof in);
    return fine;
}

bool slot_give(struct slot_record *r, const uint8_t tenant[ID_BYTES], const uint8_t *authority, const uint8_t tmk[KEY_BYTES]) {
    struct binding b;
    uint8_t hash[32], own[KEY_BYTES];
    bind(r, tenant, &b, hash);
    own_authority(authority, hash, own);
    bool fine = give(r, &b, hash, own, tmk);
    secret_wipe(own, sizeof own);
    return fine;
}

bool slot_rewrap(struct slot_record *r, const struct slot_outer *from, const struct slot_outer *to) {
    struct binding b;
    uint8_t hash[32], content[CONTENT];
    bind(r, from->tenant, &b, hash);
    struct xaes *old = outer_key(from, hash), *new = outer_key(to, hash);
    bool fine = old && new &&xaes_open(old, &b, sizeof b, r->sealed, sizeof r->sealed, content) &&
                xaes_seal(new, &b, sizeof b, content, sizeof content, r->sealed);
    xaes_free(old);
    xaes_free(new);
    secret_wipe(content, sizeof content);
    return fine;
}
