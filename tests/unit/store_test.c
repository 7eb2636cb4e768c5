#include "../../worker/store/internal.h"
#include "store_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void reads_what_it_wrote(void **state) {
    struct fixture f;
    (void)state;
    fixture_new(&f, 64 * MIB);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(put_number(f.s, STORE_CONTACTS, i, 0, i * 7, NULL), STORE_OK);
    for (uint64_t i = 0; i < 500; i++)
        assert_number(f.s, STORE_CONTACTS, i, 1, i * 7); /* before the commit */
    assert_true(store_dirty(f.s));
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_false(store_dirty(f.s));
    for (uint64_t i = 0; i < 500; i++)
        assert_number(f.s, STORE_CONTACTS, i, 1, i * 7);
    assert_int_equal(store_count(f.s, STORE_CONTACTS), 500);
    assert_int_equal(store_count(f.s, STORE_COMPANIES), 0);
    assert_int_equal(store_commits(f.s), 1);
    store_close(f.s);
    fixture_open(&f, 64 * MIB);
    for (uint64_t i = 0; i < 500; i++)
        assert_number(f.s, STORE_CONTACTS, i, 1, i * 7);
    assert_int_equal(store_count(f.s, STORE_CONTACTS), 500);
    assert_int_equal(store_commits(f.s), 1);
    assert_int_equal(check_all(f.s, 7, NULL), 0);
    fixture_end(&f);
}

static void versions(void **state) {
    struct fixture f;
    uint64_t v = 0;
    uint8_t id[ID_BYTES];
    (void)state;
    fixture_new(&f, 64 * MIB);
    id_of(1, id);
    assert_int_equal(put_number(f.s, 1, 1, 1, 10, &v), STORE_MISSING);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, &v), STORE_OK);
    assert_int_equal(v, 1);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, &v), STORE_CONFLICT);
    assert_int_equal(put_number(f.s, 1, 1, 1, 20, &v), STORE_OK);
    assert_int_equal(v, 2);
    assert_int_equal(put_number(f.s, 1, 1, STORE_ANY, 20, &v), STORE_OK);
    assert_int_equal(v, 3);
    assert_int_equal(store_delete(f.s, 1, id, 2), STORE_CONFLICT);
    assert_int_equal(store_delete(f.s, 2, id, 3), STORE_MISSING); /* another table */
    assert_int_equal(store_delete(f.s, 1, id, 3), STORE_OK);
    assert_int_equal(store_delete(f.s, 1, id, STORE_ANY), STORE_MISSING);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    fixture_open(&f, 64 * MIB);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, &v), STORE_OK);
    assert_int_equal(v, 4); /* never one it had before */
    assert_int_equal(put_number(f.s, 2, 1, 0, 10, &v), STORE_OK);
    assert_int_equal(v, 1); /* floors are a table's own */
    fixture_end(&f);
}

static void large_values(void **state) {
    static const size_t sizes[] = {1900, 2000, 2038, 4000, 4100, 70000, STORE_VALUE_MAX};
    struct fixture f;
    (void)state;
    fixture_new(&f, 64 * MIB);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(put_number(f.s, 1, i, 0, sizes[i], NULL), STORE_OK);
        assert_int_equal(store_commit(f.s), STORE_OK);
        assert_number(f.s, 1, i, 1, sizes[i]);
    }
    assert_int_equal(put_number(f.s, 1, 99, 0, STORE_VALUE_MAX + 1, NULL), STORE_INVALID);
    assert_int_equal(check_all(f.s, 100, NULL), 0);
    fixture_end(&f);
}

static void abort_drops(void **state) {
    struct fixture f;
    const uint8_t *value;
    size_t size;
    (void)state;
    fixture_new(&f, 64 * MIB);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(put_number(f.s, 1, 1, 1, 20, NULL), STORE_OK);
    assert_int_equal(put_number(f.s, 1, 2, 0, 20, NULL), STORE_OK);
    store_abort(f.s);
    assert_number(f.s, 1, 1, 1, 10);
    assert_int_equal(get_number(f.s, 1, 2, &value, &size, NULL), STORE_MISSING);
    assert_int_equal(store_count(f.s, 1), 1);
    assert_int_equal(store_commits(f.s), 1);
    assert_int_equal(store_commit(f.s), STORE_OK); /* nothing to do: no commit */
    assert_int_equal(store_commits(f.s), 1);
    assert_int_equal(check_all(f.s, 100, NULL), 0);
    fixture_end(&f);
}

