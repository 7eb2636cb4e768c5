/*
 * The snapshot: one read transaction, walked in the order of the keys, straight out of LMDB's map into the pipe. It holds pages that
 * writers freed meanwhile, so it gives way when a write would find no room because of it.
 */
#include "internal.h"

#include "../../policy/chunk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static_assert((int)CHUNK_KEY == (int)SEALED_KEY, "a chunk's key is a value's");

enum { CHUNKS = 64, PARTS = 2 * CHUNKS + 1 };

struct store_snapshot {
    struct store *s;
    MDB_txn *view; /* NULL: it gave way */
    MDB_cursor *at;
    bool walked, ended; /* all chunks are in parts; the end is, too */
    uint64_t chunks, bytes;
    struct iovec part[PARTS]; /* what is on its way, from `next` to `count` */
    int next, count;
    uint8_t head[CHUNKS][CHUNK_HEAD];
    uint8_t first[STREAM_HEAD], last[STREAM_END];
};

static const struct sealed_key state_key = {{SPACE_META, 's'}};

static void add(struct store_snapshot *n, const void *bytes, size_t size) {
    n->part[n->count++] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
}

static bool begin(struct store_snapshot *n, uint64_t key_created) {
    MDB_val key = {SEALED_KEY, (void *)(uintptr_t)state_key.bytes}, value;
    struct stream_head head = {.key_created = key_created};
    if (mdb_txn_begin(n->s->env, NULL, MDB_RDONLY, &n->view) != 0) {
        n->view = NULL;
        return false;
    }
    if (mdb_cursor_open(n->view, n->s->dbi, &n->at) != 0) return false;
    int rc = mdb_get(n->view, n->s->dbi, &key, &value);
    if (rc == 0 && value.mv_size >= SEALED_OVERHEAD) head.commit = seal_version(value.mv_data);
    stream_head_write(&head, n->first);
    add(n, n->first, sizeof n->first);
    return rc == 0 || rc == MDB_NOTFOUND;
}

/* C7: a snapshot is one state of the store, sealed as it lies there, while the tenant works on */
struct store_snapshot *store_snapshot_begin(struct store *s, uint64_t key_created) {
    struct store_snapshot *n = s->snapshot ? NULL : calloc(1, sizeof *n);
    if (!n) return NULL;
    n->s = s;
    s->snapshot = n;
    if (begin(n, key_created)) return n;
    store_snapshot_end(n);
    return NULL;
}

/* The next chunks, as they lie in the map. */
static enum store_result gather(struct store_snapshot *n) {
    MDB_val key, value;
    size_t bytes = 0;
    n->next = n->count = 0;
    for (int i = 0; i < CHUNKS && bytes < STORE_SNAPSHOT_STEP && !n->walked; i++) {
        int rc = mdb_cursor_get(n->at, &key, &value, MDB_NEXT);
        n->walked = rc == MDB_NOTFOUND;
        if (n->walked) break;
        if (rc != 0) return store_result_of(rc);
        if (key.mv_size != SEALED_KEY || value.mv_size > CHUNK_MAX) return STORE_BROKEN;
        chunk_head(key.mv_data, (uint32_t)value.mv_size, n->head[i]);
        add(n, n->head[i], CHUNK_HEAD);
        add(n, value.mv_data, value.mv_size);
        n->chunks++;
        n->bytes += value.mv_size;
        bytes += value.mv_size;
    }
    if (!n->walked) return STORE_OK;
    stream_end_write(n->chunks, n->bytes, n->last);
    add(n, n->last, sizeof n->last);
    n->ended = true;
    return STORE_OK;
}

/* As much as the pipe takes at once. */
static enum store_result push(struct store_snapshot *n, int fd) {
    ssize_t put = writev(fd, n->part + n->next, n->count - n->next);
    if (put < 0) return errno == EAGAIN || errno == EINTR ? STORE_OK : STORE_IO;
    for (size_t left = (size_t)put; n->next < n->count;) {
        struct iovec *p = &n->part[n->next];
        if (left < p->iov_len) {
            p->iov_base = (uint8_t *)p->iov_base + left;
            p->iov_len -= left;
            break;
        }
        left -= p->iov_len;
        n->next++;
    }
    return STORE_OK;
}

enum store_result store_snapshot_step(struct store_snapshot *n, int fd, bool *done) {
    *done = false;
    if (!n->view) return STORE_FULL;
    enum store_result result = n->next == n->count ? gather(n) : STORE_OK;
    if (result == STORE_OK) result = push(n, fd);
    *done = result == STORE_OK && n->ended && n->next == n->count;
    return result;
}

static void let_go(struct store_snapshot *n) {
    if (n->at) mdb_cursor_close(n->at);
    if (n->view) mdb_txn_abort(n->view);
    n->at = NULL;
    n->view = NULL;
}

void store_snapshot_end(struct store_snapshot *n) {
    if (!n) return;
    let_go(n);
    if (n->s) n->s->snapshot = NULL;
    free(n);
}

bool snapshot_give_way(struct store *s) {
    if (!s->snapshot || !s->snapshot->view) return false;
    let_go(s->snapshot);
    return true;
}

void snapshot_store_gone(struct store *s) {
    snapshot_give_way(s);
    if (s->snapshot) s->snapshot->s = NULL;
    s->snapshot = NULL;
}

bool snapshot_pins(const struct store *s, uint64_t *from) {
    if (!s->snapshot || !s->snapshot->view) return false;
    *from = mdb_txn_id(s->snapshot->view);
    return true;
}
