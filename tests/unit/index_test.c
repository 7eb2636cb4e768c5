#include "store_fixture.h"

/* A sorted array that does what the index should. */
struct entry {
    struct index_key key;
    uint16_t size;
    uint8_t summary[INDEX_SUMMARY_MAX];
};
struct model {
    struct entry *entry;
    size_t count, room;
};

static int compare(const struct index_key *a, const struct index_key *b) {
    size_t common = a->size < b->size ? a->size : b->size;
    if (a->letter != b->letter) return a->letter < b->letter ? -1 : 1;
    int order = memcmp(a->bytes, b->bytes, common);
    if (order) return order;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return memcmp(a->id, b->id, ID_BYTES);
}

static size_t lower(const struct model *m, const struct index_key *k) {
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&m->entry[middle].key, k) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct model *m, size_t i, const struct index_key *k) { return i < m->count && compare(&m->entry[i].key, k) == 0; }

static void model_put(struct model *m, const struct index_key *k, const uint8_t *summary, size_t size) {
    size_t i = lower(m, k);
    if (!has(m, i, k)) {
        if (m->count == m->room) {
            m->room = m->room * 2 + 64;
            m->entry = realloc(m->entry, m->room * sizeof *m->entry);
        }
        memmove(m->entry + i + 1, m->entry + i, (m->count - i) * sizeof *m->entry);
        m->count++;
    }
    m->entry[i].key = *k;
    m->entry[i].size = (uint16_t)size;
    memcpy(m->entry[i].summary, summary, size);
}

static bool model_delete(struct model *m, const struct index_key *k) {
    size_t i = lower(m, k);
    if (!has(m, i, k)) return false;
    memmove(m->entry + i, m->entry + i + 1, (m->count - i - 1) * sizeof *m->entry);
    m->count--;
    return true;
}

struct listing {
    const struct model *m;
    size_t at, given, stop_after;
    bool backwards;
};

static bool listed(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct listing *l = argument;
    const struct entry *e = &l->m->entry[l->backwards ? l->at - 1 : l->at];
    assert_true(l->backwards ? l->at > 0 : l->at < l->m->count);
    assert_int_equal(compare(key, &e->key), 0);
    assert_int_equal(size, e->size);
    assert_memory_equal(summary, e->summary, size);
    l->at += l->backwards ? (size_t)-1 : 1;
    return ++l->given != l->stop_after;
}

static void same_list(struct store *s, const struct model *m, char letter, const struct index_key *after, bool backwards, size_t limit,
                      size_t stop_after) {
    struct listing l = {.m = m, .backwards = backwards, .stop_after = stop_after};
    struct index_key first = {.letter = letter}, last = {.letter = (char)(letter + 1)};
    size_t low = letter ? lower(m, &first) : 0, high = letter ? lower(m, &last) : m->count;
    bool more;

    if (after && backwards && lower(m, after) < high) high = lower(m, after);
    if (after && !backwards) {
        size_t i = lower(m, after);
        i += has(m, i, after);
        if (i > low) low = i;
    }
    if (high < low) high = low;
    l.at = backwards ? high : low;
    assert_int_equal(index_list(s, STORE_CONTACTS, letter, after, backwards, limit, listed, &l, &more), STORE_OK);
    size_t want = high - low < limit ? high - low : limit;
    if (stop_after && stop_after < want) want = stop_after;
    assert_int_equal(l.given, want);
    assert_int_equal(more, high - low > want);
}

static void same_letters(struct store *s, const struct model *m) {
    uint64_t count[INDEX_LETTERS], expected[INDEX_LETTERS] = {0};
    for (size_t i = 0; i < m->count; i++)
        expected[m->entry[i].key.letter == '#' ? 0 : m->entry[i].key.letter - 'A' + 1]++;
    assert_int_equal(index_letters(s, STORE_CONTACTS, count), STORE_OK);
    assert_memory_equal(count, expected, sizeof count);
}

