/*
 * One tenant's LMDB file (H1, S4). store/ is the only includer of <lmdb.h>. Every value is sealed (XAES-256-GCM, AAD = format, tenant,
 * table, blind key, version), padded (Padmé) before sealing; every LMDB key is a PRF output behind one byte for its table. One thread.
 *
 * Writing is group commit: store_put and friends go into one LMDB transaction that stays open until store_commit(); reads see it.
 * The caller (the event loop) answers a write only after store_commit() returned STORE_OK.
 *
 * What is detected, and when:
 *   - an altered, truncated, moved or foreign value: when it is read (STORE_BROKEN);
 *   - an index node that is missing or old: when it is read, since a node's version stands in its parent and the root's in the sealed
 * state;
 *   - a record that is missing, or an old one put back: by the check, which holds all records against a sealed count and a keyed
 *     multiset hash a table (MSet-Add-Hash; Clarke, Devadas, van Dijk, Gassend, Suh: "Incremental Multiset Hash Functions", ASIACRYPT
 * 2003);
 *   - the whole file rolled back: not here; whoever keeps a mark of it sees that (store_mark).
 * A page whose structure is damaged may make LMDB end the process; nothing altered is ever returned.
 */
#pragma once

#include "../keys/keyring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* At rest the table of a record shows (one byte of its key), and so do sizes after padding and how often a record was written. */
enum store_table {
    STORE_COMPANIES = 1,
    STORE_CONTACTS,
    STORE_USERS,
    STORE_SETTINGS,
    STORE_JOURNAL,
    STORE_DOCUMENTS,
    STORE_CHUNKS, /* of documents */
    STORE_NOTICES,
    STORE_SUPPORT,
    STORE_RULES,
    STORE_TABLES_END /* append only: a file that knows fewer has the others empty */
};

enum store_result {
    STORE_OK = 0,
    STORE_MISSING,  /* no such record */
    STORE_CONFLICT, /* the version is not the expected one, or the record exists */
    STORE_FULL,     /* quota or disk: 507; reading and deleting go on */
    STORE_BROKEN,   /* a value or page that does not open: what is returned is never altered content */
    STORE_MEMORY,   /* out of arena, or the transaction has grown too large (store_pressed): 503 */
    STORE_IO,
    STORE_SEALED,  /* no keys yet */
    STORE_INVALID, /* an argument out of its range: the caller's bug */
};

enum {
    STORE_VALUE_MAX = 2 << 20, /* bytes of one value */
    STORE_MAP_MIN = 1 << 20,   /* the smallest quota, bytes */
};

/*
 * Opens (or makes) `path`, e.g. "data.mdb", and LMDB's lock file beside it; no key needed, so before the process seals itself. Nothing is
 * opened, created or truncated afterwards; the calls made later are pread, pwrite, pwritev, fdatasync, mmap and munmap.
 * map_bytes is the quota: a multiple of 4096, at least STORE_MAP_MIN. A file that already holds more stays readable.
 * NULL with errno: EPROTO = not a store or of an unknown format, EBADMSG = damaged or cut short, EBUSY = another has it open,
 * EINVAL = map_bytes, or what the system said.
 */
struct store *store_open(const char *path, uint64_t map_bytes);

/*
 * The same in two steps, with the process sealing itself in between. LMDB trusts the pages that it reads, and whoever had taken over this
 * tenant's last worker wrote them: they are looked at behind the walls. store_begin: 0, or -1 with errno; then only store_close is left.
 */
struct store *store_prepare(const char *path, uint64_t map_bytes);
int store_begin(struct store *s);
void store_close(struct store *s); /* drops what is not committed; NULL is fine */

/* Another quota, at any time while no write is pending (else STORE_INVALID). Under what is used it only stops further growth. */
enum store_result store_resize(struct store *s, uint64_t map_bytes);

/* Gives the keys (borrowed until store_seal or store_close) and the tenant's 16 random bytes, which go into every AAD.
 * STORE_BROKEN: the file is another tenant's, another key's, or its state is damaged. An empty file takes any key. */
enum store_result store_unseal(struct store *s, struct keyring *keys, const uint8_t tenant_id[ID_BYTES]);
void store_seal(struct store *s); /* drops what is not committed, wipes all plaintext */

