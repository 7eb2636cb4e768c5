/*
 * The processing functions (C4, C12): the table to the last row, every route against every function on and off, and what stays in the
 * store. The routes, the gate, the answers and the store are the real ones; the supervisor is the other end of the channel.
 */
#include "../../worker/functions.h"
#include "../../worker/journal/journal.h"
#include "../../worker/web/confirmations.h"

#include "worker_fixture.h"

static int put(const char *name, const char *body) {
    char path[64];
    snprintf(path, sizeof path, "/api/v1/functions/%s", name);
    return call(HTTP_PUT, path, body, SLOT_SESSION);
}

static void set(enum function f, bool on) {
    char body[64];
    snprintf(body, sizeof body, "{\"enabled\":%s,\"confirmed\":%d}", on ? "true" : "false", function_table[f].version);
    assert_int_equal(put(function_table[f].name, body), 200);
    assert_int_equal(function_on(f), on);
}

/* What the gate says to a request for this route. */
static enum function off_for(const struct route *r, bool plain) {
    static struct exchange x;
    client.plain = plain;
    x = (struct exchange){.connection = &client, .route = r};
    enum function f = exchange_function_off(&x);
    client.plain = false;
    return f;
}

/* The last thing the supervisor was told of the plain socket; -1: nothing. */
static int told_plain(void) {
    union message m;
    int last = -1;
    while (recv(supervisor, &m, sizeof m, MSG_DONTWAIT) > 0)
        if (m.head.type == MESSAGE_WORKER_PLAIN) last = (int)m.plain.value;
    return last;
}

/* ---- the table ---- */

static void said(struct both text) {
    assert_true(strlen(text.fr) > 4 && strlen(text.en) > 4);
    assert_string_not_equal(text.fr, text.en);
}

static void every_row_says_all(void **state) {
    (void)state;
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++) {
        const struct function_row *row = &function_table[f];
        assert_int_equal(function_find(row->name, strlen(row->name)), f);
        assert_true(row->version >= 1);
        assert_int_equal(row->switched_by, WHO_ADMINISTRATOR); /* nobody at the provider, and no user by the way */
        assert_string_equal(row->needed, "");                  /* privacy by default: nothing has to be on (C12) */
        assert_true(row->title.fr[0] && row->title.en[0]);
        said(row->purpose);
        said(row->data);
        said(row->recipients);
        said(row->term);
        said(row->meaning);
        said(basis_table[row->basis]);
    }
    assert_int_equal(function_find("", 0), FUNCTION_NONE);
    assert_int_equal(function_find("expor", 5), FUNCTION_NONE);
    assert_int_equal(function_find("exports", 7), FUNCTION_NONE);
}

static bool file_says(const char *path, const char *what) {
    static char text[256 * 1024];
    FILE *f = fopen(path, "r");
    if (!f) return false;
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    return fclose(f) == 0 && strstr(text, what);
}

/* What uses it is a route, or a file that the table names. */
static void every_function_is_enforced(void **state) {
    (void)state;
    /* Named for the components that bring their use. */
    static const enum function to_come[] = {FUNCTION_documents, FUNCTION_backup,     FUNCTION_archive,
                                            FUNCTION_support,   FUNCTION_references, FUNCTION_counters};
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++) {
        char symbol[48];
        bool by_route = false, comes = false;
        for (size_t n = 0; route_at(n); n++)
            by_route |= (int)route_at(n)->function == f;
        for (size_t i = 0; i < sizeof to_come / sizeof *to_come; i++)
            comes |= (int)to_come[i] == f;
        snprintf(symbol, sizeof symbol, "FUNCTION_%s", function_table[f].name);
        bool by_file = function_table[f].enforced[0] && file_says(function_table[f].enforced, symbol);
        if (function_table[f].enforced[0] && !by_file && !comes) fail_msg("%s does not speak of %s", function_table[f].enforced, symbol);
        if (!by_route && !by_file && !comes) fail_msg("nothing enforces %s", function_table[f].name);
    }
}

/* ---- every route, every function ---- */

/* C4: every route against every function, on and off */
static void every_use_is_refused_unless_on(void **state) {
    (void)state;
    size_t uses = 0;
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++)
        assert_false(function_on((enum function)f));
    for (int on = FUNCTION_NONE; on < FUNCTION_COUNT; on++) { /* none, then each alone */
        if (on) set((enum function)on, true);
        for (size_t n = 0; route_at(n); n++) {
            const struct route *r = route_at(n);
            bool allowed = r->function == FUNCTION_NONE || (int)r->function == on;
            assert_int_equal(off_for(r, false), allowed ? FUNCTION_NONE : r->function);
            enum function plain = off_for(r, true);
            assert_int_equal(plain, on != FUNCTION_plain_socket ? FUNCTION_plain_socket : r->function);
            uses += r->function != FUNCTION_NONE;
            if (r->function) assert_false(r->flags & ROUTE_PUBLIC); /* while sealed nobody knows what is on */
        }
        if (on) set((enum function)on, false);
    }
    assert_true(uses / FUNCTION_COUNT >= 3);
}

