#include "store_tamper.h"

#include "../../worker/store/seal.h"

static struct index_key entry_for(uint64_t number) {
    struct index_key k = {.letter = (char)('A' + number % 26), .size = 20};
    for (int i = 0; i < 20; i++)
        k.bytes[i] = (uint8_t)('a' + mix(number + (uint64_t)i) % 26);
    id_of(number, k.id);
    return k;
}

static void add(struct store *s, enum store_table t, uint64_t number) {
    struct index_key k = entry_for(number);
    assert_int_equal(put_number(s, t, number, 0, 100 + number % 300, NULL), STORE_OK);
    assert_int_equal(index_put(s, t, &k, k.bytes, k.size), STORE_OK);
}

static void filled(struct fixture *f, uint64_t records) {
    fixture_new(f, 64 * MIB);
    for (uint64_t i = 0; i < records; i++)
        add(f->s, 1 + (enum store_table)(i % 4), i);
    assert_int_equal(store_commit(f->s), STORE_OK);
}

static void finds_nothing_where_nothing_is_wrong(void **state) {
    struct fixture f;
    uint64_t seen;
    (void)state;
    fixture_new(&f, 64 * MIB);
    assert_int_equal(check_all(f.s, 10, &seen), 0);
    assert_int_equal(seen, 0);
    fixture_end(&f);
    filled(&f, 3000);
    for (size_t step = 1; step < 10000; step = step * 7 + 1) {
        assert_int_equal(check_all(f.s, step, &seen), 0);
        assert_true(seen > 3000);
    }
    fixture_end(&f);
}

/* Writes, deletions, commits and aborts between the steps never look like damage. */
static void goes_on_while_others_write(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 9; seed++) {
        struct fixture f;
        uint64_t r = seed;
        bool there[900] = {0};
        filled(&f, 400);
        for (int i = 0; i < 400; i++)
            there[i] = true;
        for (int pass = 0; pass < 4; pass++) {
            bool kept[900];
            struct store_check check = {0};
            memcpy(kept, there, sizeof kept);
            while (!check.done) {
                assert_int_equal(store_check_step(f.s, &check, 1 + (r >> 20) % 20), STORE_OK);
                for (int i = 0; i < 3; i++) {
                    uint64_t n = (r = mix(r)) % 900;
                    enum store_table t = 1 + (enum store_table)(n % 4);
                    struct index_key k = entry_for(n);
                    if (!there[n]) {
                        add(f.s, t, n);
                        there[n] = true;
                    } else if (r >> 16 & 1) {
                        assert_int_equal(store_delete(f.s, t, k.id, STORE_ANY), STORE_OK);
                        assert_int_equal(index_delete(f.s, t, &k), STORE_OK);
                        there[n] = false;
                    } else {
                        assert_int_equal(put_number(f.s, t, n, STORE_ANY, (r >> 20) % 3000, NULL), STORE_OK);
                        assert_int_equal(index_put(f.s, t, &k, "changed", (r >> 20) % 8), STORE_OK);
                    }
                }
                if (r >> 40 & 3) continue;
                if (r >> 42 & 3) {
                    assert_int_equal(store_commit(f.s), STORE_OK);
                    memcpy(kept, there, sizeof kept);
                } else {
                    store_abort(f.s);
                    memcpy(there, kept, sizeof kept);
                }
            }
            assert_int_equal(check.found, 0);
            assert_int_equal(store_commit(f.s), STORE_OK);
        }
        fixture_end(&f);
    }
}

static void starts_again_after_sealing(void **state) {
    struct fixture f;
    struct store_check check = {0}, other = {0};
    (void)state;
    filled(&f, 500);
    assert_int_equal(store_check_step(f.s, &check, 100), STORE_OK);
    assert_int_equal(check.seen, 100);
    store_seal(f.s);
    assert_int_equal(store_check_step(f.s, &check, 100), STORE_SEALED);
    assert_int_equal(store_unseal(f.s, f.keys, f.tenant), STORE_OK);
    while (!check.done)
        assert_int_equal(store_check_step(f.s, &check, 100), STORE_OK);
    assert_int_equal(check.found, 0);
    assert_true(check.seen > 500);
    assert_int_equal(store_check_step(f.s, &check, 100), STORE_OK); /* done stays done */
    assert_true(check.done);
    assert_int_equal(store_check_step(f.s, &other, 10), STORE_OK);
    assert_false(other.done);
    fixture_end(&f);
}

static uint64_t found_after(struct fixture *f) {
    fixture_open(f, 64 * MIB);
    return check_all(f->s, 37, NULL);
}