/* The value and its version. *value points into memory of the store's own that is valid until the next call on the store. */
enum store_result store_get(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const uint8_t **value, size_t *size,
                            uint64_t *version);
/* The same of a value that is a struct, copied out. Whatever goes wrong *out is zeroed; STORE_BROKEN: also where it has another size. */
enum store_result store_get_struct(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], void *out, size_t size);

/*
 * Writes a record of up to STORE_VALUE_MAX bytes. expected: the version it must have now; 0 = must not exist; STORE_ANY = whatever.
 * *version (may be NULL) is the new version: one more than the old, or for a new id one more than the highest that any deleted record of
 * the table ever had (so 1 before the first deletion): an id's version never repeats within the file, without a tombstone a deleted id.
 * STORE_FULL refuses this write alone; what else waits for the commit is not harmed.
 */
#define STORE_ANY UINT64_MAX
enum store_result store_put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size,
                            uint64_t expected, uint64_t *version);
/* The version that a new id of the table would get now. 0 while sealed. */
uint64_t store_new_version(const struct store *s, enum store_table table);
/*
 * Whether a change of one record and two of the table's index can surely be made now, so that a change of several parts is refused before
 * its first: a store_put of `size` bytes, or with `deleting` a store_delete. STORE_OK, or what one of the parts might say. (For a value
 * over a page that needs a run of free pages, the put itself may still say STORE_FULL.)
 */
enum store_result store_fits(struct store *s, enum store_table table, size_t size, bool deleting);
/* Works on a full file too, out of a reserve. With STORE_ANY also a record that is STORE_BROKEN goes (and store_put replaces it). */
enum store_result store_delete(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], uint64_t expected);

/*
 * The ordered index of a table: sealed B+tree nodes, so that a page of a letter costs a handful of decryptions.
 * An entry is (letter, sort key, id) -> summary; letter is 'A'..'Z' or '#'; sort key <= INDEX_KEY_MAX bytes compared as bytes;
 * summary is what a list shows, <= INDEX_SUMMARY_MAX bytes. index_put replaces the summary of an entry that is there already.
 */
enum { INDEX_KEY_MAX = 128, INDEX_SUMMARY_MAX = 1024, INDEX_LETTERS = 27 };
struct index_key {
    char letter; /* ASCII order: '#' before 'A' */
    uint8_t size;
    uint8_t bytes[INDEX_KEY_MAX];
    uint8_t id[ID_BYTES];
};
enum store_result index_put(struct store *s, enum store_table table, const struct index_key *key, const void *summary, size_t size);
enum store_result index_delete(struct store *s, enum store_table table,
                               const struct index_key *key); /* STORE_MISSING when it is not there */

/* The summary of one entry, valid until the next call on the store. */
enum store_result index_get(struct store *s, enum store_table table, const struct index_key *key, const uint8_t **summary, size_t *size);

/* Calls `each` for up to `limit` entries strictly after `after` (NULL = from the start) in order; letter 0 = all letters, else only that
 * one. backwards: strictly before `after` (NULL = from the end), descending. each returns false to stop; it may call store_get, and
 * nothing else of the store. *more (may be NULL) tells whether another entry follows. */
typedef bool index_each(void *argument, const struct index_key *key, const uint8_t *summary, size_t size);
enum store_result index_list(struct store *s, enum store_table table, char letter, const struct index_key *after, bool backwards,
                             size_t limit, index_each *each, void *argument, bool *more);

/* How many entries each letter has: '#', 'A'..'Z'. */
enum store_result index_letters(struct store *s, enum store_table table, uint64_t count[INDEX_LETTERS]);
uint64_t store_count(struct store *s, enum store_table table); /* records; 0 while sealed */

/* Makes everything since the last commit durable (LMDB's one fdatasync of the pages, then its synchronous write of the meta page). On
 * anything but STORE_OK nothing of it happened. Also says so (once) when the transaction was lost by an earlier call's failure. */
enum store_result store_commit(struct store *s);
void store_abort(struct store *s); /* drops what is not committed */
/* The same, and the next store_commit says why (not STORE_OK): for a caller that could not undo its half of a change. */
void store_lose(struct store *s, enum store_result why);
/* Something waits for store_commit that somebody may have seen. Changes of STORE_CHUNKS are quiet: nobody sees them before a document
 * tells of them, so that a long upload is no reason to commit at the end of each turn. */
