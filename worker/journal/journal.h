/*
 * The tenant's journal: who did what, and when (S2, C4, C12). It lies sealed in the tenant's own store; nobody but the tenant reads it.
 *
 * A line is JSON, {line, at, act, user, about?, missed?}, numbered from 1. Its hash is SHA-256 of the hash of the line before it (32 zero
 * bytes before the first) and its bytes; number and hash of the last line lie in the store's sealed state, so that a line that is altered,
 * missing or put back shows. `missed` counts the lines before this one that could not be written,
 * also those of acts that were refused for that.
 *
 * Bounded: with more than journal_limit() lines the oldest go, 64 at a time, and a line `pruned` names the last of them and its hash: the
 * chain of an export made before joins there.
 *
 * Three ways to write, by what happens when a line cannot be written:
 *   journal_add    part of the next commit, with what it tells of: both are there or neither;
 *   journal_first  on the disk before the act: a change of credentials that cannot be recorded is refused;
 *   journal_tell   at once; a failure is counted and told by the next line. Nobody is locked out by a full store, and to read, to leave and
 *                  to take credentials away goes on.
 * How many were missed goes to the disk with the next commit of anything.
 *
 *   GET /api/v1/journal?from=&limit=   {items, next}: the newest first, from line `from` downwards   admin
 *   GET /api/v1/journal/export         JSON lines, the oldest first, each with its hash              admin
 *   GET /api/v1/journal/verify         {sound, first, last, hash} or {sound: false, line}            admin
 */
#pragma once

#include "../store/store.h"

#include <jansson.h>

enum journal_act {
#define ACT(NAME, MEANING) JOURNAL_##NAME,
#include "journal.def"
#undef ACT
    JOURNAL_ACTS
};

enum { JOURNAL_HASH = 32, JOURNAL_FAILURES_SECONDS = 60 };

/* S2, C4: who did what and when is a line that the tenant alone reads, each switch included */
/* user: NULL = unknown, or nobody. about: an object, stolen; NULL = nothing more to say (also where its making ran out of memory). */
enum store_result journal_add(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about);
enum store_result journal_first(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about); /* commits, as exchange_commit() does */
void journal_tell(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about);               /* likewise */

/* A wrong log-in, also of a sealed tenant: a line a minute at most, so that a flood does not push the other lines out. */
void journal_login_failed(void);
/* The tenant has been opened: tells of it, and of what went wrong before. */
void journal_unsealed(void);
/* The worker ends: what waits is written. */
void journal_end(enum journal_act why);

uint64_t journal_first_line(void); /* the oldest that is kept; 1 in a new journal */
uint64_t journal_last_line(void);  /* 0 in a new journal */
void journal_head(uint8_t hash[JOURNAL_HASH]);
uint64_t journal_limit(void); /* lines kept at most, by the quota: some 2 % of it, 256 to 65536 lines */

/* An id as text, for `about`. A new string; NULL: out of memory. */
json_t *journal_id(const uint8_t id[ID_BYTES]);

struct journal_line {
    const char *text; /* valid until the next call on the store */
    size_t size;
    uint8_t before[JOURNAL_HASH], hash[JOURNAL_HASH];
};
enum store_result journal_read(uint64_t number, struct journal_line *line);

/* Follows the chain for up to `lines` more; start with a zeroed struct. Lines may be added and pruned between the steps. */
struct journal_walk {
    uint64_t next; /* the line to look at */
    uint8_t hash[JOURNAL_HASH];
    bool done, sound; /* done and not sound: the chain breaks at `next` */
};
enum store_result journal_check(struct journal_walk *walk, size_t lines);

void journal_pass(unsigned seconds); /* for tests: that much time has gone by */
