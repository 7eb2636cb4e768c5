/* The move of a store into another file under other keys, while it is in use: what is there afterwards, what the keys open, and the attacks
 * that a move must not make whole (a record left out, an old one put back). */
#include "../../worker/store/seal.h"
#include "store_tamper.h"

enum { MAP_MIB = 32, NUMBERS = 1500 };
static const enum store_table the_table = STORE_CONTACTS;

struct pair_of {
    struct fixture from;
    char path[128]; /* of the other file */
    struct keyring *keys;
    struct store *to;
    struct store_move *move;
};

static void key_for(uint64_t number, struct index_key *key) {
    *key = (struct index_key){.letter = (char)('A' + mix(number) % 26), .size = (uint8_t)(4 + number % 40)};
    for (int i = 0; i < key->size; i++)
        key->bytes[i] = (uint8_t)mix(number * 41 + (uint64_t)i);
    id_of(number, key->id);
}

static void put_entry(struct store *s, uint64_t number, uint64_t version) {
    struct index_key key;
    uint8_t summary[300];
    key_for(number, &key);
    assert_int_equal(index_put(s, the_table, &key, summary, value_of(number, version, 20 + number % 250, summary)), STORE_OK);
}

static void put_whole(struct store *s, uint64_t number) {
    uint64_t version;
    size_t size = number % 97 == 0 ? 9000 : 40 + number % 500;
    assert_int_equal(put_number(s, the_table, number, STORE_ANY, size, &version), STORE_OK);
    put_entry(s, number, version);
    if (store_pressed(s)) assert_int_equal(store_commit(s), STORE_OK);
}

static void delete_whole(struct store *s, uint64_t number) {
    struct index_key key;
    uint8_t id[ID_BYTES];
    id_of(number, id);
    key_for(number, &key);
    enum store_result result = store_delete(s, the_table, id, STORE_ANY);
    assert_int_equal(index_delete(s, the_table, &key), result);
    assert_true(result == STORE_OK || result == STORE_MISSING);
}