bool store_dirty(const struct store *s);
bool store_pending(const struct store *s);       /* something waits at all: quiet changes too */
uint64_t store_drops(const struct store *s);     /* how often what waited was dropped: whoever wrote before it writes again */
bool store_pressed(const struct store *s);       /* so much waits that the caller should commit before its next write */
uint64_t store_commits(const struct store *s);   /* the commit counter, sealed in the file; rises by one a commit */
uint64_t store_committed(const struct store *s); /* Unix seconds of the last commit; 0 = none yet */
uint64_t store_bytes(const struct store *s);     /* bytes of the file in use as of the last commit, free pages not counted */

/*
 * A mark is what a client keeps of the file, so that an older one put back shows: a commit's number, the random tag of the unsealing that
 * made it, and a MAC under a key that lies in the file's sealed state since its first commit (and so does not change with the TMK). A
 * higher number alone would not do: whoever writes on in the older file soon reaches it. The file knows the tags of its last 32
 * unsealings that wrote something; an older mark is held against the number alone. A mark tells a client nothing.
 */
enum { STORE_MARK = 32 };
enum store_mark {
    MARK_FOREIGN, /* not one of this file's, whatever its age: means nothing */
    MARK_KNOWN,   /* the file holds that commit */
    MARK_LOST,    /* the file held that commit once, and does no longer */
};
/* The mark of the last commit, or when something waits of the next: for an answer that leaves after it. */
void store_mark(const struct store *s, uint8_t mark[STORE_MARK]);
/* *commit: the number in it (not of a MARK_FOREIGN). */
enum store_mark store_mark_read(const struct store *s, const uint8_t mark[STORE_MARK], uint64_t *commit);
/* Goes on from the older file as it is, as part of the next commit, whose number will be above `lost` and with a margin above whatever else
 * may have been lost with it: no mark of before is MARK_LOST then. */
enum store_result store_accept(struct store *s, uint64_t lost);

/* Bytes that the caller keeps in the sealed state, as new as the file's last commit: zero in a new file, written with the next commit that
 * has something else to write, and gone back when that fails. */
enum { STORE_NOTE = 56 };
uint8_t *store_note(struct store *s);

/*
 * One value in clear that the caller keeps in the file, read without a key once the store has begun (store_begin): what it says, it must
 * prove by itself. A change is part of the next commit; a rotation does not carry it over.
 */
enum { STORE_CLEAR_MAX = 1024 };
enum store_result store_clear_get(struct store *s, void *out, size_t size); /* STORE_BROKEN: it is of another size */
enum store_result store_clear_put(struct store *s, const void *bytes, size_t size);
enum store_result store_clear_remove(struct store *s); /* STORE_MISSING: there is none */
/* The commit counter as it shows without a key, and so as whoever wrote the file wanted it; 0 = none yet. */
uint64_t store_commits_shown(struct store *s);
bool store_begun(const struct store *s); /* store_begin succeeded */

/*
 * The background check: every record and index node is opened, and the whole held against the sealed counts and hashes. A pass needs no
 * snapshot and pins no page: writes between two steps that touch what the pass has already seen are entered into its sums as they happen.
 * One pass at a time: start with a zeroed struct; each step looks at up to `records` values more. done: the pass is over, and `found` of
 * `seen` is what does not open, is out of place, or is missing.
 */
struct store_check {
    uint64_t pass; /* private */
    uint64_t seen, found;
    bool done;
};
enum store_result store_check_step(struct store *s, struct store_check *check, size_t records);

/* All records of a table, unordered, for export without an index: start with a zeroed cursor; up to `limit` a call. The value lives until
 * `each` returns; each returns false to stop, and calls nothing of the store. STORE_BROKEN: the record after the last one given does not
 * open; the cursor has passed it, so the walk can go on, unless `done` says that nothing behind it can be found. Records written in between
 * may or may not be seen. STORE_CONFLICT: the store has other keys now (a rotation), and what was not yet given cannot be told. */
