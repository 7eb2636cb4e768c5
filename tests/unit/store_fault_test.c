/* LMDB's calls fail one after the other, at every place they are made: what was committed stays, what was not is gone as a whole, the
 * caller hears of it once, and the store goes on. */
#include "store_fixture.h"

#include <dlfcn.h>
#include <lmdb.h>

static int countdown; /* calls until one fails; 0 = none does */
static int fault;     /* with what */

static bool fails(void) { return countdown > 0 && --countdown == 0; }

/* The executable's definitions come before the library's. */
int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags) {
    static int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *, unsigned);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "mdb_put");
    return fails() ? fault : real(txn, dbi, key, data, flags);
}

int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data) {
    static int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "mdb_del");
    return fails() ? fault : real(txn, dbi, key, data);
}

int mdb_txn_commit(MDB_txn *txn) {
    static int (*real)(MDB_txn *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_commit");
    if (!fails()) return real(txn);
    mdb_txn_abort(txn); /* as LMDB does */
    return fault;
}

static struct index_key entry_for(uint64_t number) {
    struct index_key k = {.letter = (char)('A' + number % 26), .size = 8};
    uint64_t r = mix(number);
    memcpy(k.bytes, &r, 8);
    id_of(number, k.id);
    return k;
}

static bool count_one(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    (void)key, (void)summary;
    *(uint64_t *)argument += size == 100;
    return true;
}

/* A batch that changes, adds and deletes; the first failure of it. */
static enum store_result batch(struct store *s, uint64_t base) {
    static const uint8_t summary[100];
    enum store_result r = STORE_OK;

    for (uint64_t i = 0; i < 40 && r == STORE_OK; i++) {
        struct index_key k = entry_for(base + i);
        r = put_number(s, STORE_CONTACTS, base + i, 0, 100, NULL);
        if (r == STORE_OK) r = index_put(s, STORE_CONTACTS, &k, summary, sizeof summary);
        if (r != STORE_OK || i % 4) continue;
        k = entry_for(base - 40 + i);
        r = store_delete(s, STORE_CONTACTS, k.id, STORE_ANY);
        if (r == STORE_OK) r = index_delete(s, STORE_CONTACTS, &k);
    }
    return r;
}

static void holds(struct store *s, uint64_t count, uint64_t commits) {
    uint64_t listed = 0;
    assert_int_equal(store_count(s, STORE_CONTACTS), count);
    assert_int_equal(store_commits(s), commits);
    assert_int_equal(index_list(s, STORE_CONTACTS, 0, NULL, false, SIZE_MAX, count_one, &listed, NULL), STORE_OK);
    assert_int_equal(listed, count);
    assert_int_equal(check_all(s, 50, NULL), 0);
}

static void every_call_fails_once(int with, enum store_result expected) {
    struct fixture f;
    static const uint8_t summary[100];
    uint64_t base = 1000, count = 400, commits = 1;

    fixture_new(&f, 64 * MIB);
    for (uint64_t i = base - 400; i < base; i++) {
        struct index_key k = entry_for(i);
        assert_int_equal(put_number(f.s, STORE_CONTACTS, i, 0, 100, NULL), STORE_OK);
        assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, summary, sizeof summary), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
    for (int place = 1;; place++) {
        fault = with;
        countdown = place;
        enum store_result r = batch(f.s, base), c = STORE_OK;
        if (r != STORE_OK) { /* lost in the middle: nothing more goes in, reading goes on as of the last commit */
            assert_int_equal(r, expected);
            assert_true(store_dirty(f.s));
            assert_int_equal(put_number(f.s, STORE_USERS, 1, 0, 10, NULL), expected);
            holds(f.s, count, commits);
        }
        c = store_commit(f.s);
        bool done = countdown > 0;
        countdown = 0;
        assert_int_equal(c, done ? STORE_OK : expected);
        assert_false(store_dirty(f.s));
        assert_int_equal(store_commit(f.s), STORE_OK); /* said once */
        if (done) break;
        holds(f.s, count, commits);
    }
    holds(f.s, count + 30, commits + 1);
    store_close(f.s);
    fixture_open(&f, 64 * MIB);
    holds(f.s, count + 30, commits + 1);
    fixture_end(&f);
}

static void map_full(void **state) {
    (void)state;
    every_call_fails_once(MDB_MAP_FULL, STORE_FULL);
}
static void disk_full(void **state) {
    (void)state;
    every_call_fails_once(ENOSPC, STORE_FULL);
}
static void input_output(void **state) {
    (void)state;
    every_call_fails_once(EIO, STORE_IO);
}
static void no_memory(void **state) {
    (void)state;
    every_call_fails_once(ENOMEM, STORE_MEMORY);
}
static void corrupted(void **state) {
    (void)state;
    every_call_fails_once(MDB_CORRUPTED, STORE_BROKEN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_full),  cmocka_unit_test(disk_full), cmocka_unit_test(input_output),
        cmocka_unit_test(no_memory), cmocka_unit_test(corrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
