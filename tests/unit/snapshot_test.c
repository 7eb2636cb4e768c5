/* A snapshot out of a store that is written meanwhile, and the file that is made of it. */
#include "store_fixture.h"

#include "../../supervisor/backup/reader.h"

#include <signal.h>

enum { RECORDS = 3000, SIZE = 700 };

/* The stream into a file, with so many steps between each call of `between`. */
static enum store_result pour(struct fixture *f, int to, void (*between)(struct fixture *)) {
    int end[2];
    uint8_t bytes[65536];
    bool done = false;
    enum store_result result = STORE_OK;
    assert_int_equal(pipe2(end, O_NONBLOCK), 0);
    struct store_snapshot *n = store_snapshot_begin(f->s, 99);
    assert_non_null(n);
    assert_null(store_snapshot_begin(f->s, 99)); /* one at a time */
    while (result == STORE_OK && !done) {
        result = store_snapshot_step(n, end[1], &done);
        for (ssize_t got; (got = read(end[0], bytes, sizeof bytes)) > 0;)
            assert_int_equal(write(to, bytes, (size_t)got), got);
        if (between) between(f);
    }
    store_snapshot_end(n);
    close(end[0]);
    close(end[1]);
    lseek(to, 0, SEEK_SET);
    return result;
}

static int scratch(void) {
    char path[] = "/tmp/cloison-snapshot-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

/* Makes a data file of the stream. `spoil`: what is done to a chunk first; returns what the image said. */
static enum store_result load(int stream, const char *path, bool (*spoil)(struct chunk *, uint64_t)) {
    struct chunk_reader r;
    struct chunk c;
    const uint8_t *head;
    uint64_t chunks = 0;
    enum store_result result = STORE_OK;
    assert_true(chunk_reader_open(&r, stream, false));
    assert_int_equal(chunk_reader_bytes(&r, STREAM_HEAD, &head), CHUNK_NEXT);
    struct store_image *image = store_image_begin(path, 64 * MIB);
    assert_non_null(image);
    while (result == STORE_OK && chunk_reader_next(&r, &c) == CHUNK_NEXT && !stream_is_end(&c)) {
        if (spoil && !spoil(&c, chunks)) continue;
        result = store_image_put(image, &c);
        chunks++;
    }
    if (result == STORE_OK) result = store_image_finish(image, chunks);
    store_image_end(image);
    chunk_reader_close(&r);
    return result;
}

static void path_of(const struct fixture *f, const char *name, char path[128]) { snprintf(path, 128, "%s/%s", f->folder, name); }

static void fill(struct fixture *f) {
    for (uint64_t n = 0; n < RECORDS; n++)
        assert_int_equal(put_number(f->s, STORE_CONTACTS, n, 0, SIZE, NULL), STORE_OK);
    static const uint8_t clear[480] = {1}; /* as a self-sufficient kit's record, without which no backup opens by it */
    assert_int_equal(store_clear_put(f->s, clear, sizeof clear), STORE_OK);
    assert_int_equal(store_commit(f->s), STORE_OK);
}

static uint64_t turn;
static void write_on(struct fixture *f) {
    assert_int_equal(put_number(f->s, STORE_CONTACTS, turn++ % RECORDS, STORE_ANY, SIZE, NULL), STORE_OK);
    assert_int_equal(put_number(f->s, STORE_COMPANIES, turn, STORE_ANY, SIZE, NULL), STORE_OK);
    assert_int_equal(store_commit(f->s), STORE_OK);
}

/* Opens the image with the keys: exactly what was there when the snapshot began. */
static void holds_what_was(struct fixture *f, const char *path, uint64_t commits) {
    struct store_check check = {0};
    struct store *s = store_open(path, 64 * MIB);
    assert_non_null(s);
    assert_int_equal(store_unseal(s, f->keys, f->tenant), STORE_OK);
    assert_int_equal(store_count(s, STORE_CONTACTS), RECORDS);
    assert_int_equal(store_count(s, STORE_COMPANIES), 0);
    assert_int_equal(store_commits(s), commits);
    while (!check.done)
        assert_int_equal(store_check_step(s, &check, 1000), STORE_OK);
    assert_int_equal(check.found, 0);
    assert_true(check.seen >= RECORDS);
    store_close(s);
}

static void written_meanwhile(void **state) {
    (void)state;
    struct fixture f;
    char path[128], lock[160];
    int fd = scratch();
    fixture_new(&f, 64 * MIB);
    fill(&f);
    uint64_t commits = store_commits(f.s);
    store_seal(f.s); /* no key is needed to begin */
    assert_int_equal(store_unseal(f.s, f.keys, f.tenant), STORE_OK);
    turn = 0;
    assert_int_equal(pour(&f, fd, write_on), STORE_OK);
    assert_true(turn > 5);
    path_of(&f, "image.mdb", path);
    assert_int_equal(load(fd, path, NULL), STORE_OK);
    holds_what_was(&f, path, commits);
    snprintf(lock, sizeof lock, "%s-lock", path);
    unlink(path);
    unlink(lock);
    close(fd);
    fixture_end(&f);
}

static void sealed(void **state) {
    (void)state;
    struct fixture f;
    struct stream_head head;
    uint8_t bytes[STREAM_HEAD];
    int fd = scratch();
    fixture_new(&f, 64 * MIB);
    fill(&f);
    store_seal(f.s);
    assert_int_equal(pour(&f, fd, NULL), STORE_OK);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 0), sizeof bytes);
    assert_true(stream_head_read(bytes, &head));
    assert_int_equal(head.commit, 1);
    assert_int_equal(head.key_created, 99);
    close(fd);
    fixture_end(&f);
}

