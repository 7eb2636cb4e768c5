/*
 * One key slot as it lies in the capsule, and its two layers: AEAD(outer, commitment, AEAD(credential, TMK)). Both layers have the whole
 * header and the tenant's id as associated data, and both keys are derived from them too. The commitment comes by HKDF-SHA256 from the
 * credential and the header: finding two credentials for one slot is finding a collision of SHA-256.
 */
#pragma once

#include "capsule.h"
#include "xaes.h"

enum {
    SLOT_INNER = KEY_BYTES + XAES_OVERHEAD,        /* the sealed TMK */
    SLOT_SEALED = 32 + SLOT_INNER + XAES_OVERHEAD, /* and the commitment, sealed again */
};

/* On the disk: little-endian, no holes. Everything before `sealed` is the header. */
struct slot_record {
    uint8_t id[ID_BYTES], owner[ID_BYTES], locator[ID_BYTES], origin[ID_BYTES];
    uint8_t salt[32];
    uint32_t kind, rights;
    uint32_t kdf, kdf_memory_kib, kdf_passes, kdf_lanes; /* of a password; 0 for a credential of 32 random bytes */
    uint32_t rights_epoch, reserved;
    uint64_t created, expires;
    uint8_t sealed[SLOT_SEALED];
};

/* What the outer layer comes from, besides the header. */
struct slot_outer {
    const uint8_t *tenant; /* ID_BYTES */
    const uint8_t *shred;  /* KEY_BYTES: the capsule's shred secret */
    const uint8_t *epoch;  /* KEY_BYTES: the epoch secret of the slot's class */
};

/* Seals the TMK for a credential under the record's header, which must be complete. false: out of memory. */
bool slot_wrap(struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], const uint8_t tmk[KEY_BYTES]);

/* false: it does not open, for whatever reason; tmk is then zero. */
bool slot_unwrap(const struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], uint8_t tmk[KEY_BYTES]);

/* Moves the outer layer from one epoch secret to another; needs no credential. false: unchanged (out of memory, or it does not open). */
bool slot_rewrap(struct slot_record *r, const struct slot_outer *from, const struct slot_outer *to);