/* One record gone, an old one back, one copied elsewhere, one bit: each is found, whatever record it is. */
static void finds_what_was_done(void **state) {
    struct fixture f;
    (void)state;
    filled(&f, 200);
    for (int what = 0; what < 5; what++) {
        for (uint8_t space = 1; space <= STORE_SETTINGS; space++) {
            store_close(f.s);
            struct dump d = tamper_dump(f.path);
            const struct pair *p = dump_nth(&d, space, 20 + (size_t)what), *q = dump_nth(&d, space, 30);
            uint8_t *bytes = malloc(p->size), key[17];
            memcpy(bytes, p->value, p->size);
            memcpy(key, p->key, 17);
            switch (what) {
            case 0:
                tamper_set(f.path, key, NULL, 0);
                break;
            case 1:
                bytes[p->size / 2] ^= 4, tamper_set(f.path, key, bytes, p->size);
                break;
            case 2:
                bytes[0] ^= 1, tamper_set(f.path, key, bytes, p->size);
                break; /* the version in clear */
            case 3:
                tamper_set(f.path, key, q->value, q->size);
                break;
            case 4:
                key[5] ^= 1, tamper_set(f.path, key, bytes, p->size);
                break; /* under a name of its own */
            }
            assert_true(found_after(&f) > 0);
            store_close(f.s);
            if (what == 4) tamper_set(f.path, key, NULL, 0);
            tamper_set(f.path, p->key, p->value, p->size);
            assert_int_equal(found_after(&f), 0);
            free(bytes);
            dump_free(&d);
        }
    }
    fixture_end(&f);
}

static void finds_an_old_record(void **state) {
    struct fixture f;
    uint64_t v;
    (void)state;
    filled(&f, 100);
    store_close(f.s);
    struct dump before = tamper_dump(f.path);
    fixture_open(&f, 64 * MIB);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(put_number(f.s, 1 + (enum store_table)(i % 4), i, STORE_ANY, 100 + i % 300, &v), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    const struct pair *old = dump_nth(&before, STORE_USERS, 3);
    tamper_set(f.path, old->key, old->value, old->size);
    assert_true(found_after(&f) > 0);
    /* A deleted one brought back is found as well. */
    dump_free(&before);
    fixture_end(&f);

    filled(&f, 100);
    store_close(f.s);
    before = tamper_dump(f.path);
    fixture_open(&f, 64 * MIB);
    uint8_t id[ID_BYTES];
    id_of(4, id);
    assert_int_equal(store_delete(f.s, 1, id, STORE_ANY), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    struct dump after = tamper_dump(f.path);
    for (size_t i = 0; i < before.count; i++) {
        if (before.pair[i].key[0] != 1 || dump_find(&after, before.pair[i].key)) continue;
        tamper_set(f.path, before.pair[i].key, before.pair[i].value, before.pair[i].size);
    }
    assert_true(found_after(&f) > 0);
    dump_free(&before);
    dump_free(&after);
    fixture_end(&f);
}

/* A broken index node costs its own entries and no more, and the rest of the pass goes on. */
static void finds_broken_nodes(void **state) {
    struct fixture f;
    (void)state;
    filled(&f, 2000);
    store_close(f.s);
    struct dump d = tamper_dump(f.path);
    for (size_t n = 0; n < 30; n++) {
        const struct pair *p = dump_nth(&d, SPACE_NODES + 1 + n % 4, n / 4);
        assert_non_null(p);
        uint8_t *bytes = malloc(p->size);
        memcpy(bytes, p->value, p->size);
        bytes[p->size - 1 - n] ^= 0x80;
        if (n % 3 == 0)
            tamper_set(f.path, p->key, NULL, 0);
        else
            tamper_set(f.path, p->key, bytes, p->size);
        assert_true(found_after(&f) > 0);
        store_close(f.s);
        tamper_set(f.path, p->key, p->value, p->size);
        free(bytes);
    }
    assert_int_equal(found_after(&f), 0);
    dump_free(&d);
    fixture_end(&f);
}

/* What is broken can be got rid of, and the sums are true again where the damage left the version alone. */
static void broken_records_can_go(void **state) {
    struct fixture f;
    const uint8_t *value;
    size_t size;
    uint8_t id[ID_BYTES];
    (void)state;
    filled(&f, 8);
    store_close(f.s);
    struct dump d = tamper_dump(f.path);
    for (int i = 0; i < 2; i++) {
        const struct pair *p = dump_nth(&d, 1, (size_t)i);
        p->value[p->size - 3] ^= 1;
        tamper_set(f.path, p->key, p->value, p->size);
    }
    fixture_open(&f, 64 * MIB);
    for (uint64_t number = 0; number < 8; number += 4) { /* both records of table 1 */
        id_of(number, id);
        assert_int_equal(get_number(f.s, 1, number, &value, &size, NULL), STORE_BROKEN);
        assert_int_equal(put_number(f.s, 1, number, 1, 10, NULL), STORE_BROKEN);
        assert_int_equal(store_delete(f.s, 1, id, 1), STORE_BROKEN);
    }
    assert_true(check_all(f.s, 10, NULL) == 2);
    id_of(0, id);
    assert_int_equal(store_delete(f.s, 1, id, STORE_ANY), STORE_OK);
    assert_int_equal(put_number(f.s, 1, 4, STORE_ANY, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_int_equal(check_all(f.s, 10, NULL), 0);
    assert_int_equal(store_count(f.s, 1), 1);
    dump_free(&d);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_where_nothing_is_wrong),
        cmocka_unit_test(goes_on_while_others_write),
        cmocka_unit_test(starts_again_after_sealing),
        cmocka_unit_test(finds_what_was_done),
        cmocka_unit_test(finds_an_old_record),
        cmocka_unit_test(finds_broken_nodes),
        cmocka_unit_test(broken_records_can_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