static void sealed_means_sealed(void **state) {
    struct fixture f;
    const uint8_t *value;
    size_t size;
    struct store_check check = {0};
    (void)state;
    fixture_new(&f, 64 * MIB);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_seal(f.s);
    assert_int_equal(get_number(f.s, 1, 1, &value, &size, NULL), STORE_SEALED);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, NULL), STORE_SEALED);
    assert_int_equal(store_check_step(f.s, &check, 1), STORE_SEALED);
    assert_int_equal(store_count(f.s, 1), 0);
    struct keyring *other = fixture_keys(2);
    assert_int_equal(store_unseal(f.s, other, f.tenant), STORE_BROKEN); /* another key */
    keyring_free(other);
    f.tenant[3] ^= 1;
    assert_int_equal(store_unseal(f.s, f.keys, f.tenant), STORE_BROKEN); /* another tenant */
    f.tenant[3] ^= 1;
    assert_int_equal(store_unseal(f.s, f.keys, f.tenant), STORE_OK);
    assert_number(f.s, 1, 1, 1, 10);
    fixture_end(&f);
}

static void opening(void **state) {
    struct fixture f;
    (void)state;
    fixture_new(&f, 64 * MIB);
    errno = 0;
    assert_null(store_open(f.path, 64 * MIB));
    assert_int_equal(errno, EBUSY);
    assert_int_equal(put_number(f.s, 1, 1, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    assert_null(store_open(f.path, 64 * MIB + 1));
    assert_int_equal(errno, EINVAL);
    assert_null(store_open(f.path, 4096));
    assert_int_equal(errno, EINVAL);
    assert_null(store_open("/nonexistent/data.mdb", 64 * MIB));
    assert_int_equal(errno, ENOENT);

    int fd = open(f.path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096 * 3), 0); /* cut short */
    assert_null(store_open(f.path, 64 * MIB));
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, f.path, sizeof f.path, 0), (ssize_t)sizeof f.path);
    assert_int_equal(ftruncate(fd, 65536), 0);
    assert_null(store_open(f.path, 64 * MIB)); /* not LMDB's */
    assert_int_equal(errno, EPROTO);
    close(fd);
    f.s = NULL;
    fixture_end(&f);
}

/* The format record is the one value in clear; with another number in it the file is not ours to touch. */
static void unknown_format(void **state) {
    static const char magic[] = "cloison store";
    struct fixture f;
    struct stat st;
    int found = 0;
    (void)state;
    fixture_new(&f, 64 * MIB);
    store_close(f.s);
    f.s = NULL;
    int fd = open(f.path, O_RDWR);
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    for (size_t i = 0; i + 16 < (size_t)st.st_size; i++) {
        if (memcmp(bytes + i, magic, sizeof magic) != 0) continue;
        found++;
        bytes[i + 14]++;
        assert_int_equal(pwrite(fd, bytes + i + 14, 1, (off_t)i + 14), 1);
    }
    assert_int_equal(found, 1);
    free(bytes);
    close(fd);
    assert_null(store_open(f.path, 64 * MIB));
    assert_int_equal(errno, EPROTO);
    fixture_end(&f);
}

/* Seals the state anew as a version of fewer tables did: without the bytes of those that came later. */
static void forget_tables(struct store *s, int tables) {
    static const struct sealed_key key = {{SPACE_META, 's'}};
    uint8_t plain[4096], sealed[4096];
    MDB_val k = {SEALED_KEY, (void *)(uintptr_t)key.bytes}, v;
    const size_t table_bytes = 180;
    MDB_txn *view;
    assert_int_equal(read_begin(s, &view), STORE_OK);
    assert_int_equal(mdb_get(view, s->dbi, &k, &v), 0);
    size_t size = v.mv_size - SEALED_OVERHEAD;
    assert_true(size < sizeof plain && seal_open(s, &key, v.mv_data, v.mv_size, plain));
    read_end(s);
    size -= (size_t)(STORE_TABLES_END - 1 - tables) * table_bytes;
    assert_true(seal_value(s, &key, s->state.commits, plain, size, sealed));
    assert_int_equal(write_begin(s), STORE_OK);
    assert_int_equal(write_value(s, &key, sealed, size + SEALED_OVERHEAD), STORE_OK);
    assert_int_equal(mdb_txn_commit(s->writer), 0);
    s->writer = NULL;
}

