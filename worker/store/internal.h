/* What the files of store/ share; nobody else includes it. */
#pragma once

#include "store.h"

#include "../keys/prf.h"
#include "room.h"
#include "seal.h"
#include "tree.h"

#include <lmdb.h>

enum { STORE_FORMAT = 2, STORE_BRANCHES = 32 };

/* What the file says of a table, inside the sealed state. */
struct table_state {
    uint64_t count;                 /* records */
    uint64_t floor;                 /* the highest version any deleted record had: a new id starts above it */
    uint8_t sum[PRF_BYTES];         /* the multiset hash of the records: sum mod 2^256, little endian */
    struct node_ref root;           /* id 0 = no index yet */
    uint32_t depth;                 /* levels of the index; 0 = none */
    uint64_t letter[INDEX_LETTERS]; /* entries of the index */
};

/* The commits from `first` on, up to the next branch's, were made in one unsealing of this file and in no other copy of it. */
struct branch {
    uint64_t first, tag; /* tag: random */
};

struct state {
    uint64_t commits;
    uint64_t next_node;          /* the next unused node id, from 1 */
    uint64_t committed;          /* Unix seconds of the last commit */
    uint8_t mark_key[KEY_BYTES]; /* made with the file and never changed: what was given out once is known for good */
    uint32_t branches;
    struct branch branch[STORE_BRANCHES]; /* the oldest first; from the oldest that is kept */
    uint8_t note[STORE_NOTE];
    struct table_state table[STORE_TABLES_END];
};

/* A pass of the check. Everything at or before its position is in the sums. */
struct scan {
    uint64_t pass; /* 0 = none under way */
    bool in_index;
    uint8_t key[SEALED_KEY]; /* records: the last one seen */
    uint8_t table;           /* index: the table being seen */
    struct index_key from;   /* index: the first key not yet seen */
    uint64_t count[STORE_TABLES_END];
    uint8_t sum[STORE_TABLES_END][PRF_BYTES];
    uint64_t letter[STORE_TABLES_END][INDEX_LETTERS];
    uint64_t seen, found;
};

/* Sums over records, like those of the sealed state. */
struct tally {
    uint64_t count[STORE_TABLES_END];
    uint8_t sum[STORE_TABLES_END][PRF_BYTES];
};

struct store {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader;  /* reset between calls, so that no page stays pinned */
    MDB_txn *writer;  /* open from the first write until the commit */
    unsigned reading; /* read_begin calls under way */
    int fd;           /* of the data file: its lock, and writing ahead of LMDB (room.c) */
    struct room room;
    struct {
        uint64_t map_bytes, file_bytes;
    } asked; /* from store_prepare to store_begin */

    struct keyring *keys; /* borrowed; NULL while sealed */
    struct prf *blind;
    struct prf *mac;
    uint8_t tenant[ID_BYTES];
    uint8_t order[ID_BYTES]; /* tells the order that these keys give the records from any other */
    struct buffer value;     /* the last plaintext handed out */
    struct buffer sealed;    /* the next ciphertext to store */
    struct tree tree;

    struct state state, before; /* now, and as of the last commit */
    struct scan scan, scan_before;
    struct store_snapshot *snapshot;  /* under way, or has given way; NULL = none */
    struct store_move *move;          /* from here, under way; NULL = none */
    struct tally moved, moved_before; /* the records that it has passed, as they are now */
    uint64_t passes;
    uint64_t changes;         /* since the last commit, but for */
    uint64_t quiet;           /* those of STORE_CHUNKS */
    uint64_t drops;           /* how often changes were dropped */
    enum store_result failed; /* the transaction was lost to this; store_commit will say so */
};

/* What an LMDB or errno code means to a caller. */
enum store_result store_result_of(int rc);

/* A view for reading: the open write transaction or the renewed reader. Each read_begin that gave STORE_OK is paired with a read_end. */
enum store_result read_begin(struct store *s, MDB_txn **view);
void read_end(struct store *s);

/* Opens the write transaction if there is none. */
enum store_result write_begin(struct store *s);
/* The transaction cannot go on: drops it at once, so that reading goes on; store_commit reports. Returns `why`. */
enum store_result write_lost(struct store *s, enum store_result why);

/* mdb_put and mdb_del in the write transaction, outside the arena; anything unexpected loses the transaction. A missing key is fine to del.
 */
enum store_result write_value(struct store *s, const struct sealed_key *key, const void *value, size_t size);
enum store_result write_gone(struct store *s, const struct sealed_key *key);
/* mdb_put in a nested transaction of its own, so that MDB_MAP_FULL spoils nothing; LMDB's code. */
int write_trial(struct store *s, MDB_val *key, MDB_val *value);

/* Counts a change of a table. */
static inline void changed(struct store *s, enum store_table table) { *(table == STORE_CHUNKS ? &s->quiet : &s->changes) += 1; }

/* Keeps a pass of the check true while index entries come (+1) and go (-1). */
void scan_entry(struct store *s, enum store_table table, const struct index_key *key, int change);

/* Tell a move under way of a change, that of a record with its element before and after (NULL = none). */
void move_record(struct store *s, const struct sealed_key *key, const uint8_t id[ID_BYTES], const uint8_t *gone, const uint8_t *added);
void move_entry(struct store *s, enum store_table table, const struct index_key *key);

/* store_put of a version that is given, whatever is there. */
enum store_result record_put(struct store *s, enum store_table table, const uint8_t id[ID_BYTES], const void *value, size_t size,
                             uint64_t version);

/* Opens a stored record into s->value; what is given points into it. */
struct record {
    const uint8_t *id, *value;
    size_t size;
};
enum store_result record_open(struct store *s, const struct sealed_key *key, const MDB_val *stored, struct record *record);

/* The multiset hash: the element of a stored value, and sum += or -= element. */
bool multiset_element(struct store *s, const struct sealed_key *key, const uint8_t *sealed, uint8_t element[PRF_BYTES]);
void multiset_add(uint8_t sum[PRF_BYTES], const uint8_t element[PRF_BYTES]);
void multiset_sub(uint8_t sum[PRF_BYTES], const uint8_t element[PRF_BYTES]);
/* One element gone, one added (NULL = none). */
void tally_change(uint64_t *count, uint8_t sum[PRF_BYTES], const uint8_t *gone, const uint8_t *added);

/* A new file's key of marks. */
void mark_begin(struct state *state);
/* The branch of what this unsealing will commit. */
void branch_begin(struct state *state);

/* What one change of a table's index may need at most. */
struct need index_need(const struct store *s, enum store_table table, bool deleting);

/* The position of a letter in a count of letters; -1 = not a letter. */
int letter_index(char letter);

/* A snapshot that is under way ends, so that its pages can be used again. false: there was none. */
bool snapshot_give_way(struct store *s);
/* The store is closed. */
void snapshot_store_gone(struct store *s);
/* Whether pages freed in that transaction or later are pinned by one. */
bool snapshot_pins(const struct store *s, uint64_t *from);

/* Is this the value under the format's key? */
bool store_is_format(const void *value, size_t size);
