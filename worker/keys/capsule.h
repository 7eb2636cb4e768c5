/*
 * The key capsule: the one file that holds the key slots, opened before sealing (S4, S14).
 * Two copies written in turn, the older overwritten; each with a version that only rises and a MAC over the whole slot set.
 * A slot is AEAD(outer, AEAD(credential, private key)) and the TMK sealed to that key (slot.h); outer comes by HKDF from the shred secret
 * and the slot's class's epoch secret, so that a removed slot, also out of an old disk image of the LMDB file, opens nothing with today's
 * capsule. Slots are bound by their whole header (kind, class, id, owner, KDF and parameters, salt, created, expires, rights, public key)
 * as AAD and are key-committing: no slot opens under two credentials. The compiled-in KDF parameters are compared before a slot is tried.
 *
 * The MAC's key comes from the TMK, so slots are added and single ones removed only after one was opened. A whole class can be emptied
 * without any key (`lock`): the MAC then still covers the other classes. A capsule that does not agree with its MAC opens for nobody.
 * Adding overwrites one copy; removing overwrites both before it returns, so that nothing of a removed slot or its epoch secret is left.
 *
 * Sizes a provider sees: how many slots of each kind, their owners' random ids, when made, when they expire.
 */
#pragma once

#include "keys.h"

enum slot_kind { SLOT_PASSWORD = 1, SLOT_SESSION = 2, SLOT_TOKEN = 3, SLOT_RECOVERY = 4, SLOT_INVITATION = 5, SLOT_SELF_SUFFICIENT = 6 };
enum {
    SLOTS_MAX = 512,
    SLOTS_OF_TOKENS = 256,  /* so that log-ins always find room, */
    TOKENS_OF_ONE = 64,     /* user, so that nobody takes them all, */
    SLOTS_OF_SESSIONS = 64, /* and those of one user stay at this: the oldest goes */
    SLOTS_OF_RECOVERY = 32, /* one an administrator */
    RETIRED_MAX = 16,       /* keys of before that are kept */
};

/* What a slot says of itself, in clear in the capsule; nothing here names a person. */
struct slot {
    uint8_t id[ID_BYTES];      /* random */
    uint8_t owner[ID_BYTES];   /* the user's id */
    uint8_t locator[ID_BYTES]; /* how a log-in finds its slot: a keyed hash of the folded login, or of the credential */
    uint8_t origin[ID_BYTES];  /* the slot under which it was made; zero = none, at enrolment or a log-in */
    uint32_t kind;             /* enum slot_kind */
    uint32_t rights;           /* bit set, enum right: what the credential may */
    uint32_t rights_epoch;     /* of the user's rights when it was made */
    uint64_t created;          /* Unix seconds; filled by capsule_add_ when 0 */
    uint64_t expires;          /* Unix seconds, 0 = never */
};

struct capsule;

/* Opens or makes the capsule in the open file fd (owned from now on). NULL with errno: EBADMSG when both copies are damaged or of an
 * unknown format, EPROTO when the file is too long, ENOMEM, or what the file said. An empty file becomes a capsule without slots. */
struct capsule *capsule_open(int fd);
/* The same of a tenant that is known to have enrolled: a capsule that was never written, or has never had a slot, is EBADMSG and stays as
 * it is, so that a lost one is not taken for a new one. */
struct capsule *capsule_open_enrolled(int fd);
void capsule_close(struct capsule *c); /* NULL is fine */

bool capsule_enrolled(const struct capsule *c);               /* has it ever had a slot */
size_t capsule_slots(const struct capsule *c, uint32_t kind); /* unexpired ones of that enum slot_kind; 0 = all kinds */
size_t capsule_ways_in(const struct capsule *c);              /* passwords and kits of both kinds */
size_t capsule_slots_of(const struct capsule *c, const uint8_t owner[ID_BYTES], uint32_t kind); /* one owner's of them */
const uint8_t *capsule_tenant_id(const struct capsule *c); /* ID_BYTES, random, made with the capsule: for the store's AAD */

/* Makes the TMK (out: tmk) and the first two slots, a password's and a recovery kit's, in one durable step: there is no half. The slots'
 * owner and rights are the caller's, the rest is filled. 0 or an errno value (EEXIST when enrolled). */
int capsule_enrol(struct capsule *c, struct slot *password, const uint8_t salt[32], const uint8_t stretched[KEY_BYTES],
                  struct slot *recovery, const uint8_t kit[KEY_BYTES], uint8_t tmk[KEY_BYTES]);

/*
 * A tenant whose capsule was lost, opened by its self-sufficient kit (kit_record.h). First the tenant's id and the data file in use, in
 * memory alone, so that the store can be tried: 0, EEXIST when enrolled, ENOMEM. Then, as at enrolment, a password's slot and the kit's
 * own, `kit` as its record gave it, with the TMK that it gave: 0 or an errno value. A rotation is wanted at once, so that the lost capsule,
 * once it turns up, opens nothing of today.
 */
int capsule_become(struct capsule *c, const uint8_t tenant[ID_BYTES], unsigned data_file);
int capsule_recover(struct capsule *c, struct slot *password, const uint8_t salt[32], const uint8_t stretched[KEY_BYTES],
                    const struct slot *kit, const uint8_t secret[KEY_BYTES], const uint8_t tmk[KEY_BYTES]);

/* The locator of a login, folded by the caller. */
void capsule_login_locator(const struct capsule *c, const char *login, uint8_t locator[ID_BYTES]);
/* The salt of the login's slot, for an unknown login a made-up one that stays the same: equal work. */
void capsule_login_salt(const struct capsule *c, const uint8_t locator[ID_BYTES], uint8_t salt[32]);