static void begin(struct pair_of *p, uint64_t map, unsigned numbers) {
    fixture_new(&p->from, MAP_MIB * MIB);
    snprintf(p->path, sizeof p->path, "%s/data-2.mdb", p->from.folder);
    for (unsigned i = 0; i < numbers; i++)
        put_whole(p->from.s, i);
    for (unsigned i = 0; i < numbers; i += 7)
        put_whole(p->from.s, i); /* second versions */
    for (unsigned i = 3; i < numbers; i += 11)
        delete_whole(p->from.s, i);
    assert_int_equal(put_number(p->from.s, STORE_SETTINGS, 1, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(p->from.s), STORE_OK);
    p->keys = fixture_keys(2);
    p->to = store_open(p->path, map);
    assert_non_null(p->to);
    assert_int_equal(store_set_spare(p->to, true), STORE_OK);
    assert_int_equal(store_unseal(p->to, p->keys, p->from.tenant), STORE_OK);
    p->move = store_move_begin(p->from.s, p->to);
    assert_non_null(p->move);
}

static void end(struct pair_of *p) {
    char lock[160];
    store_move_end(p->move);
    store_close(p->to);
    keyring_free(p->keys);
    unlink(p->path);
    snprintf(lock, sizeof lock, "%s-lock", p->path);
    unlink(lock);
    fixture_end(&p->from);
}

static enum store_result run(struct pair_of *p) {
    bool done = false;
    while (!done) {
        enum store_result result = store_move_step(p->move, 50, &done);
        if (result != STORE_OK) return result;
    }
    return store_move_complete(p->move);
}

struct listed {
    struct index_key key[NUMBERS * 2];
    uint64_t hash[NUMBERS * 2];
    size_t count;
};

static bool list_one(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct listed *l = argument;
    l->key[l->count] = *key;
    uint64_t hash = size;
    for (size_t i = 0; i < size; i++)
        hash = mix(hash ^ summary[i]);
    l->hash[l->count++] = hash;
    return true;
}

static void assert_same_index(struct store *a, struct store *b) {
    uint64_t letters[2][INDEX_LETTERS];
    struct listed *one = calloc(1, sizeof *one), *other = calloc(1, sizeof *other);
    assert_int_equal(index_list(a, the_table, 0, NULL, false, SIZE_MAX, list_one, one, NULL), STORE_OK);
    assert_int_equal(index_list(b, the_table, 0, NULL, false, SIZE_MAX, list_one, other, NULL), STORE_OK);
    assert_true(one->count > 10 && one->count == other->count);
    assert_memory_equal(one, other, sizeof *one);
    assert_int_equal(index_letters(a, the_table, letters[0]), STORE_OK);
    assert_int_equal(index_letters(b, the_table, letters[1]), STORE_OK);
    assert_memory_equal(letters[0], letters[1], sizeof letters[0]);
    free(one);
    free(other);
}

/* Everything a caller can see is the same; but for one commit. */
static void assert_same(struct store *a, struct store *b, uint64_t numbers) {
    for (uint64_t i = 0; i < numbers; i++) {
        const uint8_t *one, *other;
        size_t sizes[2];
        uint64_t versions[2];
        enum store_result result = get_number(a, the_table, i, &one, &sizes[0], &versions[0]);
        assert_int_equal(get_number(b, the_table, i, &other, &sizes[1], &versions[1]), result);
        if (result != STORE_OK) continue;
        assert_int_equal(sizes[0], sizes[1]);
        assert_int_equal(versions[0], versions[1]);
        assert_memory_equal(one, other, sizes[0]);
    }
    assert_number(b, STORE_SETTINGS, 1, 1, 10);
    for (enum store_table t = 1; t < STORE_TABLES_END; t++) {
        assert_int_equal(store_count(a, t), store_count(b, t));
        assert_int_equal(store_new_version(a, t), store_new_version(b, t));
    }
    assert_same_index(a, b);
    assert_int_equal(store_commits(b), store_commits(a) + 1);
    assert_int_equal(check_all(b, 1000, NULL), 0);
}

static void moves_everything(void **state) {
    (void)state;
    struct pair_of p;
    uint64_t copied, total;
    begin(&p, MAP_MIB * MIB, NUMBERS);
    store_move_progress(p.move, &copied, &total);
    assert_true(copied == 0 && total > NUMBERS);
    assert_int_equal(run(&p), STORE_OK);
    store_move_progress(p.move, &copied, &total);
    assert_int_equal(copied, total);
    assert_int_equal(store_set_spare(p.to, false), STORE_OK);
    assert_int_equal(store_commit(p.to), STORE_OK);
    assert_same(p.from.s, p.to, NUMBERS);
    assert_true(store_bytes(p.to) < store_bytes(p.from.s) * 5 / 4);

    /* Reopened, it takes its own keys alone; and the file moved from takes only those it had. */
    store_close(p.to);
    p.to = store_open(p.path, MAP_MIB * MIB);
    assert_non_null(p.to);
    assert_int_equal(store_unseal(p.to, p.from.keys, p.from.tenant), STORE_BROKEN);
    assert_int_equal(store_unseal(p.to, p.keys, p.from.tenant), STORE_OK);
    assert_same(p.from.s, p.to, NUMBERS);
    store_move_end(p.move);
    p.move = NULL;
    store_seal(p.from.s);
    assert_int_equal(store_unseal(p.from.s, p.keys, p.from.tenant), STORE_BROKEN);
    put_whole(p.to, NUMBERS + 1);
    assert_int_equal(store_commit(p.to), STORE_OK);
    assert_int_equal(check_all(p.to, 1000, NULL), 0);
    end(&p);
}

/* Writes of every kind between the steps, some of them taken back, from a fixed seed each. */
static void changes_meanwhile(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct pair_of p;
        bool done = false;
        uint64_t random = seed;
        begin(&p, MAP_MIB * MIB, 400);
        while (!done) {
            for (unsigned i = (random = mix(random)) % 9; i > 0; i--) {
                random = mix(random);
                if (random % 3 == 0)
                    delete_whole(p.from.s, random % 600);
                else
                    put_whole(p.from.s, random % 600);
            }
            bool done_dirty = false;
            if (store_dirty(p.from.s)) assert_int_equal(store_move_step(p.move, 8, &done_dirty), STORE_OK);
            assert_false(done_dirty); /* nothing is over while a commit is open */
            if (random % 5 == 0)
                store_abort(p.from.s);
            else if (random % 5 == 1)
                store_lose(p.from.s, STORE_IO);
            enum store_result expected = random % 5 == 1 ? STORE_IO : STORE_OK;
            assert_int_equal(store_commit(p.from.s), expected);
            assert_int_equal(store_move_step(p.move, random % 13, &done), STORE_OK);
        }
        assert_int_equal(store_move_complete(p.move), STORE_OK);
        assert_int_equal(store_commit(p.to), STORE_OK);
        assert_same(p.from.s, p.to, 600);
        assert_int_equal(check_all(p.from.s, 100, NULL), 0);
        end(&p);
    }
}

