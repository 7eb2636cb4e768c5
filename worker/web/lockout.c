#include "lockout.h"

#include <string.h>
#include <time.h>

enum { ROWS = 256, WAYS = 4, FORGET_SECONDS = 3600, LOGIN_FREE = 3, SOURCE_FREE = 10 };

struct row {
    uint8_t key[ID_BYTES]; /* a keyed hash, or an address: nothing secret, so not in the arena */
    uint32_t failures;     /* 0 = free */
    int64_t last;          /* of the failures, monotonic seconds */
};
static struct row logins[ROWS], sources[ROWS];
static int64_t skew;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec + skew;
}

void lockout_pass(unsigned seconds) { skew += seconds; }

/* An address as a key. false: there is none. */
static bool source_key(const uint8_t peer[16], uint8_t key[ID_BYTES]) {
    static const uint8_t none[16], mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(key, peer, ID_BYTES);
    if (memcmp(peer, mapped, sizeof mapped) != 0) memset(key + 8, 0, 8);
    return memcmp(peer, none, sizeof none) != 0;
}

/* A key has WAYS places. One who fills them with other logins pays a KDF, and the delay of his source, for each. */
static struct row *place(struct row *table, const uint8_t key[ID_BYTES], bool make) {
    uint8_t hash[32];
    sha256(key, ID_BYTES, hash);
    struct row *set = &table[hash[0] % (ROWS / WAYS) * WAYS], *victim = set;
    for (struct row *r = set; r < set + WAYS; r++) {
        if (r->failures && r->last + FORGET_SECONDS < now()) r->failures = 0;
        if (r->failures && memcmp(r->key, key, ID_BYTES) == 0) return r;
        if (r->failures < victim->failures) victim = r;
    }
    if (!make) return NULL;
    *victim = (struct row){.last = now()};
    memcpy(victim->key, key, ID_BYTES);
    return victim;
}

static unsigned wait_of(struct row *table, const uint8_t key[ID_BYTES], uint32_t free_tries) {
    const struct row *r = place(table, key, false);
    if (!r || r->failures < free_tries) return 0;
    uint32_t doublings = r->failures - free_tries;
    int64_t delay = doublings < 6 ? 1 << doublings : LOCKOUT_LAST_SECONDS;
    int64_t left = r->last + delay - now();
    return left > 0 ? (unsigned)left : 0;
}

unsigned lockout_wait(const uint8_t locator[ID_BYTES], const uint8_t peer[16]) {
    uint8_t source[ID_BYTES];
    unsigned a = locator ? wait_of(logins, locator, LOGIN_FREE) : 0,
             b = source_key(peer, source) ? wait_of(sources, source, SOURCE_FREE) : 0;
    return a > b ? a : b;
}

static void begin(struct row *table, const uint8_t key[ID_BYTES], uint32_t free_tries) {
    struct row *r = place(table, key, false);
    if (r && r->failures >= free_tries) r->last = now();
}

void lockout_begin(const uint8_t locator[ID_BYTES], const uint8_t peer[16]) {
    uint8_t source[ID_BYTES];
    if (locator) begin(logins, locator, LOGIN_FREE);
    if (source_key(peer, source)) begin(sources, source, SOURCE_FREE);
}

static void fail(struct row *table, const uint8_t key[ID_BYTES]) {
    struct row *r = place(table, key, true);
    r->last = now();
    if (r->failures < UINT32_MAX) r->failures++;
}

void lockout_failed(const uint8_t locator[ID_BYTES], const uint8_t peer[16]) {
    uint8_t source[ID_BYTES];
    if (locator) fail(logins, locator);
    if (source_key(peer, source)) fail(sources, source);
}

static void forgive(struct row *table, const uint8_t key[ID_BYTES]) {
    struct row *r = place(table, key, false);
    if (r) r->failures = 0;
}

void lockout_forgive(const uint8_t locator[ID_BYTES], const uint8_t peer[16]) {
    uint8_t source[ID_BYTES];
    forgive(logins, locator);
    if (source_key(peer, source)) forgive(sources, source);
}
