#include "sources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, SETS = SOURCES_ROWS / WAYS, TOKEN = 1000 /* a rate of 1/s earns one a millisecond */ };

struct source {
    uint8_t key[16];
    uint64_t filled_ms; /* when tokens was right */
    uint64_t tokens;    /* thousandths of a connection */
    uint32_t open;
    bool used;
};

struct sources {
    uint64_t key[2];
    uint32_t open_limit;
    uint32_t rate;
    struct source row[SETS][WAYS];
};

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static void sip_round(uint64_t v[4]) {
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of 16 bytes. */
static uint64_t sip_hash(const uint64_t key[2], const uint8_t bytes[16]) {
    uint64_t word[3];
    memcpy(word, bytes, 16);
    word[2] = (uint64_t)16 << 56;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    for (int i = 0; i < 3; i++) {
        v[3] ^= word[i];
        sip_round(v), sip_round(v);
        v[0] ^= word[i];
    }
    v[2] ^= 0xff;
    sip_round(v), sip_round(v), sip_round(v), sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct sources *sources_new(const uint8_t key[16]) {
    struct sources *sources = calloc(1, sizeof *sources);
    if (sources) memcpy(sources->key, key, 16);
    return sources;
}

void sources_free(struct sources *sources) { free(sources); }

void sources_limit(struct sources *sources, uint32_t open, uint32_t rate) {
    sources->open_limit = open;
    sources->rate = rate;
}

static uint64_t full(const struct sources *sources) { return (uint64_t)sources->rate * SOURCES_BURST_SECONDS * TOKEN; }

static void refill(const struct sources *sources, struct source *row, uint64_t now_ms) {
    uint64_t elapsed = now_ms > row->filled_ms ? now_ms - row->filled_ms : 0;
    uint64_t most = full(sources);
    if (elapsed >= SOURCES_BURST_SECONDS * 1000ULL)
        row->tokens = most;
    else
        row->tokens += elapsed * sources->rate;
    if (row->tokens > most) row->tokens = most;
    row->filled_ms = now_ms;
}

/* The row of that key in two sets, or the one that gives way to it (not `used` then), or NULL when all have open connections. */
static struct source *find(struct sources *sources, const uint8_t key[16], uint64_t now_ms) {
    uint64_t hash = sip_hash(sources->key, key);
    struct source *set[2] = {sources->row[hash % SETS], sources->row[(hash >> 32) % SETS]};
    struct source *victim = NULL;
    for (int i = 0; i < 2 * WAYS; i++) {
        struct source *row = &set[i / WAYS][i % WAYS];
        if (!row->used) {
            if (!victim || victim->used) victim = row;
            continue;
        }
        if (memcmp(row->key, key, 16) == 0) return row;
        if (row->open > 0) continue;
        refill(sources, row, now_ms);
        if (!victim || (victim->used && row->tokens > victim->tokens)) victim = row;
    }
    if (victim) victim->used = false;
    return victim;
}

enum sources_verdict sources_enter(struct sources *sources, const uint8_t address[16], uint64_t now_ms, struct source **out) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint8_t key[16];
    memcpy(key, address, 16);
    if (memcmp(key, mapped, sizeof mapped) != 0) memset(key + 8, 0, 8); /* whoever has one IPv6 address has the /64 */

    struct source *row = find(sources, key, now_ms);
    if (!row) return SOURCES_TOO_MANY;
    if (!row->used) {
        *row = (struct source){.filled_ms = now_ms, .tokens = full(sources), .used = true};
        memcpy(row->key, key, 16);
    }
    if (sources->open_limit != 0 && row->open >= sources->open_limit) return SOURCES_TOO_MANY;
    if (sources->rate != 0) {
        refill(sources, row, now_ms);
        if (row->tokens < TOKEN) return SOURCES_TOO_FAST;
        row->tokens -= TOKEN;
    }
    row->open++;
    *out = row;
    return SOURCES_ADMITTED;
}

void sources_leave(struct sources *sources, struct source *source) {
    (void)sources;
    if (source->open == 0) abort(); /* our own count is wrong */
    source->open--;
}

void sources_penalise(struct sources *sources, struct source *source, uint64_t now_ms) {
    refill(sources, source, now_ms);
    uint64_t penalty = (uint64_t)SOURCES_PENALTY * TOKEN;
    source->tokens -= penalty < source->tokens ? penalty : source->tokens;
}
