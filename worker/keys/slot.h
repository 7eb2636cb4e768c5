/*
 * One key slot as it lies in the capsule. Each has an X25519 key pair of its own, made with it. Two layers hold the private key,
 * AEAD(outer, commitment, AEAD(credential, private key, authority)), and the TMK is sealed to the public key: so a new TMK can be given to
 * a slot whose credential is absent. All layers have the whole header, with the public key in it, and the tenant's id as associated data,
 * and their keys are derived from them too. The commitment comes by HKDF-SHA256 from the credential and the header: finding two credentials
 * for one slot is finding a collision of SHA-256.
 *
 * Anybody could seal a TMK of his own to a public key that lies in clear, and the next log-in would write under it (key overwriting). So
 * the key of that seal comes also from the slot's authority, a secret that only a worker that was opened, and the credential, can have.
 */
#pragma once

#include "capsule.h"
#include "kem.h"
#include "xaes.h"

enum {
    SLOT_INNER = 2 * KEY_BYTES + XAES_OVERHEAD,    /* private key and authority, sealed */
    SLOT_SEALED = 32 + SLOT_INNER + XAES_OVERHEAD, /* and the commitment, sealed again */
    SLOT_TMK = KEY_BYTES + XAES_OVERHEAD,
};

/* On the disk: little-endian, no holes. Everything before `sealed` is the header. */
struct slot_record {
    uint8_t id[ID_BYTES], owner[ID_BYTES], locator[ID_BYTES], origin[ID_BYTES];
    uint8_t salt[32];
    uint32_t kind, rights;
    uint32_t kdf, kdf_memory_kib, kdf_passes, kdf_lanes; /* of a password; 0 for a credential of 32 random bytes */
    uint32_t rights_epoch, reserved;
    uint64_t created, expires;
    uint8_t public[KEM_PUBLIC];
    uint8_t sealed[SLOT_SEALED];
    uint8_t sent[KEM_PUBLIC], tmk[SLOT_TMK]; /* the TMK, to the public key */
};

/* What the header says. */
void slot_describe(const struct slot_record *r, struct slot *slot);

/* What the outer layer comes from, besides the header. */
struct slot_outer {
    const uint8_t *tenant; /* ID_BYTES */
    const uint8_t *shred;  /* KEY_BYTES: the capsule's shred secret */
    const uint8_t *epoch;  /* KEY_BYTES: the epoch secret of the slot's class */
};

/* Makes the key pair, seals it for a credential under the record's header, which must be complete but for the public key, and the TMK to
 * it. authority: KEY_BYTES, the secret of the capsule that the slot's own comes from. false: out of memory. */
bool slot_wrap(struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], const uint8_t *authority,
               const uint8_t tmk[KEY_BYTES]);

/* false: it does not open, for whatever reason; tmk is then zero. */
bool slot_unwrap(const struct slot_record *r, const struct slot_outer *outer, const uint8_t credential[KEY_BYTES], uint8_t tmk[KEY_BYTES]);

/* Moves the outer layer from one epoch secret to another; needs no credential. false: unchanged (out of memory, or it does not open). */
bool slot_rewrap(struct slot_record *r, const struct slot_outer *from, const struct slot_outer *to);

/* Gives it another TMK; needs no credential. Only for a record that the MAC over the slots has been found to cover: never seal to a key
 * that somebody else supplies (Albrecht, Backendal, Coppola, Paterson: "Share with Care: Breaking E2EE in Nextcloud", 2024). false: out of
 * memory, the record is of no use any more. */
bool slot_give(struct slot_record *r, const uint8_t tenant[ID_BYTES], const uint8_t *authority, const uint8_t tmk[KEY_BYTES]);