/*
 * Add a slot, durable: 0, or an errno value and nothing added. ENOSPC: no room; EBADMSG: the capsule does not agree with its MAC; EEXIST:
 * the login is another owner's. Expired sessions, tokens and invitations go on the way; when all is full, the oldest session of the same
 * user, else the oldest of all. slot: kind (for a secret), owner, origin, rights, expires and, for a password, locator are the caller's,
 * the rest is filled.
 */
/* A slot for a password: `stretched` comes from password_stretch() with `salt`, 32 fresh random bytes. It replaces the owner's slot of the
 * same locator, and the invitation: so one is redeemed once, in one durable step. */
int capsule_add_password(struct capsule *c, const uint8_t tmk[KEY_BYTES], struct slot *slot, const uint8_t salt[32],
                         const uint8_t stretched[KEY_BYTES]);
/* A slot for 32 random bytes (session, token, a kit of either kind, invitation). A recovery kit replaces the owner's older ones, a
 * self-sufficient one anybody's, an invitation the older ones and the password. */
int capsule_add_secret(struct capsule *c, const uint8_t tmk[KEY_BYTES], struct slot *slot, const uint8_t secret[KEY_BYTES]);

/* Opens the slot that the credential names. false: one uniform failure (unknown, wrong, expired, damaged, out of memory); equal work. */
bool capsule_open_password(struct capsule *c, const uint8_t locator[ID_BYTES], const uint8_t stretched[KEY_BYTES], struct slot *slot,
                           uint8_t tmk[KEY_BYTES]);
/* The caller checks slot->kind: a cookie is not a token. */
bool capsule_open_secret(struct capsule *c, const uint8_t secret[KEY_BYTES], struct slot *slot, uint8_t tmk[KEY_BYTES]);

/* Forgets the MAC's key: the tenant is sealed again. */
void capsule_seal(struct capsule *c);

/* Remove one slot, one owner's of a kind (0 = all kinds), log-ins, or a whole kind; a new epoch secret for each class concerned, the outer
 * layers of the others re-wrapped. Durable when 0. An errno value: ENOENT = no such slot, EPERM = sealed (never from remove_kind), ENOMEM =
 * still there; what the file said = gone here, but what the disk holds is not known: try again. */
int capsule_remove(struct capsule *c, const uint8_t id[ID_BYTES]);
int capsule_remove_owner(struct capsule *c, const uint8_t owner[ID_BYTES], uint32_t kind);
/* All sessions and tokens, of one owner or (NULL) of all, but the one with the id `keep` (may be NULL). */
int capsule_remove_logins(struct capsule *c, const uint8_t *owner, const uint8_t *keep);
int capsule_remove_kind(struct capsule *c, enum slot_kind kind);

/* Rises with every change. */
uint64_t capsule_version(const struct capsule *c);
/* The version of the last change that a copy elsewhere must follow: a slot was removed, or one was added that is no session; 0 = none since
 * it was opened. */
uint64_t capsule_dated(const struct capsule *c);
/* The whole file as it is, CAPSULE_BYTES, into another open file. 0 or an errno value. */
int capsule_copy(const struct capsule *c, int to);

/*
 * Rotation: another TMK for every slot, at once with the move to the other of the tenant's two data files, which is sealed under it
 * already. The wish for one is kept until it is done, so that what cut it short does not end it.
 */
unsigned capsule_data_file(const struct capsule *c);       /* 0 or 1; believed before unsealing, when the MAC covers it */
uint64_t capsule_key_created(const struct capsule *c);     /* the TMK, Unix seconds */
uint64_t capsule_rotation_wanted(const struct capsule *c); /* since when, Unix seconds; 0 = not */
int capsule_want_rotation(struct capsule *c, bool wanted); /* durable: 0, or an errno value and nothing changed; EPERM = sealed */
/* Durable when 0: `tmk`, drawn by the caller, is the TMK, `old`, which was it, the newest retired one, the other data file the one in use,
 * and the wish fulfilled. An errno value (ENOSPC: RETIRED_MAX are kept): all is as it was; with *known false the disk may hold either, and
 * the caller must end the process before it writes anything else. */
int capsule_rotate(struct capsule *c, const uint8_t old[KEY_BYTES], const uint8_t tmk[KEY_BYTES], bool *known);

/* Retired TMKs, sealed under today's: a data file of before a rotation opens with today's capsule while its key is kept. */
struct retired_key {
    uint8_t id[ID_BYTES];
    uint64_t created, retired; /* Unix seconds */
    uint8_t tmk[KEY_BYTES];
};
bool capsule_retired(const struct capsule *c, size_t i, struct retired_key *key); /* i from 0, the oldest; false at the end, or sealed */
/* Overwritten in both copies when 0; ENOENT, EPERM = sealed, ENOMEM = still there; what the file said = as of capsule_remove. */
int capsule_drop_retired(struct capsule *c, const uint8_t tmk[KEY_BYTES], const uint8_t id[ID_BYTES]);
/* The tenant's data turned out to lie in the other file: durable, 0, or an errno value and nothing changed; EPERM = sealed. */
int capsule_use_file(struct capsule *c, unsigned data_file);

uint64_t
capsule_kit_first(const struct capsule *c); /* when the first self-sufficient kit was made, Unix seconds; 0 = there never was one */

/* Walks the slots, i from 0, expired ones too; false at the end. Adding and removing change the order. */
bool capsule_slot(const struct capsule *c, size_t i, struct slot *slot);
/* Is there a slot with this id? */
bool capsule_has(const struct capsule *c, const uint8_t id[ID_BYTES]);