/* A file of a version that knew fewer tables opens, with the others empty, and takes records in them. */
static void fewer_tables(void **state) {
    struct fixture f;
    (void)state;
    fixture_new(&f, 64 * MIB);
    assert_int_equal(put_number(f.s, STORE_JOURNAL, 1, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    forget_tables(f.s, STORE_JOURNAL);
    store_close(f.s);
    fixture_open(&f, 64 * MIB);
    assert_int_equal(store_count(f.s, STORE_JOURNAL), 1);
    assert_int_equal(store_count(f.s, STORE_RULES), 0);
    assert_int_equal(put_number(f.s, STORE_RULES, 1, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    fixture_open(&f, 64 * MIB);
    assert_int_equal(store_count(f.s, STORE_JOURNAL), 1);
    assert_int_equal(store_count(f.s, STORE_RULES), 1);
    fixture_end(&f);
}

struct walked {
    uint64_t seen, sum, stop_after;
};
static bool walk_one(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct walked *w = argument;
    uint64_t number;
    (void)id;
    assert_int_equal(version, 1);
    assert_int_equal(size, 40);
    memcpy(&number, value, 8);
    w->sum ^= number;
    return ++w->seen != w->stop_after;
}

static void walks(void **state) {
    struct fixture f;
    struct walked w = {0};
    uint64_t sum = 0;
    (void)state;
    fixture_new(&f, 64 * MIB);
    for (uint64_t i = 0; i < 300; i++) {
        uint8_t value[40], id[ID_BYTES];
        uint64_t number = mix(i);
        id_of(i, id);
        value_of(i, 1, 40, value);
        memcpy(value, &number, 8);
        sum ^= number;
        assert_int_equal(store_put(f.s, STORE_CONTACTS, id, value, 40, 0, NULL), STORE_OK);
        assert_int_equal(put_number(f.s, STORE_USERS, i, 0, 11, NULL), STORE_OK);
        assert_int_equal(put_number(f.s, STORE_COMPANIES, i, 0, 12, NULL), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
    for (size_t limit = 1; limit < 1000; limit = limit * 3 + 1) {
        struct store_cursor cursor = {0};
        w = (struct walked){0};
        while (!cursor.done)
            assert_int_equal(store_walk(f.s, STORE_CONTACTS, &cursor, limit, walk_one, &w), STORE_OK);
        assert_int_equal(w.seen, 300);
        assert_int_equal(w.sum, sum);
    }
    struct store_cursor cursor = {0};
    w = (struct walked){.stop_after = 10};
    assert_int_equal(store_walk(f.s, STORE_CONTACTS, &cursor, 100, walk_one, &w), STORE_OK);
    assert_int_equal(w.seen, 10);
    assert_int_equal(store_walk(f.s, STORE_CONTACTS, &cursor, 1000, walk_one, &w), STORE_OK);
    assert_int_equal(w.seen, 300);
    fixture_end(&f);
}

static struct index_key entry_for(uint64_t number) {
    struct index_key k = {.letter = (char)('A' + number % 26)};
    k.size = (uint8_t)snprintf((char *)k.bytes, sizeof k.bytes, "%016llx", (unsigned long long)mix(number));
    id_of(number, k.id);
    return k;
}

static enum store_result add(struct store *s, uint64_t number, size_t size) {
    struct index_key k = entry_for(number);
    char summary[120];
    memset(summary, 'x', sizeof summary);
    enum store_result r = index_put(s, STORE_CONTACTS, &k, summary, sizeof summary);
    return r == STORE_OK ? put_number(s, STORE_CONTACTS, number, 0, size, NULL) : r;
}

static enum store_result take(struct store *s, uint64_t number) {
    struct index_key k = entry_for(number);
    enum store_result r = store_delete(s, STORE_CONTACTS, k.id, STORE_ANY);
    return r == STORE_OK ? index_delete(s, STORE_CONTACTS, &k) : r;
}

static void assert_content(struct store *s, uint64_t number, size_t size, uint64_t version) {
    const uint8_t *value;
    uint8_t *expected = malloc(size);
    size_t got;
    uint64_t v;
    value_of(number, 1, size, expected);
    assert_int_equal(get_number(s, STORE_CONTACTS, number, &value, &got, &v), STORE_OK);
    assert_int_equal(got, size);
    assert_int_equal(v, version);
    assert_memory_equal(value, expected, size);
    free(expected);
}

/* Fills to the brim, in batches; every refusal is early and harms nothing; deleting works; the room comes back. */
static void fill_and_empty(uint64_t batch, size_t size, uint64_t map) {
    struct fixture f;
    uint64_t stored = 0, before = 0;
    fixture_new(&f, map);
    for (int round = 0; round < 4; round++) {
        bool full = false;
        uint64_t from = (uint64_t)round << 32;
        for (stored = 0; !full; stored++) {
            enum store_result r = add(f.s, from + stored, size);
            assert_true(r == STORE_OK || r == STORE_FULL);
            full = r == STORE_FULL;
            if (full && batch > 1) { /* a refused write is not undone half way by us: drop its entry */
                struct index_key k = entry_for(from + stored);
                r = index_delete(f.s, STORE_CONTACTS, &k);
                assert_true(r == STORE_OK || r == STORE_MISSING);
            }
            if (full && batch == 1) store_abort(f.s);
            if (stored % batch == batch - 1 || full) assert_int_equal(store_commit(f.s), STORE_OK);
            if (full) break;
        }
        assert_true(stored > 50);
        assert_true(store_bytes(f.s) <= map);
        if (round > 0) assert_true(stored * 10 > before * 8); /* nothing leaks */
        before = stored;
        assert_int_equal(store_count(f.s, STORE_CONTACTS), stored);
        assert_int_equal(check_all(f.s, 1000, NULL), 0);
        for (uint64_t i = 0; i < stored; i++)
            assert_content(f.s, from + i, size, (uint64_t)round + 1);
        for (uint64_t i = 0; i < stored; i++) {
            assert_int_equal(take(f.s, from + i), STORE_OK);
            if (i % batch == batch - 1) assert_int_equal(store_commit(f.s), STORE_OK);
        }
        assert_int_equal(store_commit(f.s), STORE_OK);
        assert_int_equal(store_count(f.s, STORE_CONTACTS), 0);
        assert_int_equal(check_all(f.s, 1000, NULL), 0);
    }
    fixture_end(&f);
}

static void quota_one_by_one(void **state) {
    (void)state;
    fill_and_empty(1, 470, 2 * MIB);
}
static void quota_in_batches(void **state) {
    (void)state;
    fill_and_empty(64, 470, 16 * MIB);
}
static void quota_large_values(void **state) {
    (void)state;
    fill_and_empty(7, 9000, 8 * MIB); /* runs of pages among freed single ones */
}

/* What store_fits promises holds for all parts of a write, in any batch. */
static void asked_before(void **state) {
    (void)state;
    for (uint64_t batch = 1; batch < 200; batch = batch * 5 + 1) {
        struct fixture f;
        uint64_t stored = 0, v;
        fixture_new(&f, 4 * MIB);
        while (store_fits(f.s, STORE_CONTACTS, 470, false) == STORE_OK) {
            struct index_key k = entry_for(stored), moved = k;
            moved.letter = k.letter == 'A' ? 'Z' : 'A';
            uint64_t next = store_new_version(f.s, STORE_CONTACTS);
            assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, "summary", 7), STORE_OK);
            assert_int_equal(put_number(f.s, STORE_CONTACTS, stored, 0, 470, &v), STORE_OK);
            assert_int_equal(v, next);
            assert_int_equal(index_put(f.s, STORE_CONTACTS, &moved, "summary", 7), STORE_OK);
            if (++stored % batch == 0) assert_int_equal(store_commit(f.s), STORE_OK);
        }
        assert_int_equal(store_commit(f.s), STORE_OK);
        assert_true(stored > 1000);
        fixture_end(&f);
    }
}

/* Runs a test's body in a child, so that its limits and mounts end with it. 77 = cannot be done here. */
static void in_child(void (*body)(void)) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define CHILD(condition)                                                                                                                   \
    do {                                                                                                                                   \
        if (!(condition)) {                                                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                                \
            _exit(1);                                                                                                                      \
        }                                                                                                                                  \
    } while (0)

/* With the file held under a ceiling that is not the quota: as a full disk does. */
static void fill_disk(struct fixture *f, void (*free_some)(void)) {
    const uint8_t *value;
    size_t size;
    uint64_t stored = 0, gone = 0;
    enum store_result r = STORE_OK;

    while (r == STORE_OK && stored < 100000) {
        r = add(f->s, stored, 470);
        if (r == STORE_OK && ++stored % 32 == 0) CHILD(store_commit(f->s) == STORE_OK);
    }
    CHILD(r == STORE_FULL && stored > 500 && stored < 100000);
    struct index_key k = entry_for(stored);
    r = index_delete(f->s, STORE_CONTACTS, &k);
    CHILD(r == STORE_OK || r == STORE_MISSING);
    CHILD(store_commit(f->s) == STORE_OK);
    for (r = STORE_OK, size = 0; r == STORE_OK && size < 1000; size++)
        r = put_number(f->s, STORE_COMPANIES, size, 0, 3000, NULL);
    CHILD(r == STORE_FULL && store_commit(f->s) == STORE_OK);
    for (int i = 0; i < 50; i++)
        CHILD(put_number(f->s, STORE_CONTACTS, stored + 1, 0, 1000000, NULL) == STORE_FULL);
    CHILD(store_commit(f->s) == STORE_OK);
    for (uint64_t i = 0; i < stored; i++)
        CHILD(get_number(f->s, STORE_CONTACTS, i, &value, &size, NULL) == STORE_OK);
    CHILD(check_all(f->s, 100, NULL) == 0);
    for (; gone < stored / 2; gone++) {
        CHILD(take(f->s, gone) == STORE_OK);
        CHILD(store_commit(f->s) == STORE_OK);
    }
    for (uint64_t i = 0; i < stored / 4; i++) {
        CHILD(add(f->s, 1000000 + i, 470) == STORE_OK);
        CHILD(store_commit(f->s) == STORE_OK);
    }
    CHILD(check_all(f->s, 100, NULL) == 0);
    if (free_some) {
        free_some();
        for (uint64_t i = 0; i < stored; i++)
            CHILD(add(f->s, 2000000 + i, 470) == STORE_OK);
        CHILD(store_commit(f->s) == STORE_OK);
    }
    CHILD(store_count(f->s, STORE_CONTACTS) == stored - gone + stored / 4 + (free_some ? stored : 0));
}

static void lift_limit(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    CHILD(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHILD(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void file_limit_body(void) {
    struct fixture f;
    struct rlimit limit = {4 * MIB + 1000, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    fixture_new(&f, 64 * MIB);
    CHILD(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    fill_disk(&f, lift_limit);
    fixture_end(&f);
}
static void file_limit(void **state) {
    (void)state;
    in_child(file_limit_body);
}

static void tmpfs_body(void) {
    struct fixture f;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) _exit(77);
    if (mount("tmpfs", "/tmp", "tmpfs", 0, "size=4m") != 0) _exit(77);
    fixture_new(&f, 64 * MIB);
    fill_disk(&f, NULL);
    fixture_end(&f);
}
static void full_disk(void **state) {
    (void)state;
    in_child(tmpfs_body);
}

static void lowered_quota(void **state) {
    struct fixture f;
    (void)state;
    fixture_new(&f, 16 * MIB);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(add(f.s, i, 470), STORE_OK);
    assert_int_equal(store_resize(f.s, 2 * MIB), STORE_INVALID); /* something is pending */
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(store_resize(f.s, 2 * MIB), STORE_OK);
    assert_int_equal(add(f.s, 5000, 470), STORE_FULL);
    store_abort(f.s);
    for (uint64_t i = 0; i < 4900; i++) {
        assert_content(f.s, i, 470, 1);
        assert_int_equal(take(f.s, i), STORE_OK);
        if (i % 16 == 0) assert_int_equal(store_commit(f.s), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(add(f.s, 6000, 470), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    fixture_open(&f, 1 * MIB); /* a file longer than its quota opens */
    assert_int_equal(store_count(f.s, STORE_CONTACTS), 101);
    assert_int_equal(store_resize(f.s, 32 * MIB), STORE_OK);
    for (uint64_t i = 10000; i < 14000; i++)
        assert_int_equal(add(f.s, i, 470), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(check_all(f.s, 1000, NULL), 0);
    fixture_end(&f);
}

/* A transaction bounds itself; what was in it is not harmed. */
static void too_large_a_batch(void **state) {
    struct fixture f;
    enum store_result r = STORE_OK;
    uint64_t stored = 0;
    bool pressed = false;
    (void)state;
    fixture_new(&f, 512 * MIB);
    while (r == STORE_OK && stored < 100) {
        r = put_number(f.s, 1, stored, 0, 1 << 20, NULL);
        stored += r == STORE_OK;
        pressed = pressed || store_pressed(f.s);
    }
    assert_int_equal(r, STORE_MEMORY);
    assert_true(pressed && stored > 8);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(store_count(f.s, 1), stored);
    assert_int_equal(put_number(f.s, 1, stored, 0, 1 << 20, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    fixture_end(&f);
}

/* kill -9 at any moment loses no commit that was acknowledged. */
static void killed_writer(void **state) {
    struct fixture f;
    uint64_t acknowledged = 0, number;
    (void)state;
    fixture_new(&f, 64 * MIB);
    for (int round = 0; round < 25; round++) {
        int pipe_fd[2], status;
        store_close(f.s);
        assert_int_equal(pipe(pipe_fd), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(pipe_fd[0]);
            fixture_open(&f, 64 * MIB);
            for (number = acknowledged;;) {
                for (int i = 0; i < 8; i++, number++)
                    if (add(f.s, number, 470) == STORE_CONFLICT) continue; /* committed, not acknowledged */
                if (store_commit(f.s) != STORE_OK || write(pipe_fd[1], &number, sizeof number) != sizeof number) _exit(1);
            }
        }
        close(pipe_fd[1]);
        usleep(500 + (useconds_t)(mix((uint64_t)round) % 40000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(pipe_fd[0], &number, sizeof number) == sizeof number)
            acknowledged = number;
        close(pipe_fd[0]);
        fixture_open(&f, 64 * MIB);
        assert_true(store_count(f.s, STORE_CONTACTS) >= acknowledged);
        for (uint64_t i = 0; i < acknowledged; i++)
            assert_number(f.s, STORE_CONTACTS, i, 1, 470);
        assert_int_equal(check_all(f.s, 1000, NULL), 0);
    }
    assert_true(acknowledged > 100);
    fixture_end(&f);
}

/* What was deleted or overwritten still lies in free pages, sealed; what never may lie there is plaintext. */
static void no_plaintext_in_the_file(void **state) {
    static const char canary[] = "CANARY-Ribeauville-68150";
    struct fixture f;
    struct stat st;
    uint8_t id[ID_BYTES];
    struct index_key k = {.letter = 'R', .size = 24};
    (void)state;
    fixture_new(&f, 16 * MIB);
    memcpy(k.bytes, canary, 24);
    memcpy(k.id, canary, ID_BYTES);
    memcpy(id, canary, ID_BYTES);
    assert_int_equal(store_put(f.s, 1, id, canary, sizeof canary, 0, NULL), STORE_OK);
    assert_int_equal(index_put(f.s, 1, &k, canary, sizeof canary), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(store_delete(f.s, 1, id, STORE_ANY), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    int fd = open(f.path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    assert_null(memmem(bytes, (size_t)st.st_size, canary, 8));
    free(bytes);
    close(fd);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote), cmocka_unit_test(versions),
        cmocka_unit_test(large_values),        cmocka_unit_test(abort_drops),
        cmocka_unit_test(sealed_means_sealed), cmocka_unit_test(opening),
        cmocka_unit_test(unknown_format),      cmocka_unit_test(walks),
        cmocka_unit_test(quota_one_by_one),    cmocka_unit_test(quota_in_batches),
        cmocka_unit_test(quota_large_values),  cmocka_unit_test(asked_before),
        cmocka_unit_test(file_limit),          cmocka_unit_test(full_disk),
        cmocka_unit_test(lowered_quota),       cmocka_unit_test(too_large_a_batch),
        cmocka_unit_test(killed_writer),       cmocka_unit_test(no_plaintext_in_the_file),
        cmocka_unit_test(fewer_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