/* Keys with long common prefixes, equal keys with different ids, empty keys, all lengths. */
static struct index_key random_key(uint64_t *seed) {
    struct index_key k = {0};
    uint64_t r = *seed = mix(*seed);
    k.letter = r % 7 == 0 ? '#' : (char)('A' + r % 5 * (r >> 8 & 3) % 26);
    k.size = (uint8_t)((r >> 16) % 3 == 0 ? (r >> 24) % (INDEX_KEY_MAX + 1) : (r >> 24) % 12);
    memset(k.bytes, 'm', k.size);
    for (int i = 0; i < 3 && k.size > 0; i++)
        k.bytes[k.size - 1 - (size_t)i % k.size] = (uint8_t)(r >> (32 + 4 * i) & 7);
    id_of((r >> 50) % 16, k.id);
    return k;
}

static void random_changes(struct fixture *f, uint64_t seed, int changes, bool grow) {
    struct model m = {0}, committed = {0};
    uint8_t summary[INDEX_SUMMARY_MAX];

    for (int i = 0; i < changes; i++) {
        struct index_key k = random_key(&seed);
        uint64_t r = seed = mix(seed);
        bool deleting = r % 100 < (uint64_t)(grow || i < changes / 2 ? 25 : 70);
        if (deleting && m.count > 0) {
            if (r >> 8 & 7) k = m.entry[(r >> 16) % m.count].key;
            bool there = has(&m, lower(&m, &k), &k);
            assert_int_equal(index_delete(f->s, STORE_CONTACTS, &k), there ? STORE_OK : STORE_MISSING);
            assert_int_equal(model_delete(&m, &k), there);
        } else {
            size_t size = (r >> 8) % 8 == 0 ? (r >> 16) % (INDEX_SUMMARY_MAX + 1) : (r >> 16) % 200;
            if ((r >> 32) % 4 == 0 && m.count > 0) k = m.entry[(r >> 40) % m.count].key;
            for (size_t j = 0; j < size; j++)
                summary[j] = (uint8_t)(r + j);
            assert_int_equal(index_put(f->s, STORE_CONTACTS, &k, summary, size), STORE_OK);
            model_put(&m, &k, summary, size);
        }
        if (r >> 56 < 20) {
            struct index_key after = random_key(&seed);
            same_list(f->s, &m, 0, NULL, r & 1, 1 + r % 60, 0);
            same_list(f->s, &m, 0, &after, r & 1, r % 60, 0);
            same_list(f->s, &m, after.letter, NULL, r & 1, 1 + r % 300, 0);
            after = random_key(&seed);
            same_list(f->s, &m, random_key(&seed).letter, &after, r & 1, r % 300, r % 7);
            if (m.count > 0) same_list(f->s, &m, r & 2 ? 'B' : 0, &m.entry[(r >> 20) % m.count].key, r & 1, 50, 0);
        }
        if (r % 97 == 0) { /* the transaction ends, one way or the other */
            bool keep = r % 5 != 0;
            if (keep) {
                assert_int_equal(store_commit(f->s), STORE_OK);
            } else {
                store_abort(f->s);
            }
            const struct model *from = keep ? &m : &committed;
            struct model *to = keep ? &committed : &m;
            to->entry = realloc(to->entry, (from->count + 1) * sizeof *to->entry);
            to->room = from->count + 1;
            to->count = from->count;
            memcpy(to->entry, from->entry, from->count * sizeof *to->entry);
        }
        if (r % 1009 == 0) {
            same_letters(f->s, &m);
            same_list(f->s, &m, 0, NULL, false, SIZE_MAX, 0);
            same_list(f->s, &m, 0, NULL, true, SIZE_MAX, 0);
        }
    }
    assert_int_equal(store_commit(f->s), STORE_OK);
    store_close(f->s);
    fixture_open(f, 256 * MIB);
    same_letters(f->s, &m);
    same_list(f->s, &m, 0, NULL, false, SIZE_MAX, 0);
    assert_int_equal(check_all(f->s, 10, NULL), 0);
    while (m.count > 0) { /* down to nothing */
        struct index_key k = m.entry[seed % m.count].key;
        seed = mix(seed);
        assert_int_equal(index_delete(f->s, STORE_CONTACTS, &k), STORE_OK);
        model_delete(&m, &k);
    }
    same_letters(f->s, &m);
    same_list(f->s, &m, 0, NULL, false, 10, 0);
    assert_int_equal(store_commit(f->s), STORE_OK);
    assert_int_equal(check_all(f->s, 10, NULL), 0);
    free(m.entry);
    free(committed.entry);
}

