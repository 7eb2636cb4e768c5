/* The tenant's journal over the real store: the chain, what breaks it, what goes when there is too much, and a store that takes no line. */
#include "../../worker/journal/journal.h"
#include "../../worker/tenant.h"
#include "../../worker/web/http.h"
#include "store_tamper.h"

#include <event2/event.h>

struct tenant self;
static struct counter_page counters;
static struct fixture f;
static bool disk_full;

enum store_result exchange_commit(void) {
    if (!disk_full) return store_commit(self.store);
    store_abort(self.store);
    return STORE_FULL;
}

static void open_store(uint64_t quota) {
    self.store = f.s;
    self.keys = f.keys;
    self.profile.quota_bytes = quota;
}

static void begin(uint64_t quota) {
    fixture_new(&f, quota);
    open_store(quota);
    disk_full = false;
    journal_pass(2 * JOURNAL_FAILURES_SECONDS);
}

static void close_all(void) {
    fixture_end(&f);
    self.store = NULL;
    self.keys = NULL;
}

static void again(uint64_t quota) {
    store_close(f.s);
    fixture_open(&f, quota);
    open_store(quota);
}

/* A line as JSON. */
static json_t *line_of(uint64_t number) {
    struct journal_line line;
    assert_int_equal(journal_read(number, &line), STORE_OK);
    json_t *json = json_loadb(line.text, line.size, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "line")), number);
    return json;
}
static int64_t number_in(uint64_t line, const char *name) {
    json_t *json = line_of(line), *about = json_object_get(json, "about");
    int64_t value = json_integer_value(json_object_get(json_object_get(about, name) ? about : json, name));
    json_decref(json);
    return value;
}
static bool is_act(uint64_t line, const char *act) {
    json_t *json = line_of(line);
    bool is = strcmp(json_string_value(json_object_get(json, "act")), act) == 0;
    json_decref(json);
    return is;
}

/* Is the chain sound? If not, *line says where it breaks. */
static bool sound(size_t step, uint64_t *line) {
    struct journal_walk walk = {0};
    while (!walk.done)
        assert_int_equal(journal_check(&walk, step), STORE_OK);
    if (line) *line = walk.next;
    return walk.sound;
}

static const uint8_t user[ID_BYTES] = {1, 2, 3};

static void the_chain(void **state) {
    struct journal_line line, next;
    uint8_t head[JOURNAL_HASH];
    (void)state;
    begin(64 * MIB);
    assert_int_equal(journal_last_line(), 0);
    assert_true(sound(1, NULL));
    assert_int_equal(journal_add(JOURNAL_exported, user, json_pack("{s:s}", "kind", "contacts")), STORE_OK);
    assert_int_equal(journal_add(JOURNAL_stopped, NULL, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(journal_first_line(), 1);
        assert_int_equal(journal_last_line(), 2);
        assert_int_equal(journal_read(1, &line), STORE_OK);
        assert_int_equal(journal_read(2, &next), STORE_OK);
        assert_memory_equal(next.before, line.hash, JOURNAL_HASH);
        journal_head(head);
        assert_memory_equal(head, next.hash, JOURNAL_HASH);
        for (size_t step = 1; step < 4; step++)
            assert_true(sound(step, NULL));
        again(64 * MIB);
    }
    json_t *json = line_of(1);
    assert_string_equal(json_string_value(json_object_get(json, "act")), "exported");
    assert_int_equal(json_string_length(json_object_get(json, "user")), 26);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "about"), "kind")), "contacts");
    json_decref(json);
    json = line_of(2);
    assert_true(json_is_null(json_object_get(json, "user")) && !json_object_get(json, "about") && !json_object_get(json, "missed"));
    json_decref(json);
    assert_int_equal(journal_read(3, &line), STORE_MISSING);
    close_all();
}