static void reopen_from(struct pair_of *p) {
    store_move_end(p->move);
    fixture_open(&p->from, MAP_MIB * MIB);
    p->move = store_move_begin(p->from.s, p->to);
    assert_non_null(p->move);
}

/* What the check finds before a move, it could not find after one that had sealed it anew. */
static void never_makes_damage_whole(void **state) {
    (void)state;
    enum { GONE, REPLAYED, ALTERED, SWAPPED, NODE_GONE, CASES };
    for (int damage = 0; damage < CASES; damage++) {
        struct pair_of p;
        begin(&p, MAP_MIB * MIB, 200);
        struct dump old = tamper_dump(p.from.path);
        put_whole(p.from.s, 5);
        assert_int_equal(store_commit(p.from.s), STORE_OK);
        store_move_end(p.move);
        p.move = NULL;
        store_close(p.from.s);
        p.from.s = NULL;
        struct dump now = tamper_dump(p.from.path);
        const struct pair *victim = dump_nth(&now, SPACE_RECORDS + STORE_CONTACTS, 20),
                          *other = dump_nth(&now, SPACE_RECORDS + STORE_CONTACTS, 21);
        uint8_t altered[16384];
        switch (damage) {
        case GONE:
            tamper_set(p.from.path, victim->key, NULL, 0);
            break;
        case REPLAYED:
            for (size_t i = 0; i < old.count; i++) {
                const struct pair *is = dump_find(&now, old.pair[i].key);
                if (is && is->key[0] == SPACE_RECORDS + STORE_CONTACTS && memcmp(is->value, old.pair[i].value, 8) != 0)
                    tamper_set(p.from.path, is->key, old.pair[i].value, old.pair[i].size);
            }
            break;
        case ALTERED:
            memcpy(altered, victim->value, victim->size);
            altered[victim->size - 1] ^= 1;
            tamper_set(p.from.path, victim->key, altered, victim->size);
            break;
        case SWAPPED:
            tamper_set(p.from.path, victim->key, other->value, other->size);
            break;
        case NODE_GONE:
            tamper_set(p.from.path, dump_nth(&now, SPACE_NODES + STORE_CONTACTS, 1)->key, NULL, 0);
            break;
        }
        reopen_from(&p);
        assert_int_equal(run(&p), STORE_BROKEN);
        dump_free(&old);
        dump_free(&now);
        end(&p);
    }
}

/* A second file without room ends the move, and nothing else. */
static void full(void **state) {
    (void)state;
    struct pair_of p;
    begin(&p, STORE_MAP_MIN, NUMBERS);
    assert_int_equal(run(&p), STORE_FULL);
    store_move_end(p.move);
    p.move = NULL;
    put_whole(p.from.s, NUMBERS + 1);
    assert_int_equal(store_commit(p.from.s), STORE_OK);
    assert_int_equal(check_all(p.from.s, 1000, NULL), 0);
    /* Emptied and with more room it is tried again. */
    store_seal(p.to);
    assert_int_equal(store_empty(p.to, MAP_MIB * MIB), STORE_OK);
    assert_int_equal(store_unseal(p.to, p.keys, p.from.tenant), STORE_OK);
    assert_int_equal(store_commits(p.to), 0);
    p.move = store_move_begin(p.from.s, p.to);
    assert_int_equal(run(&p), STORE_OK);
    assert_int_equal(store_commit(p.to), STORE_OK);
    assert_same(p.from.s, p.to, NUMBERS + 2);
    end(&p);
}

