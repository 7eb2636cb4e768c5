/* Transactions: one reader that is renewed for each call, one writer that stays open until the commit. */
#include "internal.h"
#include "state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum store_result store_result_of(int rc) {
    switch (rc) {
    case 0:
        return STORE_OK;
    case MDB_NOTFOUND:
        return STORE_MISSING;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STORE_FULL;
    case ENOMEM:
        return STORE_MEMORY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_INVALID:
    case MDB_BAD_VALSIZE:
    case MDB_INCOMPATIBLE:
        return STORE_BROKEN;
    default:
        return STORE_IO;
    }
}

enum store_result read_begin(struct store *s, MDB_txn **view) {
    if (!s->writer && s->reading == 0) {
        int rc = mdb_txn_renew(s->reader);
        if (rc != 0) return store_result_of(rc);
    }
    s->reading++;
    *view = s->writer ? s->writer : s->reader;
    return STORE_OK;
}

void read_end(struct store *s) {
    if (--s->reading == 0 && !s->writer) mdb_txn_reset(s->reader);
}

enum store_result write_begin(struct store *s) {
    if (s->failed) return s->failed;
    if (s->writer) return STORE_OK;
    if (s->reading > 0) return STORE_INVALID; /* out of a callback */
    if (!room_read(s)) return STORE_BROKEN;
    int rc = mdb_txn_begin(s->env, NULL, 0, &s->writer);
    if (rc != 0) {
        s->writer = NULL;
        return store_result_of(rc);
    }
    s->before = s->state;
    s->scan_before = s->scan;
    s->moved_before = s->moved;
    tree_begin(s);
    return STORE_OK;
}

/* Back to the last commit. The LMDB transaction is over already, or ends here. */
static void drop(struct store *s) {
    if (s->writer) {
        mdb_txn_abort(s->writer);
        s->writer = NULL;
    }
    tree_drop(s);
    s->drops += store_pending(s);
    s->state = s->before;
    s->scan = s->scan_before;
    s->moved = s->moved_before;
    s->changes = s->quiet = 0;
    s->room.taken = s->room.taken_branches = s->room.taken_puts = 0;
}

enum store_result write_lost(struct store *s, enum store_result why) {
    drop(s);
    s->failed = why;
    return why;
}

enum store_result write_value(struct store *s, const struct sealed_key *key, const void *value, size_t size) {
    MDB_val k = {SEALED_KEY, (void *)(uintptr_t)key->bytes}, v = {size, (void *)(uintptr_t)value};

    int rc = mdb_put(s->writer, s->dbi, &k, &v, 0);
    return rc == 0 ? STORE_OK : write_lost(s, store_result_of(rc));
}

enum store_result write_gone(struct store *s, const struct sealed_key *key) {
    MDB_val k = {SEALED_KEY, (void *)(uintptr_t)key->bytes};

    int rc = mdb_del(s->writer, s->dbi, &k, NULL);
    return rc == 0 || rc == MDB_NOTFOUND ? STORE_OK : write_lost(s, store_result_of(rc));
}

int write_trial(struct store *s, MDB_val *key, MDB_val *value) {
    MDB_txn *trial;

    int rc = mdb_txn_begin(s->env, s->writer, 0, &trial);
    if (rc == 0) {
        rc = mdb_put(trial, s->dbi, key, value, 0);
        if (rc == 0)
            rc = mdb_txn_commit(trial);
        else
            mdb_txn_abort(trial);
    }
    return rc;
}

enum store_result store_commit(struct store *s) {
    enum store_result result = s->failed;

    if (result != STORE_OK || s->changes + s->quiet == 0) {
        store_abort(s);
        return result;
    }
    result = tree_flush(s);
    if (result == STORE_OK) {
        s->state.commits++;
        s->state.committed = (uint64_t)time(NULL);
        result = state_write(s);
    }
    if (result != STORE_OK) {
        store_abort(s);
        return result;
    }
    int rc = mdb_txn_commit(s->writer);
    s->writer = NULL;
    if (rc != 0) {
        drop(s);
        /* LMDB says EIO of a write that came out short, which is how a file size limit shows. */
        return rc == EIO && s->room.stuck ? STORE_FULL : store_result_of(rc);
    }
    s->changes = s->quiet = 0;
    s->before = s->state;
    tree_settle(s);
    room_read(s); /* only figures: the commit stands */
    return STORE_OK;
}

void store_lose(struct store *s, enum store_result why) { write_lost(s, why); }

void store_abort(struct store *s) {
    if (s->writer) drop(s);
    s->failed = STORE_OK;
}