/* Nothing is known, so nothing is on; and the log-in page that a proxy fetches is no use of anything. */
static void while_sealed_all_are_off(void **state) {
    (void)state;
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++)
        set((enum function)f, true);
    functions_forget();
    struct keyring *keys = self.keys;
    self.keys = NULL;
    for (int f = FUNCTION_NONE; f < FUNCTION_COUNT; f++)
        assert_false(function_on((enum function)f));
    for (size_t n = 0; route_at(n); n++) {
        assert_int_equal(off_for(route_at(n), false), route_at(n)->function);
        assert_int_equal(off_for(route_at(n), true), route_at(n)->function);
    }
    self.keys = keys;
    functions_load();
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++)
        assert_true(function_on((enum function)f));
    assert_false(function_on(FUNCTION_NONE));
    assert_false(function_on(FUNCTION_COUNT));
}

/* ---- switching ---- */

static void it_takes_an_administrator_who_read_the_text(void **state) {
    (void)state;
    uint64_t before = journal_last_line();
    assert_int_equal(put("export", "{\"enabled\":true}"), 400);
    assert_int_equal(put("export", "{\"enabled\":true,\"confirmed\":2}"), 409);
    assert_non_null(strstr(answer, "text-changed"));
    assert_int_equal(put("export", "{\"enabled\":1,\"confirmed\":1}"), 400);
    assert_int_equal(put("export", "{\"enabled\":true,\"confirmed\":1,\"by\":\"me\"}"), 400);
    assert_int_equal(put("nothing", "{\"enabled\":true,\"confirmed\":1}"), 404);
    assert_false(function_on(FUNCTION_export));
    assert_true(journal_last_line() == before);
    for (size_t n = 0; route_at(n); n++)
        if (strcmp(route_at(n)->pattern, "/api/v1/functions/{}") == 0) assert_int_equal(route_at(n)->rights, RIGHT_ADMIN);
    set(FUNCTION_export, true);
    set(FUNCTION_export, true); /* it is: no second line */
    set(FUNCTION_export, false);
    set(FUNCTION_export, false);
    assert_true(lines_of("switched") == 2 && journal_last_line() == before + 2);
}

static void the_supervisor_hears_of_the_plain_socket(void **state) {
    (void)state;
    told_plain();
    set(FUNCTION_export, true);
    assert_int_equal(told_plain(), -1);
    set(FUNCTION_plain_socket, true);
    assert_int_equal(told_plain(), 1);
    set(FUNCTION_plain_socket, false);
    assert_int_equal(told_plain(), 0);
}