/* More at once than is kept: the move ends, and the writes stand. */
static void more_changes_than_kept(void **state) {
    (void)state;
    struct pair_of p;
    bool done;
    begin(&p, MAP_MIB * MIB, 600);
    do
        assert_int_equal(store_move_step(p.move, 200, &done), STORE_OK);
    while (!done);
    for (unsigned i = 0; i < 6000; i++) {
        put_whole(p.from.s, i % 600);
        if (i % 100 == 0) assert_int_equal(store_commit(p.from.s), STORE_OK);
    }
    assert_int_equal(store_commit(p.from.s), STORE_OK);
    assert_true(store_move_behind(p.move) > 2000);
    assert_int_equal(store_move_step(p.move, 200, &done), STORE_MEMORY);
    assert_false(done);
    assert_int_equal(store_move_complete(p.move), STORE_INVALID);
    assert_int_equal(check_all(p.from.s, 1000, NULL), 0);
    end(&p);
}

static off_t size_of(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* Only what is marked is emptied, and a mark outlives what LMDB writes. */
static void marks(void **state) {
    (void)state;
    struct pair_of p;
    begin(&p, MAP_MIB * MIB, 300);
    assert_false(store_is_spare(p.from.s));
    assert_true(store_is_spare(p.to));
    assert_int_equal(run(&p), STORE_OK);
    assert_int_equal(store_commit(p.to), STORE_OK);
    assert_true(store_is_spare(p.to));
    store_move_end(p.move);
    p.move = NULL;
    store_seal(p.from.s);
    assert_int_equal(store_empty(p.from.s, MAP_MIB * MIB), STORE_INVALID);
    assert_int_equal(store_empty(p.to, MAP_MIB * MIB), STORE_INVALID); /* in use */
    assert_int_equal(store_unseal(p.from.s, p.from.keys, p.from.tenant), STORE_OK);

    store_close(p.to);
    off_t size = size_of(p.from.path);
    assert_int_equal(store_clear_spare(p.from.path), 0);
    assert_int_equal(size_of(p.from.path), size);
    assert_true(size_of(p.path) > 0);
    assert_int_equal(store_clear_spare(p.path), 0);
    assert_int_equal(size_of(p.path), 0);
    assert_int_equal(store_clear_spare(p.path), 0);
    assert_int_equal(store_clear_spare("/tmp/there-is-no-such-file.mdb"), 0);
    p.to = store_open(p.path, MAP_MIB * MIB);
    assert_non_null(p.to);
    assert_false(store_is_spare(p.to));
    assert_int_equal(store_set_spare(p.to, true), STORE_OK);
    assert_int_equal(store_set_spare(p.to, false), STORE_OK);
    assert_false(store_is_spare(p.to));
    end(&p);
}

static bool pass(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    (void)argument, (void)id, (void)value, (void)size, (void)version;
    return true;
}

/* A walk that began under other keys cannot go on: its place says nothing in the new order. */
static void walks_end(void **state) {
    (void)state;
    struct pair_of p;
    struct store_cursor cursor = {0};
    begin(&p, MAP_MIB * MIB, 100);
    assert_int_equal(store_walk(p.from.s, the_table, &cursor, 10, pass, NULL), STORE_OK);
    assert_int_equal(run(&p), STORE_OK);
    assert_int_equal(store_commit(p.to), STORE_OK);
    assert_int_equal(store_walk(p.to, the_table, &cursor, 10, pass, NULL), STORE_CONFLICT);
    assert_int_equal(store_walk(p.from.s, the_table, &cursor, 10, pass, NULL), STORE_OK);
    end(&p);
}

int main(void) {
    if (!keys_prepare()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_everything),
        cmocka_unit_test(changes_meanwhile),
        cmocka_unit_test(never_makes_damage_whole),
        cmocka_unit_test(full),
        cmocka_unit_test(more_changes_than_kept),
        cmocka_unit_test(marks),
        cmocka_unit_test(walks_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