/* What is not committed was never told, and the number is the next one's. */
static void with_what_it_tells_of(void **state) {
    (void)state;
    begin(64 * MIB);
    assert_int_equal(journal_add(JOURNAL_opened, NULL, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    assert_int_equal(journal_add(JOURNAL_record_deleted, user, NULL), STORE_OK);
    assert_int_equal(journal_last_line(), 2);
    store_abort(self.store);
    assert_int_equal(journal_last_line(), 1);
    assert_int_equal(journal_add(JOURNAL_imported, user, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    assert_true(is_act(2, "imported"));
    assert_true(sound(9, NULL));
    close_all();
}

/* S2, C4: a line of the journal that is changed, moved or missing breaks the chain */
/* Each line gone, altered, and another one in its place: the chain breaks. */
static void what_breaks_it(void **state) {
    enum { LINES = 20 };
    (void)state;
    begin(64 * MIB);
    for (int i = 0; i < LINES; i++)
        assert_int_equal(journal_add(JOURNAL_logged_in, user, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    bool broke_at[LINES + 2] = {0};
    for (size_t i = 0; i < 3 * LINES; i++) {
        uint8_t key[17], *bytes;
        uint64_t line;
        store_close(f.s);
        struct dump d = tamper_dump(f.path);
        const struct pair *p = dump_nth(&d, STORE_JOURNAL, i), *q = dump_nth(&d, STORE_JOURNAL, i + 1);
        memcpy(key, p->key, sizeof key);
        bytes = malloc(p->size);
        memcpy(bytes, p->value, p->size);
        bytes[p->size / 2] ^= 1;
        if (i < LINES) tamper_set(f.path, key, NULL, 0);
        if (i >= LINES && i < 2 * LINES) tamper_set(f.path, key, bytes, p->size);
        if (i >= 2 * LINES) tamper_set(f.path, key, q->value, q->size);
        fixture_open(&f, 64 * MIB);
        open_store(64 * MIB);
        assert_false(sound(7, &line));
        assert_in_range(line, 1, LINES);
        if (i < LINES) broke_at[line] = true;
        store_close(f.s);
        tamper_set(f.path, key, p->value, p->size);
        dump_free(&d);
        free(bytes);
        fixture_open(&f, 64 * MIB);
        open_store(64 * MIB);
        assert_true(sound(7, NULL));
    }
    for (int i = 1; i <= LINES; i++)
        assert_true(broke_at[i]); /* at that very line */
    close_all();
}

/* Somebody who has the keys, as a worker that was taken over, writes a line anew, with the right hash before it. */
static bool sound_with_rewritten(uint8_t number, uint64_t *line) {
    uint8_t id[ID_BYTES] = {number}, value[80] = {0};
    begin(64 * MIB);
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_add(JOURNAL_logged_in, user, NULL), STORE_OK);
    struct journal_line before;
    assert_int_equal(journal_read(number - 1, &before), STORE_OK);
    memcpy(value, before.hash, JOURNAL_HASH);
    memset(value + JOURNAL_HASH, 'x', sizeof value - JOURNAL_HASH);
    assert_int_equal(store_put(self.store, STORE_JOURNAL, id, value, sizeof value, STORE_ANY, NULL), STORE_OK);
    bool is_sound = sound(9, line);
    close_all();
    return is_sound;
}

/* It breaks at the next one; the last one has no next: its hash lies in the sealed state. */
static void a_rewritten_line(void **state) {
    uint64_t line;
    (void)state;
    assert_false(sound_with_rewritten(2, &line));
    assert_int_equal(line, 3);
}
static void the_last_line_rewritten(void **state) {
    uint64_t line;
    (void)state;
    assert_false(sound_with_rewritten(3, &line));
}

static void the_oldest_go(void **state) {
    enum { LINES = 3000 };
    static uint8_t hash[LINES + 100][JOURNAL_HASH];
    struct journal_line line;
    uint64_t known = 0, pruned = 0;
    (void)state;
    begin(STORE_MAP_MIN);
    assert_int_equal(journal_limit(), 256);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(journal_first(JOURNAL_logged_in, user, NULL), STORE_OK);
        for (; known < journal_last_line() && known + 1 < LINES + 100; known++) {
            assert_int_equal(journal_read(known + 1, &line), STORE_OK);
            memcpy(hash[known + 1], line.hash, JOURNAL_HASH);
        }
        assert_true(journal_last_line() - journal_first_line() < 256 + 1);
    }
    assert_int_equal(store_count(self.store, STORE_JOURNAL), journal_last_line() - journal_first_line() + 1);
    assert_true(journal_first_line() > LINES - 256);
    again(STORE_MAP_MIN);
    assert_true(sound(10, NULL));
    assert_int_equal(check_all(self.store, 100, NULL), 0);
    for (uint64_t n = journal_first_line(); n <= journal_last_line(); n++) {
        if (!is_act(n, "pruned")) continue;
        char text[2 * JOURNAL_HASH + 1] = "";
        json_t *json = line_of(n), *about = json_object_get(json, "about");
        const uint8_t *gone = hash[json_integer_value(json_object_get(about, "through"))];
        for (int i = 0; i < JOURNAL_HASH; i++)
            snprintf(text + 2 * (size_t)i, 3, "%02x", gone[i]);
        assert_string_equal(json_string_value(json_object_get(about, "hash")), text);
        pruned = (uint64_t)json_integer_value(json_object_get(about, "through"));
        json_decref(json);
    }
    assert_int_equal(pruned + 1, journal_first_line());
    close_all();
}

/* A walk that pruning overtakes goes on behind it. */
static void pruned_under_a_walk(void **state) {
    struct journal_walk walk = {0};
    (void)state;
    begin(STORE_MAP_MIN);
    for (int i = 0; i < 255; i++)
        assert_int_equal(journal_first(JOURNAL_logged_in, user, NULL), STORE_OK);
    for (int i = 0; !walk.done; i++) {
        assert_int_equal(journal_check(&walk, 10), STORE_OK);
        for (int n = 0; n < 20 && i < 20; n++)
            assert_int_equal(journal_first(JOURNAL_logged_in, user, NULL), STORE_OK);
    }
    assert_true(walk.sound);
    assert_true(journal_first_line() > 1);
    close_all();
}

/* With a record as large as fits, again and again, until nothing does. */
static void fill(void) {
    uint64_t number = 1000;
    for (size_t size = 100000; size > 10; size /= 2)
        while (put_number(self.store, STORE_COMPANIES, ++number, 0, size, NULL) == STORE_OK)
            assert_int_equal(store_commit(self.store), STORE_OK);
    store_abort(self.store);
}

static void a_full_store(void **state) {
    uint8_t id[ID_BYTES];
    (void)state;
    begin(STORE_MAP_MIN);
    assert_int_equal(journal_first(JOURNAL_opened, NULL, NULL), STORE_OK);
    fill();
    uint64_t refused = atomic_load(&counters.value[COUNTER_store_refusals]), last, tries = 0;
    do {
        last = journal_last_line();
        journal_tell(JOURNAL_logged_in, user, NULL); /* goes on */
        assert_true(++tries < 100);
    } while (journal_last_line() > last);
    journal_tell(JOURNAL_logged_in, user, NULL);
    assert_int_equal(journal_first(JOURNAL_token_made, user, NULL), STORE_FULL);
    assert_int_equal(journal_last_line(), last);
    assert_int_equal(atomic_load(&counters.value[COUNTER_store_refusals]), refused + 3);
    for (uint64_t n = 1001; n < 1006; n++) {
        id_of(n, id);
        assert_int_equal(store_delete(self.store, STORE_COMPANIES, id, STORE_ANY), STORE_OK);
        assert_int_equal(store_commit(self.store), STORE_OK);
    }
    assert_int_equal(journal_first(JOURNAL_logged_in, user, NULL), STORE_OK);
    assert_int_equal(number_in(last + 1, "missed"), 3);
    assert_int_equal(journal_first(JOURNAL_logged_in, user, NULL), STORE_OK);
    assert_int_equal(number_in(last + 2, "missed"), 0);
    assert_true(sound(10, NULL));
    close_all();
}

/* The disk itself is full: it shows at the commit. */
static void a_full_disk(void **state) {
    (void)state;
    begin(64 * MIB);
    assert_int_equal(journal_first(JOURNAL_opened, NULL, NULL), STORE_OK);
    disk_full = true;
    journal_tell(JOURNAL_logged_in, user, NULL);
    assert_int_equal(journal_first(JOURNAL_token_made, user, NULL), STORE_FULL);
    assert_int_equal(journal_last_line(), 1);
    disk_full = false;
    journal_tell(JOURNAL_logged_in, user, NULL);
    assert_int_equal(number_in(2, "missed"), 2);
    close_all();
}

static void a_flood_of_wrong_log_ins(void **state) {
    (void)state;
    begin(64 * MIB);
    assert_int_equal(journal_first(JOURNAL_opened, NULL, NULL), STORE_OK);
    for (int i = 0; i < 1000; i++)
        journal_login_failed();
    assert_int_equal(journal_last_line(), 2);
    assert_int_equal(number_in(2, "count"), 1);
    journal_pass(JOURNAL_FAILURES_SECONDS);
    journal_login_failed();
    assert_int_equal(journal_last_line(), 3);
    assert_true(is_act(3, "logins_failed"));
    assert_int_equal(number_in(3, "count"), 1000);
    /* While it is sealed nobody can write: the next to open it hears of it. */
    self.keys = NULL;
    for (int i = 0; i < 50; i++)
        journal_login_failed();
    self.keys = f.keys;
    journal_unsealed();
    assert_int_equal(number_in(5, "count"), 50);
    /* And what waits for its minute is not lost with the worker. */
    journal_login_failed();
    assert_int_equal(journal_last_line(), 5);
    journal_end(JOURNAL_stopped);
    assert_int_equal(number_in(6, "count"), 1);
    assert_true(is_act(7, "stopped"));
    close_all();
}

int main(void) {
    self.counters = &counters;
    self.base = event_base_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain),
        cmocka_unit_test(with_what_it_tells_of),
        cmocka_unit_test(what_breaks_it),
        cmocka_unit_test(a_rewritten_line),
        cmocka_unit_test(the_last_line_rewritten),
        cmocka_unit_test(the_oldest_go),
        cmocka_unit_test(pruned_under_a_walk),
        cmocka_unit_test(a_full_store),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_flood_of_wrong_log_ins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