/* An upgrade with a text that promises something else, and a setting that cannot be read. */
static void another_text_must_be_confirmed_anew(void **state) {
    (void)state;
    static const uint8_t id[ID_BYTES] = "f:export";
    const uint8_t *value;
    uint8_t record[64];
    size_t size;
    set(FUNCTION_export, true);
    assert_int_equal(store_get(self.store, STORE_SETTINGS, id, &value, &size, NULL), STORE_OK);
    memcpy(record, value, size);
    record[0]++; /* the version, in host byte order */
    assert_int_equal(store_put(self.store, STORE_SETTINGS, id, record, size, STORE_ANY, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    functions_load();
    assert_false(function_on(FUNCTION_export));
    assert_int_equal(call(HTTP_GET, "/api/v1/functions", "", SLOT_SESSION), 200);
    assert_non_null(strstr(answer, "{\"name\":\"export\",\"enabled\":false,\"version\":1,\"confirmed\":2,"));
    set(FUNCTION_export, true);
    assert_int_equal(store_put(self.store, STORE_SETTINGS, id, record, size - 1, STORE_ANY, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    functions_load();
    assert_false(function_on(FUNCTION_export));
    set(FUNCTION_export, true);
}

/* On a store without room a function goes off all the same; on it goes only with its line in the journal. */
static void a_full_store_takes_away_and_does_not_give(void **state) {
    (void)state;
    static uint8_t ballast[256 * 1024];
    set(FUNCTION_export, true);
    enum store_result result = STORE_OK;
    for (size_t size = sizeof ballast; size >= 16; size /= 2)
        for (uint32_t i = 0;
             (result = store_put(self.store, STORE_CONTACTS,
                                 (uint8_t[ID_BYTES]){(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(size >> 4), (uint8_t)(size >> 12), 9},
                                 ballast, size, 0, NULL)) == STORE_OK;
             i++)
            if (store_pressed(self.store)) assert_int_equal(store_commit(self.store), STORE_OK);
    assert_int_equal(result, STORE_FULL);
    assert_int_equal(store_commit(self.store), STORE_OK);
    assert_int_equal(put("import", "{\"enabled\":true,\"confirmed\":1}"), 507);
    assert_false(function_on(FUNCTION_import));
    set(FUNCTION_export, false);
    functions_load();
    assert_false(function_on(FUNCTION_export) || function_on(FUNCTION_import));
}

/* ---- a single use ---- */

static char code[64];

/* The handler's status; with 201 `code` is what it gave. */
static int confirm(const char *function, int version, uint32_t kind) {
    char body[128];
    snprintf(body, sizeof body, "{\"function\":\"%s\",\"confirmed\":%d}", function, version);
    int status = call(HTTP_POST, "/api/v1/confirmations", body, kind);
    const char *at = strstr(answer, "\"code\":\"");
    if (status == 201) snprintf(code, sizeof code, "%.43s", at + strlen("\"code\":\""));
    return status;
}

static enum store_result spend(enum function f, const char *text, uint8_t slot) {
    struct session session = {.slot = {slot}, .user = "who confirmed it", .kind = SLOT_SESSION, .rights = RIGHT_ALL};
    struct http_request_head head = {.header_count = 1};
    head.header[0] = (struct http_header){{"cloison-confirmation", 20}, {text, strlen(text)}};
    struct request r = {.head = &head, .session = &session};
    return confirmation_spend(&r, f);
}

static void a_single_use_is_confirmed_once(void **state) {
    (void)state;
    char first[64];
    assert_int_equal(confirm("export", 2, SLOT_SESSION), 409);
    assert_int_equal(confirm("tokens", 1, SLOT_SESSION), 409);
    assert_non_null(strstr(answer, "not-once"));
    assert_int_equal(confirm("nothing", 1, SLOT_SESSION), 400);
    assert_int_equal(confirm("", 1, SLOT_SESSION), 400);
    assert_int_equal(confirm("export", 1, SLOT_SESSION), 201);
    assert_false(function_on(FUNCTION_export)); /* it stays off */
    assert_int_equal(spend(FUNCTION_import, code, 0), STORE_MISSING);
    assert_int_equal(spend(FUNCTION_export, code, 1), STORE_MISSING); /* another session */
    assert_int_equal(spend(FUNCTION_export, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0), STORE_MISSING);
    assert_int_equal(spend(FUNCTION_export, "", 0), STORE_MISSING);
    uint64_t lines = journal_last_line();
    assert_int_equal(spend(FUNCTION_export, code, 0), STORE_OK);
    assert_true(journal_last_line() == lines + 1);
    assert_int_equal(spend(FUNCTION_export, code, 0), STORE_MISSING); /* again */
    assert_int_equal(confirm("export", 1, SLOT_SESSION), 201);
    strcpy(first, code);
    assert_int_equal(confirm("export", 1, SLOT_SESSION), 201); /* in the other's place */
    assert_int_equal(spend(FUNCTION_export, first, 0), STORE_MISSING);
    confirmations_pass(CONFIRMATION_SECONDS);
    assert_int_equal(spend(FUNCTION_export, code, 0), STORE_MISSING); /* too late */
}

int main(void) {
    if (!worker_start()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_says_all),
        cmocka_unit_test(every_function_is_enforced),
        cmocka_unit_test_setup_teardown(every_use_is_refused_unless_on, worker_fresh, worker_done),
        cmocka_unit_test_setup_teardown(while_sealed_all_are_off, worker_fresh, worker_done),
        cmocka_unit_test_setup_teardown(it_takes_an_administrator_who_read_the_text, worker_fresh, worker_done),
        cmocka_unit_test_setup_teardown(the_supervisor_hears_of_the_plain_socket, worker_fresh, worker_done),
        cmocka_unit_test_setup_teardown(another_text_must_be_confirmed_anew, worker_fresh, worker_done),
        cmocka_unit_test_setup_teardown(a_single_use_is_confirmed_once, worker_fresh, worker_done),
        cmocka_unit_test_setup_teardown(a_full_store_takes_away_and_does_not_give, worker_fresh, worker_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