/* A store that has no room but in the pages that a snapshot holds: the write goes before. */
static void gives_way(void **state) {
    (void)state;
    struct fixture f;
    bool done = false;
    int end[2];
    fixture_new(&f, 8 * MIB);
    for (uint64_t n = 0; put_number(f.s, STORE_CONTACTS, n, 0, SIZE, NULL) == STORE_OK; n++)
        if (store_pressed(f.s)) assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    for (uint64_t n = 0; n < 1500; n++) {
        uint8_t id[ID_BYTES];
        id_of(n, id);
        assert_int_equal(store_delete(f.s, STORE_CONTACTS, id, STORE_ANY), STORE_OK);
        if (n % 20 == 0) assert_int_equal(store_commit(f.s), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(pipe2(end, O_NONBLOCK), 0);
    struct store_snapshot *snapshot = store_snapshot_begin(f.s, 1);
    assert_non_null(snapshot);
    for (uint64_t round = 0; round < 80; round++) { /* each of them frees what it rewrites; a snapshot keeps it */
        for (uint64_t i = 0; i < 60; i++)
            assert_int_equal(put_number(f.s, STORE_CONTACTS, 100000 + i, STORE_ANY, SIZE, NULL), STORE_OK);
        assert_int_equal(store_commit(f.s), STORE_OK);
    }
    assert_int_equal(store_snapshot_step(snapshot, end[1], &done), STORE_FULL);
    store_snapshot_end(snapshot);
    close(end[0]);
    close(end[1]);
    fixture_end(&f);
}

static void nobody_reads(void **state) {
    (void)state;
    struct fixture f;
    bool done = false;
    int end[2];
    signal(SIGPIPE, SIG_IGN);
    fixture_new(&f, 64 * MIB);
    fill(&f);
    assert_int_equal(pipe2(end, O_NONBLOCK), 0);
    struct store_snapshot *n = store_snapshot_begin(f.s, 1);
    close(end[0]);
    assert_int_equal(store_snapshot_step(n, end[1], &done), STORE_IO);
    store_snapshot_end(n);
    close(end[1]);
    n = store_snapshot_begin(f.s, 1); /* the store goes first */
    fixture_end(&f);
    assert_int_equal(store_snapshot_step(n, 0, &done), STORE_FULL);
    store_snapshot_end(n);
}

static bool other_space(struct chunk *c, uint64_t n) {
    if (n == 100) c->key[0] = 0x7f;
    return true;
}
static bool too_short(struct chunk *c, uint64_t n) {
    if (n == 100) c->size = 12;
    return true;
}
static bool twice(struct chunk *c, uint64_t n) {
    static uint8_t key[CHUNK_KEY];
    if (n == 100) memcpy(key, c->key, CHUNK_KEY);
    if (n == 101) memcpy(c->key, key, CHUNK_KEY);
    return true;
}
static bool no_state(struct chunk *c, uint64_t n) {
    (void)n;
    return !(c->key[0] == 0 && c->key[1] == 's');
}
static bool no_format(struct chunk *c, uint64_t n) {
    (void)n;
    return !(c->key[0] == 0 && c->key[1] == 'f');
}

static void not_a_store(void **state) {
    (void)state;
    const struct {
        bool (*spoil)(struct chunk *, uint64_t);
        enum store_result result;
    } cases[] = {{other_space, STORE_BROKEN},
                 {too_short, STORE_BROKEN},
                 {twice, STORE_CONFLICT},
                 {no_state, STORE_BROKEN},
                 {no_format, STORE_BROKEN}};
    struct fixture f;
    char path[128], lock[160];
    int fd = scratch();
    fixture_new(&f, 64 * MIB);
    fill(&f);
    assert_int_equal(pour(&f, fd, NULL), STORE_OK);
    path_of(&f, "image.mdb", path);
    snprintf(lock, sizeof lock, "%s-lock", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(load(fd, path, cases[i].spoil), cases[i].result);
        unlink(path);
        unlink(lock);
    }
    close(fd);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_meanwhile), cmocka_unit_test(sealed),      cmocka_unit_test(gives_way),
        cmocka_unit_test(nobody_reads),      cmocka_unit_test(not_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
