/* Marks: what a client keeps of the file shows an older one put back, also when it was written on, and shows nothing else. */
#include "store_fixture.h"

static void write_one(struct store *s) {
    static uint64_t number;
    assert_int_equal(put_number(s, STORE_COMPANIES, ++number, 0, 50, NULL), STORE_OK);
    assert_int_equal(store_commit(s), STORE_OK);
}

static enum store_mark read_mark(struct store *s, const uint8_t mark[STORE_MARK]) {
    uint64_t commit;
    return store_mark_read(s, mark, &commit);
}

static void copy(const char *from, const char *to) {
    char buffer[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, in)) > 0;)
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static void again(struct fixture *f) {
    store_close(f->s);
    fixture_open(f, 64 * MIB);
}

static void what_was_seen_is_known(void **state) {
    uint8_t mark[3][STORE_MARK];
    struct fixture f;
    uint64_t commit;
    (void)state;
    fixture_new(&f, 64 * MIB);
    assert_int_equal(store_committed(f.s), 0);
    for (int i = 0; i < 3; i++) {
        write_one(f.s);
        store_mark(f.s, mark[i]);
        again(&f);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_mark_read(f.s, mark[i], &commit), MARK_KNOWN);
        assert_int_equal(commit, i + 1);
    }
    assert_true(store_committed(f.s) > 1600000000);
    /* Of an answer that leaves after the commit, and of one that never leaves. */
    assert_int_equal(put_number(f.s, STORE_USERS, 7, 0, 50, NULL), STORE_OK);
    store_mark(f.s, mark[0]);
    assert_int_equal(read_mark(f.s, mark[0]), MARK_LOST);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(read_mark(f.s, mark[0]), MARK_KNOWN);
    fixture_end(&f);
}

/* S4: nobody makes a mark that shows an older file as the newest */
/* A number that was never given out, and another tenant's mark, mean nothing. */
static void nobody_can_make_one(void **state) {
    uint8_t mark[STORE_MARK];
    struct fixture f, other;
    (void)state;
    fixture_new(&f, 64 * MIB);
    fixture_new(&other, 64 * MIB);
    write_one(f.s);
    write_one(other.s);
    store_mark(other.s, mark);
    assert_int_equal(read_mark(f.s, mark), MARK_FOREIGN);
    store_mark(f.s, mark);
    for (size_t i = 0; i < sizeof mark; i++) {
        mark[i] ^= 1;
        assert_int_equal(read_mark(f.s, mark), MARK_FOREIGN);
        mark[i] ^= 1;
    }
    assert_int_equal(read_mark(f.s, mark), MARK_KNOWN);
    fixture_end(&f);
    fixture_end(&other);
}

static void an_older_file_shows(void **state) {
    uint8_t early[STORE_MARK], mark[STORE_MARK], later[STORE_MARK];
    struct fixture f;
    char old[128];
    uint64_t commit;
    (void)state;
    fixture_new(&f, 64 * MIB);
    snprintf(old, sizeof old, "%s.old", f.path);
    write_one(f.s);
    store_mark(f.s, early);
    copy(f.path, old);
    again(&f);
    write_one(f.s);
    store_mark(f.s, mark);
    write_one(f.s);
    store_mark(f.s, later);
    store_close(f.s);
    copy(old, f.path);
    fixture_open(&f, 64 * MIB);
    assert_int_equal(read_mark(f.s, early), MARK_KNOWN);
    assert_int_equal(store_mark_read(f.s, mark, &commit), MARK_LOST);
    assert_int_equal(commit, 2);
    for (int i = 0; i < 10; i++)
        write_one(f.s); /* whoever writes on in it hides nothing */
    assert_true(store_commits(f.s) > 3);
    assert_int_equal(read_mark(f.s, mark), MARK_LOST);
    again(&f);
    assert_int_equal(read_mark(f.s, mark), MARK_LOST);

    /* Until it is accepted, once for all. */
    assert_int_equal(store_accept(f.s, 2), STORE_OK);
    store_abort(f.s);
    assert_int_equal(read_mark(f.s, mark), MARK_LOST);
    assert_int_equal(store_accept(f.s, 2), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_mark(f.s, early), MARK_KNOWN);
        assert_int_equal(read_mark(f.s, mark), MARK_KNOWN);
        assert_int_equal(read_mark(f.s, later), MARK_KNOWN); /* shown by nobody before */
        again(&f);
    }
    store_mark(f.s, mark);
    store_close(f.s);
    copy(old, f.path);
    fixture_open(&f, 64 * MIB);
    assert_int_equal(read_mark(f.s, mark), MARK_LOST);
    unlink(old);
    fixture_end(&f);
}

/* The tags of the last unsealings that wrote are kept; what is older is held against the number, and unsealing alone takes no place. */
static void many_unsealings(void **state) {
    uint8_t first[STORE_MARK], last[STORE_MARK];
    struct fixture f;
    char old[128];
    (void)state;
    fixture_new(&f, 64 * MIB);
    snprintf(old, sizeof old, "%s.old", f.path);
    write_one(f.s);
    store_mark(f.s, first);
    copy(f.path, old);
    again(&f);
    write_one(f.s);
    store_mark(f.s, last);
    store_close(f.s);
    copy(old, f.path);
    fixture_open(&f, 64 * MIB);
    write_one(f.s);
    for (int i = 0; i < 100; i++)
        again(&f);
    assert_int_equal(read_mark(f.s, last), MARK_LOST);
    for (int i = 0; i < 50; i++) {
        write_one(f.s);
        again(&f);
    }
    assert_int_equal(read_mark(f.s, first), MARK_KNOWN);
    assert_int_equal(read_mark(f.s, last), MARK_KNOWN); /* too old to tell */
    unlink(old);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_seen_is_known),
        cmocka_unit_test(nobody_can_make_one),
        cmocka_unit_test(an_older_file_shows),
        cmocka_unit_test(many_unsealings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