struct store_cursor {
    uint8_t key[64]; /* private, as the next two */
    uint8_t order[ID_BYTES];
    size_t size;
    bool done;
};
typedef bool store_each(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version);
enum store_result store_walk(struct store *s, enum store_table table, struct store_cursor *cursor, size_t limit, store_each *each,
                             void *argument);

/*
 * A move of everything into another file under other keys, while this one is in use: for a rotation of the keys. The second file is compact
 * when it is done, and in everything that a caller sees the same: versions, order, counters.
 *
 * A file that is called spare, in clear, is nobody's only copy. Only a spare file is ever emptied, so that no old or foreign capsule
 * that takes the wrong file for the one in use makes a start destroy the right one.
 */
/* Before the process seals itself and before store_prepare: empties the file when it is spare. 0, or -1 with errno. */
int store_clear_spare(const char *path);
bool store_is_spare(const struct store *s);
/* Of a prepared store; that it no longer is one is durable with the next commit. STORE_IO, STORE_FULL: it did not go. */
enum store_result store_set_spare(struct store *s, bool spare);
/* A prepared, sealed and spare store (else STORE_INVALID) becomes an empty one of this quota; store_begin is called if need be. Its pages
 * are free, and keep their content until they are used again. */
enum store_result store_empty(struct store *s, uint64_t map_bytes);

/* Both unsealed, `to` empty. NULL: out of memory. */
struct store_move;
struct store_move *store_move_begin(struct store *from, struct store *to);
/* Copies up to `values` records and index entries, changed ones first, and commits `to` now and then. Nothing happens while something waits
 * for store_commit(from). *done: all was copied; then a change of `from` makes it false again. Anything but STORE_OK is about `to`, or
 * STORE_BROKEN: a value does not open, or the copied records are not those that the sealed sums of `from` are about; STORE_MEMORY: also
 * more changes at once than the move keeps. The move is over then. */
enum store_result store_move_step(struct store_move *m, size_t values, bool *done);
/* Once done, in the same turn: gives `to` the counters of `from`, one commit on, as part of the commit of `to` that the caller makes. */
enum store_result store_move_complete(struct store_move *m);
void store_move_progress(const struct store_move *m, uint64_t *copied, uint64_t *total); /* in values */
size_t store_move_behind(const struct store_move *m);                                    /* how many changes wait */
/* `from` goes on alone. Uncommitted content of `to` is dropped by its caller's store_seal or store_abort. */
void store_move_end(struct store_move *m);

/*
 * A snapshot for a backup (C7): everything as of the last commit, as a stream of chunks (policy/chunk.h) into a pipe that does not
 * block; no key is needed, nothing is opened, so it works sealed. Writing goes on meanwhile. Pages that writers free are kept for it until
 * its end: when a write would find no room because of that, or the file is mapped anew, the snapshot gives way (STORE_FULL).
 */
struct store_snapshot;
enum { STORE_SNAPSHOT_STEP = 256 << 10 /* bytes at once, about */ };
/* NULL: out of memory, LMDB fails, or one is under way. key_created: of the TMK, for the stream's head. */
struct store_snapshot *store_snapshot_begin(struct store *s, uint64_t key_created);
/* Writes what the pipe takes at once. STORE_OK; *done: all is written. STORE_IO: nobody reads it. Else it is over. */
enum store_result store_snapshot_step(struct store_snapshot *snapshot, int fd, bool *done);
void store_snapshot_end(struct store_snapshot *snapshot); /* NULL is fine */

/*
 * The way back: a new data file out of chunks, in any order, without a key (C7). `path` must not be there. Each chunk must be what a store
 * of this format may hold, and none twice.
 */
struct chunk;
struct store_image;
struct store_image *store_image_begin(const char *path, uint64_t map_bytes); /* NULL with errno */
/* STORE_BROKEN: not a chunk of a store; STORE_CONFLICT: its key is there already; STORE_FULL. */
enum store_result store_image_put(struct store_image *image, const struct chunk *chunk);
/* So many chunks were put, and make a store; durable when STORE_OK. */
enum store_result store_image_finish(struct store_image *image, uint64_t chunks);
void store_image_end(struct store_image *image); /* NULL is fine; what is not finished stays unfinished */
