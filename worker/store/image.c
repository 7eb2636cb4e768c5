/* A data file out of chunks, without a key: for a restore and a drill. */
#include "internal.h"

#include "../../policy/chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_BYTES = 8 << 20 };

struct store_image {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    size_t waiting; /* bytes in the transaction */
    bool has_format, has_state;
};

static const struct sealed_key format_key = {{SPACE_META, 'f'}}, state_key = {{SPACE_META, 's'}}, clear_key = {{SPACE_META, 'k'}};

struct store_image *store_image_begin(const char *path, uint64_t map_bytes) {
    struct store_image *m = calloc(1, sizeof *m);
    int rc = m ? mdb_env_create(&m->env) : ENOMEM;
    if (rc == 0) rc = mdb_env_set_mapsize(m->env, map_bytes);
    /* Nothing is there before, and the whole is synced at its end. */
    if (rc == 0) rc = mdb_env_open(m->env, path, MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOLOCK | MDB_NOTLS, 0600);
    if (rc == 0) rc = mdb_txn_begin(m->env, NULL, 0, &m->txn);
    if (rc == 0) rc = mdb_dbi_open(m->txn, NULL, 0, &m->dbi);
    if (rc == 0) return m;
    store_image_end(m);
    errno = rc > 0 ? rc : EIO;
    return NULL;
}

/* What a chunk is, as far as that shows without a key. */
static bool plausible(struct store_image *m, const struct chunk *c) {
    uint8_t space = c->key[0];
    if (memcmp(c->key, format_key.bytes, SEALED_KEY) == 0) return m->has_format = store_is_format(c->value, c->size);
    if (memcmp(c->key, clear_key.bytes, SEALED_KEY) == 0) return c->size > 0 && c->size <= STORE_CLEAR_MAX;
    if (c->size < SEALED_OVERHEAD) return false;
    if (memcmp(c->key, state_key.bytes, SEALED_KEY) == 0) return m->has_state = true;
    return (space > SPACE_RECORDS && space < SPACE_RECORDS + STORE_TABLES_END) ||
           (space > SPACE_NODES && space < SPACE_NODES + STORE_TABLES_END);
}

/* LMDB says EIO of a write that came out short: whether one more page finds room tells why. */
static enum store_result result_of(const struct store_image *m, int rc) {
    static const uint8_t page[4096];
    mdb_filehandle_t fd;
    if (rc != EIO || mdb_env_get_fd(m->env, &fd) != 0) return store_result_of(rc);
    off_t end = lseek(fd, 0, SEEK_END);
    return end >= 0 && pwrite(fd, page, sizeof page, end) != (ssize_t)sizeof page ? STORE_FULL : STORE_IO;
}

static int next_batch(struct store_image *m) {
    int rc = mdb_txn_commit(m->txn);
    m->txn = NULL;
    m->waiting = 0;
    return rc ? rc : mdb_txn_begin(m->env, NULL, 0, &m->txn);
}

enum store_result store_image_put(struct store_image *m, const struct chunk *c) {
    MDB_val key = {CHUNK_KEY, (void *)(uintptr_t)c->key}, value = {c->size, (void *)(uintptr_t)c->value};
    if (!plausible(m, c)) return STORE_BROKEN;
    int rc = m->waiting > BATCH_BYTES ? next_batch(m) : 0;
    if (rc == 0) rc = mdb_put(m->txn, m->dbi, &key, &value, MDB_NOOVERWRITE);
    m->waiting += c->size;
    return rc == MDB_KEYEXIST ? STORE_CONFLICT : result_of(m, rc);
}

enum store_result store_image_finish(struct store_image *m, uint64_t chunks) {
    MDB_stat stat;
    if (!m->has_format || (chunks > 1 && !m->has_state)) return STORE_BROKEN;
    int rc = mdb_stat(m->txn, m->dbi, &stat);
    if (rc == 0 && stat.ms_entries != chunks) return STORE_BROKEN;
    if (rc == 0) {
        rc = mdb_txn_commit(m->txn);
        m->txn = NULL;
    }
    if (rc == 0) rc = mdb_env_sync(m->env, 1);
    return result_of(m, rc);
}

void store_image_end(struct store_image *m) {
    if (!m) return;
    if (m->txn) mdb_txn_abort(m->txn);
    if (m->env) mdb_env_close(m->env);
    free(m);
}
