/* The one tenant this process is: everything its parts share. There is exactly one, `self`. */
#pragma once

#include "../policy/counters.h"
#include "../policy/messages.h"
#include "keys/capsule.h"
#include "keys/keyring.h"
#include "store/store.h"

#include <string.h>

struct event_base;

struct tenant {
    struct message_start profile; /* as the supervisor gave it */
    struct counter_page *counters;
    struct event_base *base;
    struct capsule *capsule;
    struct store *store, *second; /* the one in use; the other file, for a rotation */
    struct keyring *keys;         /* NULL while sealed */
    uint8_t older[ID_BYTES];      /* the retired key that the store in use is sealed under; zero = today's */
    uint8_t *tmk;                 /* KEY_BYTES on the heap, from account_start(): this struct itself lies in ordinary memory */
};
extern struct tenant self;

/*
 * Unseals with the TMK that a slot of kind `by` (enum slot_kind) gave: derives the keys, gives them to the store, tells the supervisor. 0;
 * EIO: no data file takes them; EPERM: a token, and the tenant has switched tokens off (C4), which only its open store tells: it is sealed
 * again.
 *
 * The capsule names the file in use, but older files may have been put back beside it: so today's key is tried on both, then the retired
 * ones, the newest first. What opens under a retired one is an older state; a rotation to a key of today begins at once.
 */
int tenant_unseal(const uint8_t tmk[KEY_BYTES], uint32_t by);

/* A registrar entered the tenant for files that are put back (`tenant create --restore`), and nobody has opened it since. Only then may a
 * self-sufficient kit stand for a lost capsule. */
static inline bool tenant_restoring(void) {
    static const uint8_t no_code[ENROL_CODE_HASH];
    return !self.profile.enrolled && memcmp(self.profile.enrol_hash, no_code, sizeof no_code) == 0;
}
/* For a tenant without a capsule: makes the file that seems to be the newer one the store in use; which it is, 0 or 1. */
unsigned tenant_newest_file(void);

static inline void count(enum counter c, uint64_t n) { atomic_fetch_add_explicit(&self.counters->value[c], n, memory_order_relaxed); }
static inline void gauge(enum counter c, uint64_t n) { atomic_store_explicit(&self.counters->value[c], n, memory_order_relaxed); }