static void as_a_sorted_array(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct fixture f;
        fixture_new(&f, 256 * MIB);
        random_changes(&f, seed * 7919, 12000, false);
        fixture_end(&f);
    }
}

static void as_a_large_sorted_array(void **state) {
    struct fixture f;
    (void)state;
    fixture_new(&f, 256 * MIB);
    random_changes(&f, 99, 40000, true);
    fixture_end(&f);
}

static void sorted_input_fills_pages(void **state) {
    struct fixture f;
    uint8_t summary[120] = {0};
    (void)state;
    fixture_new(&f, 64 * MIB);
    for (uint64_t i = 0; i < 20000; i++) {
        struct index_key k = {.letter = 'C', .size = 8};
        for (int j = 0; j < 8; j++)
            k.bytes[j] = (uint8_t)(i >> (56 - 8 * j));
        id_of(i, k.id);
        assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, summary, sizeof summary), STORE_OK);
        if (store_pressed(f.s)) assert_int_equal(store_commit(f.s), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
    /* 148 bytes an entry, 27 a page of 4096 */
    assert_true(store_bytes(f.s) < 20000 / 27 * 4096 * 12 / 10);
    fixture_end(&f);
}

static bool never(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    (void)argument, (void)key, (void)summary, (void)size;
    fail();
    return false;
}

static void refuses_what_is_out_of_range(void **state) {
    struct fixture f;
    struct index_key k = {.letter = 'a'};
    bool more = true;
    (void)state;
    fixture_new(&f, 64 * MIB);
    assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, "", 0), STORE_INVALID);
    assert_int_equal(index_list(f.s, STORE_CONTACTS, 'a', NULL, false, 1, never, NULL, &more), STORE_INVALID);
    k.letter = '[';
    assert_int_equal(index_delete(f.s, STORE_CONTACTS, &k), STORE_INVALID);
    k = (struct index_key){.letter = 'Z', .size = INDEX_KEY_MAX + 1};
    assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, "", 0), STORE_INVALID);
    k.size = INDEX_KEY_MAX;
    assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, f.folder, INDEX_SUMMARY_MAX + 1), STORE_INVALID);
    assert_int_equal(index_put(f.s, STORE_TABLES_END, &k, "", 0), STORE_INVALID);
    assert_int_equal(index_put(f.s, 0, &k, "", 0), STORE_INVALID);
    assert_int_equal(index_list(f.s, STORE_CONTACTS, 0, NULL, true, 1, never, NULL, &more), STORE_OK);
    assert_false(more);
    fixture_end(&f);
}

/* A refused or lost write leaves index and letters as they were. */
static void full_leaves_it_whole(void **state) {
    struct fixture f;
    struct model m = {0};
    uint8_t summary[INDEX_SUMMARY_MAX] = {1};
    uint64_t seed = 5;
    enum store_result r = STORE_OK;
    (void)state;
    fixture_new(&f, MIB);
    while (r == STORE_OK) {
        struct index_key k = random_key(&seed);
        r = index_put(f.s, STORE_CONTACTS, &k, summary, sizeof summary);
        if (r == STORE_OK) model_put(&m, &k, summary, sizeof summary);
        if (r == STORE_OK && seed % 8 == 0) assert_int_equal(store_commit(f.s), STORE_OK);
    }
    assert_int_equal(r, STORE_FULL);
    assert_int_equal(store_commit(f.s), STORE_OK);
    same_letters(f.s, &m);
    same_list(f.s, &m, 0, NULL, false, SIZE_MAX, 0);
    while (m.count > 0) {
        struct index_key k = m.entry[(seed = mix(seed)) % m.count].key;
        assert_int_equal(index_delete(f.s, STORE_CONTACTS, &k), STORE_OK);
        assert_true(model_delete(&m, &k));
        if (seed % 4 == 0) assert_int_equal(store_commit(f.s), STORE_OK);
    }
    free(m.entry);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_sorted_array),        cmocka_unit_test(as_a_large_sorted_array),
        cmocka_unit_test(sorted_input_fills_pages), cmocka_unit_test(refuses_what_is_out_of_range),
        cmocka_unit_test(full_leaves_it_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
