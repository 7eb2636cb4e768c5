/*
 * One tenant's LMDB file (H1, S4). The only includer of <lmdb.h>. Every value is sealed (XAES-256-GCM, AAD = tenant, table, blind key,
 * version), padded (Padmé) before sealing; every LMDB key is a PRF output. One thread.
 *
 * Writing is group commit: store_put and friends go into one LMDB transaction that stays open until store_commit(); reads see it.
 * The caller (the event loop) answers a write only after store_commit() returned 0.
 * A write that fails with anything but STORE_MISSING or STORE_CONFLICT dooms the open transaction, since a record without its index entry
 * must never be kept: the next store_commit() drops all of it and returns that first failure, so that every waiting answer becomes it.
 *
 * The file also keeps, per table, a sealed count and a keyed multiset hash over (id, version): `check` finds what went missing.
 */
#pragma once

#include "../keys/keyring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum store_table { STORE_COMPANIES = 1, STORE_CONTACTS, STORE_USERS, STORE_SETTINGS, STORE_TABLES_END };

enum store_result {
    STORE_OK = 0,
    STORE_MISSING,  /* no such record */
    STORE_CONFLICT, /* the version is not the expected one, or the record exists */
    STORE_FULL,     /* quota or disk: 507 */
    STORE_BROKEN,   /* a value or page that does not open: what is returned is never altered content */
    STORE_MEMORY,   /* out of arena: 503 */
    STORE_IO,
};

/* Opens (or makes) `path`, e.g. "data.mdb", before sealing; no key needed. NULL with errno; EPROTO when the format is unknown.
 * map_bytes is the quota. */
struct store *store_open(const char *path, uint64_t map_bytes);
void store_close(struct store *s);
enum store_result store_resize(struct store *s, uint64_t map_bytes); /* only between transactions; never under what is used */

/* Gives the keys; `tenant` (its registry number is not enough: 16 random bytes kept in the capsule or the file) goes into every AAD. */
enum store_result store_unseal(struct store *s, struct keyring *keys);
void store_seal(struct store *s);

/* The value and its version. *value points into memory of the store's own that is valid until the next call on the store. */
enum store_result store_get(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const uint8_t **value, size_t *size, uint64_t *version);

/* Writes a record. expected: the version it must have now; 0 = must not exist; STORE_ANY = whatever. The new version is *version
 * (one more than the highest the id ever had in this file, or 1). */
#define STORE_ANY UINT64_MAX
enum store_result store_put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size, uint64_t expected, uint64_t *version);
enum store_result store_delete(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], uint64_t expected);

/*
 * The ordered index of a table: sealed B+tree nodes, so that a page of a letter costs a handful of decryptions.
 * An entry is (letter, sort key, id) -> summary; letter is 'A'..'Z' or '#'; sort key <= INDEX_KEY_MAX bytes compared as bytes;
 * summary is what a list shows, <= INDEX_SUMMARY_MAX bytes.
 */
enum { INDEX_KEY_MAX = 128, INDEX_SUMMARY_MAX = 1024 };
struct index_key {
    char letter; /* ASCII order: '#' before 'A' */
    uint8_t size;
    uint8_t bytes[INDEX_KEY_MAX];
    uint8_t id[ID_BYTES];
};
enum store_result index_put(struct store *s, enum store_table table, const struct index_key *key, const void *summary, size_t size);
enum store_result index_delete(struct store *s, enum store_table table, const struct index_key *key);

/* Calls `each` for up to `limit` entries strictly after `after` (NULL = from the start) in order; letter 0 = all letters, else only that
 * one. backwards: strictly before `after`, descending. each returns false to stop. *more tells whether another entry follows. */
typedef bool index_each(void *argument, const struct index_key *key, const uint8_t *summary, size_t size);
enum store_result index_list(struct store *s, enum store_table table, char letter, const struct index_key *after, bool backwards, size_t limit, index_each *each, void *argument, bool *more);

/* How many entries each letter has: '#', 'A'..'Z' (27). */
enum store_result index_letters(struct store *s, enum store_table table, uint64_t count[27]);
uint64_t store_count(struct store *s, enum store_table table); /* records; 0 while sealed */

/* Makes everything since the last commit durable (one fdatasync). On anything but STORE_OK nothing of it happened. */
enum store_result store_commit(struct store *s);
void store_abort(struct store *s);     /* drops what is not committed */
bool store_dirty(const struct store *s);
uint64_t store_commits(const struct store *s); /* the commit counter, sealed in the file; rises by one a commit */
uint64_t store_bytes(const struct store *s);   /* used bytes of the file */

/* One step of the background check: looks at up to `records` more. *done when a pass is over; found: what is missing or does not open. */
struct store_check { uint64_t cursor[4]; uint64_t seen, found; bool done; uint8_t state[512]; };
enum store_result store_check_step(struct store *s, struct store_check *check, size_t records);

/* All records of a table, unordered, for export without an index: call with position zeroed; up to `limit` a call. */
struct store_cursor { uint8_t key[64]; size_t size; bool done; };
typedef bool store_each(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version);
enum store_result store_walk(struct store *s, enum store_table table, struct store_cursor *cursor, size_t limit, store_each *each, void *argument);
