/* The one tenant this process is: everything its parts share. There is exactly one, `self`. */
#pragma once

#include "../policy/counters.h"
#include "../policy/messages.h"
#include "keys/capsule.h"
#include "keys/keyring.h"
#include "store/store.h"

struct event_base;

struct tenant {
    struct message_start profile; /* as the supervisor gave it */
    struct counter_page *counters;
    struct event_base *base;
    struct capsule *capsule;
    struct store *store, *second; /* the one in use; the other file, for a rotation */
    struct keyring *keys;         /* NULL while sealed */
    uint8_t *tmk;                 /* KEY_BYTES on the heap, from account_start(): this struct itself lies in ordinary memory */
};
extern struct tenant self;

/* Unseals with the TMK that a slot of kind `by` (enum slot_kind) gave: derives the keys, gives them to the store, tells the supervisor.
 * 0; EIO: the store does not take them; EPERM: a token, and the tenant has switched tokens off (C4), which only its open store tells: it is
 * sealed again. */
int tenant_unseal(const uint8_t tmk[KEY_BYTES], uint32_t by);

static inline void count(enum counter c, uint64_t n) { atomic_fetch_add_explicit(&self.counters->value[c], n, memory_order_relaxed); }
static inline void gauge(enum counter c, uint64_t n) { atomic_store_explicit(&self.counters->value[c], n, memory_order_relaxed); }
