/*
 * The key capsule: the one file that holds the key slots, opened before sealing (design "Keys", S4, S14).
 * Two copies written in turn, the older overwritten; each with a version that only rises and a MAC over the whole slot set.
 * A slot is AEAD(outer, AEAD(credential, TMK)); outer comes by HKDF from the shred secret and the slot's class's epoch secret, so that
 * a removed slot, also out of an old disk image of the LMDB file, opens nothing with today's capsule. Slots are bound by their whole
 * header (kind, class, id, owner, KDF and parameters, salt, created, expires, rights) as AAD and are key-committing: no slot opens under
 * two credentials. The compiled-in floor of the KDF parameters is checked before any KDF runs.
 */
#pragma once

#include "keys.h"

enum slot_kind { SLOT_PASSWORD = 1, SLOT_SESSION = 2, SLOT_TOKEN = 3, SLOT_RECOVERY = 4 };
enum { SLOTS_MAX = 512 };

/* What a slot says of itself, in clear in the capsule; nothing here names a person. */
struct slot {
    uint8_t id[ID_BYTES];      /* random */
    uint8_t owner[ID_BYTES];   /* the user's id */
    uint8_t locator[ID_BYTES]; /* how a log-in finds its slot: a keyed hash of the folded login, or of the credential */
    uint32_t kind;             /* enum slot_kind */
    uint32_t rights;           /* bit set, enum right: what the credential may */
    uint64_t created;          /* Unix seconds */
    uint64_t expires;          /* Unix seconds, 0 = never */
};

struct capsule;

/* Opens or makes the capsule in the open file fd (owned from now on). NULL with errno: EBADMSG when both copies are damaged or of an
 * unknown format, ENOMEM, or what the file said. An empty file is a capsule without slots. */
struct capsule *capsule_open(int fd);
void capsule_close(struct capsule *c);

bool capsule_enrolled(const struct capsule *c);                     /* has it ever had a slot */
size_t capsule_slots(const struct capsule *c, enum slot_kind kind); /* unexpired ones of that kind; 0 = all kinds */

/* Makes TMK and the first slot. Durable before return. 0 or an errno value (EEXIST when enrolled). tmk: KEY_BYTES out. */
int capsule_enrol(struct capsule *c, uint8_t tmk[KEY_BYTES]);

/* The locator of a login or of a high-entropy credential. */
void capsule_login_locator(const struct capsule *c, const char *login, uint8_t locator[ID_BYTES]);

/* A slot for a password: `stretched` comes from password_stretch() with the salt below. */
void capsule_login_salt(const struct capsule *c, const uint8_t locator[ID_BYTES],
                        uint8_t salt[32]); /* for an unknown login too: equal work */
int capsule_add_password(struct capsule *c, const uint8_t tmk[KEY_BYTES], struct slot *slot, const uint8_t salt[32],
                         const uint8_t stretched[KEY_BYTES]);
/* A slot for 32 random bytes (session, token, recovery kit). Fills slot->id and slot->locator. */
int capsule_add_secret(struct capsule *c, const uint8_t tmk[KEY_BYTES], struct slot *slot, const uint8_t secret[KEY_BYTES]);

/* Opens the slot that the credential names. false: one uniform failure (unknown, wrong, expired, damaged). */
bool capsule_open_password(struct capsule *c, const uint8_t locator[ID_BYTES], const uint8_t stretched[KEY_BYTES], struct slot *slot,
                           uint8_t tmk[KEY_BYTES]);
bool capsule_open_secret(struct capsule *c, const uint8_t secret[KEY_BYTES], struct slot *slot, uint8_t tmk[KEY_BYTES]);

/* Removes one slot, or all of a kind; draws a new epoch secret for the class and re-wraps the outer layers of the others. Durable. */
int capsule_remove(struct capsule *c, const uint8_t id[ID_BYTES]);
int capsule_remove_kind(struct capsule *c, enum slot_kind kind);

/* Walks the slots, i from 0; false at the end. */
bool capsule_slot(const struct capsule *c, size_t i, struct slot *slot);
