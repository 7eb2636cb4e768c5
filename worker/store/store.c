#include "store.h"

#include "internal.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUOTA_UNIT = 4096, FORMAT_BYTES = 16 };

/* The one value in clear: whoever opens the file without a key learns from it whether he understands it. */
static const uint8_t format_record[FORMAT_BYTES] = {'c', 'l', 'o', 'i', 's', 'o', 'n', ' ', 's', 't', 'o', 'r', 'e', 0, STORE_FORMAT, 0};
static const struct sealed_key format_key = {{SPACE_META, 'f'}};

bool store_is_format(const void *value, size_t size) { return size == FORMAT_BYTES && memcmp(value, format_record, FORMAT_BYTES) == 0; }

static int mdb_errno(int rc) {
    switch (rc) {
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return EPROTO;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_NOTFOUND:
        return EBADMSG;
    case MDB_MAP_FULL:
        return ENOSPC;
    default:
        return rc > 0 ? rc : EIO;
    }
}

/* LMDB found its own pages inconsistent: nothing after this can be trusted. */
static void page_broken(MDB_env *env, const char *message) {
    (void)env;
    (void)message; /* it may name a page's content */
    abort();
}

/* Opens and locks the data file: LMDB must have one process, and a process one LMDB. */
static int open_file(struct store *s, const char *path, uint64_t *size) {
    struct stat st;

    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0) return errno;
    if (flock(s->fd, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? EBUSY : errno;
    if (fstat(s->fd, &st) != 0) return errno;
    if (!S_ISREG(st.st_mode)) return EINVAL;
    *size = (uint64_t)st.st_size;
    return 0;
}

static int open_env(struct store *s, const char *path, uint64_t map_bytes) {
    int rc = mdb_env_create(&s->env);
    if (rc != 0) return mdb_errno(rc);
    rc = mdb_env_set_mapsize(s->env, map_bytes);
    if (rc == 0) rc = mdb_env_set_maxreaders(s->env, 4);
    if (rc == 0) rc = mdb_env_set_assert(s->env, page_broken);
    /* Not MDB_NOMEMINIT (heap bytes would reach the disk), not MDB_WRITEMAP (stray pointers, SIGBUS on a full disk). */
    if (rc == 0) rc = mdb_env_open(s->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    return rc == 0 ? 0 : mdb_errno(rc);
}

static int write_format(struct store *s) {
    MDB_val key = {SEALED_KEY, (void *)(uintptr_t)format_key.bytes}, value = {FORMAT_BYTES, (void *)(uintptr_t)format_record};
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

    if (rc != 0) return mdb_errno(rc);
    rc = mdb_put(txn, s->dbi, &key, &value, 0);
    if (rc == 0)
        rc = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    return rc == 0 ? 0 : mdb_errno(rc);
}

/* Holds the file against what this program understands. */
static int check_format(struct store *s, uint64_t size) {
    MDB_val key = {SEALED_KEY, (void *)(uintptr_t)format_key.bytes}, value;
    MDB_envinfo info;
    MDB_stat stat;
    int rc = mdb_env_info(s->env, &info);

    if (rc == 0) rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
    if (rc == 0) rc = mdb_dbi_open(s->reader, NULL, 0, &s->dbi);
    if (rc == 0) rc = mdb_stat(s->reader, s->dbi, &stat);
    if (rc != 0) return mdb_errno(rc);
    if (size > 0 && size / stat.ms_psize < info.me_last_pgno + 1) return EBADMSG; /* cut short */
    bool fresh = stat.ms_entries == 0 && info.me_last_txnid == 0;
    if (!fresh) {
        rc = mdb_get(s->reader, s->dbi, &key, &value);
        if (rc == MDB_NOTFOUND) return EPROTO;
        if (rc != 0) return mdb_errno(rc);
        if (!store_is_format(value.mv_data, value.mv_size)) return EPROTO;
    }
    mdb_txn_reset(s->reader);
    return fresh ? write_format(s) : 0;
}

struct store *store_prepare(const char *path, uint64_t map_bytes) {
    struct store *s = NULL;
    int error = EINVAL;

    if (map_bytes >= STORE_MAP_MIN && map_bytes % QUOTA_UNIT == 0) {
        s = calloc(1, sizeof *s);
        error = ENOMEM;
    }
    if (s) {
        s->fd = -1;
        error = open_file(s, path, &s->asked.file_bytes);
        if (error == 0) error = open_env(s, path, map_bytes);
    }
    if (error == 0) {
        s->asked.map_bytes = map_bytes;
        return s;
    }
    store_close(s);
    errno = error;
    return NULL;
}

int store_begin(struct store *s) {
    uint64_t size = s->asked.file_bytes;

    int error = check_format(s, size);
    if (error == 0 && !room_read(s)) error = EBADMSG;
    if (error == 0) {
        s->room.quota = s->asked.map_bytes / s->room.page;
        s->room.file = size / s->room.page > s->room.end ? size / s->room.page : s->room.end;
        if (store_resize(s, s->asked.map_bytes) != STORE_OK) error = ENOMEM;
    }
    if (error && s->reader) {
        mdb_txn_abort(s->reader); /* it has not begun */
        s->reader = NULL;
    }
    errno = error;
    return error ? -1 : 0;
}

bool store_begun(const struct store *s) { return s->reader; }

struct store *store_open(const char *path, uint64_t map_bytes) {
    struct store *s = store_prepare(path, map_bytes);
    if (!s || store_begin(s) == 0) return s;
    int error = errno;
    store_close(s);
    errno = error;
    return NULL;
}

void store_close(struct store *s) {
    if (!s) return;
    snapshot_store_gone(s);
    store_seal(s);
    if (s->reader) mdb_txn_abort(s->reader);
    if (s->env) mdb_env_close(s->env);
    if (s->fd >= 0) close(s->fd);
    free(s);
}

enum store_result store_resize(struct store *s, uint64_t map_bytes) {
    if (!store_pending(s)) store_abort(s); /* a transaction that a refused write began */
    if (store_pending(s) || s->reading > 0 || map_bytes < STORE_MAP_MIN || map_bytes % QUOTA_UNIT != 0) return STORE_INVALID;
    if (!room_read(s)) return STORE_BROKEN;
    snapshot_give_way(s); /* the map may move */
    /* Under what is used the map keeps room for deleting. */
    uint64_t floor = (s->room.end + 256) * s->room.page, map = map_bytes > floor ? map_bytes : floor;
    int rc = mdb_env_set_mapsize(s->env, map);
    if (rc != 0) return store_result_of(rc);
    s->room.quota = map_bytes / s->room.page;
    return room_read(s) ? STORE_OK : STORE_BROKEN;
}

enum store_result store_unseal(struct store *s, struct keyring *keys, const uint8_t tenant_id[ID_BYTES]) {
    if (s->keys) return STORE_INVALID;
    s->keys = keys;
    memcpy(s->tenant, tenant_id, ID_BYTES);
    s->blind = prf_new(keys->index_prf);
    s->mac = prf_new(keys->check_mac);
    struct sealed_key order;
    enum store_result result = STORE_MEMORY;
    if (s->blind && s->mac && seal_key(s, SPACE_META, "order", 5, &order)) {
        memcpy(s->order, order.bytes + 1, sizeof s->order);
        result = state_read(s);
    }
    if (result != STORE_OK) store_seal(s);
    return result;
}

void store_seal(struct store *s) {
    store_abort(s);
    tree_free(s);
    prf_free(s->blind);
    prf_free(s->mac);
    s->blind = s->mac = NULL;
    s->keys = NULL;
    buffer_free(&s->value);
    buffer_free(&s->sealed);
    secret_wipe(&s->state, sizeof s->state);
    secret_wipe(&s->before, sizeof s->before);
    secret_wipe(&s->scan, sizeof s->scan);
    secret_wipe(&s->scan_before, sizeof s->scan_before);
    secret_wipe(&s->moved, sizeof s->moved);
    secret_wipe(&s->moved_before, sizeof s->moved_before);
    secret_wipe(s->tenant, sizeof s->tenant);
}

/* Behind LMDB's figures in its first page, where it writes nothing after the file was made. */
enum { MARK_AT = 4096 - 16, MARK_BYTES = 16 };
static const uint8_t mark[MARK_BYTES] = "cloison: spare", no_mark[MARK_BYTES];

static bool is_marked(int fd) {
    uint8_t found[MARK_BYTES];
    return pread(fd, found, MARK_BYTES, MARK_AT) == MARK_BYTES && memcmp(found, mark, MARK_BYTES) == 0;
}

int store_clear_spare(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? 0 : -1;
    int result = is_marked(fd) ? ftruncate(fd, 0) : 0, error = errno;
    close(fd);
    errno = error;
    return result;
}

bool store_is_spare(const struct store *s) { return is_marked(s->fd); }

enum store_result store_set_spare(struct store *s, bool spare) {
    if (is_marked(s->fd) == spare) return STORE_OK;
    ssize_t written = pwrite(s->fd, spare ? mark : no_mark, MARK_BYTES, MARK_AT);
    return written == MARK_BYTES ? STORE_OK : written < 0 ? store_result_of(errno) : STORE_IO;
}

static enum store_result drop_all(struct store *s) {
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

    if (rc != 0) return store_result_of(rc);
    rc = mdb_drop(txn, s->dbi, 0);
    if (rc == 0)
        rc = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    if (rc != 0) return store_result_of(rc);
    rc = write_format(s);
    return rc == 0 ? STORE_OK : rc == EBADMSG ? STORE_BROKEN : store_result_of(rc);
}

enum store_result store_empty(struct store *s, uint64_t map_bytes) {
    if (s->keys || !store_is_spare(s)) return STORE_INVALID;
    if (!s->reader && store_begin(s) != 0) return errno == EPROTO || errno == EBADMSG ? STORE_BROKEN : store_result_of(errno);
    enum store_result result = store_resize(s, map_bytes);
    return result == STORE_OK ? drop_all(s) : result;
}

uint64_t store_count(struct store *s, enum store_table table) {
    return s->keys && table > 0 && table < STORE_TABLES_END ? s->state.table[table].count : 0;
}
bool store_dirty(const struct store *s) { return s->changes > 0 || s->failed; }
bool store_pending(const struct store *s) { return s->quiet > 0 || store_dirty(s); }
uint64_t store_drops(const struct store *s) { return s->drops; }
bool store_pressed(const struct store *s) { return room_pressed(s); }
uint64_t store_commits(const struct store *s) { return s->state.commits; }
uint64_t store_committed(const struct store *s) { return s->state.committed; }
uint8_t *store_note(struct store *s) { return s->state.note; }
uint64_t store_bytes(const struct store *s) { return s->room.live * s->room.page; }
