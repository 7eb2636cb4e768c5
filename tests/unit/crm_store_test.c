/* Import, lists and export over the real store: the real organisations of Debian's ieee-data, and what happens when the space is used up.
 */
#define CRM_REAL_STORE
#include "crm_fake.h"
#include "store_fixture.h"

#include "../../worker/crm/crm.h"

static struct exchange x;
static struct fixture f;

static int64_t number(const char *name) {
    json_t *root = answer_of(&x);
    int64_t n = json_integer_value(json_object_get(root, name));
    json_decref(root);
    return n;
}

static void import_file(const char *target, const char *file, size_t size) { ask_headers(&x, "POST", target, file, size, 16384, NULL); }

static void organisations(void **state) {
    (void)state;
    FILE *in = fopen("/usr/share/ieee-data/oui.csv", "r");
    if (!in) skip();
    static char file[16 << 20];
    size_t size = fread(file, 1, sizeof file, in);
    fclose(in);
    import_file(
        "/api/v1/"
        "import?kind=companies&format=csv&map=name:Organization%20Name,address.street:Organization%20Address,custom.assignment:Assignment",
        file, size);
    if (x.status != 200) fail_msg("%d %s", x.status, x.body);
    assert_true(number("created") > 30000);
    if (number("error_count")) fail_msg("%s", x.body);
    uint64_t created = (uint64_t)number("created");
    assert_int_equal(store_count(self.store, STORE_COMPANIES), created);
    ask(&x, "GET", "/api/v1/companies/letters", NULL);
    assert_int_equal(number("total"), created);
    /* Every page of a letter, in order. */
    char target[512] = "/api/v1/companies?letter=E&limit=200";
    size_t seen = 0;
    for (bool more = true; more;) {
        ask(&x, "GET", target, NULL);
        assert_int_equal(x.status, 200);
        json_t *root = answer_of(&x);
        seen += json_array_size(json_object_get(root, "items"));
        const char *next = json_string_value(json_object_get(root, "next"));
        more = next != NULL;
        if (more) snprintf(target, sizeof target, "/api/v1/companies?letter=E&limit=200&cursor=%s", next);
        json_decref(root);
    }
    ask(&x, "GET", "/api/v1/companies/letters", NULL);
    json_t *root = answer_of(&x);
    assert_int_equal(seen, json_integer_value(json_object_get(json_object_get(root, "letters"), "E")));
    json_decref(root);
    ask(&x, "GET", "/api/v1/export?kind=companies&format=json", NULL);
    assert_false(x.broken_off);
    root = answer_of(&x);
    assert_int_equal(json_array_size(root), created);
    json_decref(root);
}

static void used_up(void **state) {
    (void)state;
    char body[4096];
    int made = 0;
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"name\":\"A\",\"custom\":{\"k\":\"", 27);
    strcpy(body + 2000, "\"}}");
    do {
        body[9] = (char)('A' + made % 26);
        ask(&x, "POST", "/api/v1/companies", body);
        if (x.status == 201) assert_int_equal(store_commit(self.store), STORE_OK);
    } while (x.status == 201 && ++made < 10000);
    assert_int_equal(x.status, 507);
    assert_int_equal(store_commit(self.store), STORE_OK);
    assert_int_equal(store_count(self.store, STORE_COMPANIES), made);
    /* Reading and deleting go on, and the index says what is there. */
    ask(&x, "GET", "/api/v1/companies/letters", NULL);
    assert_int_equal(number("total"), made);
    char path[64];
    for (int gone = 1; gone <= made / 2; gone++) {
        ask(&x, "GET", "/api/v1/companies?limit=1", NULL);
        snprintf(path, sizeof path, "/api/v1/companies/%.26s", strstr(x.body, "\"id\":\"") + 6);
        ask(&x, "GET", path, NULL);
        assert_int_equal(x.status, 200);
        ask(&x, "DELETE", path, NULL);
        assert_int_equal(x.status, 204);
        assert_int_equal(store_commit(self.store), STORE_OK);
        ask(&x, "GET", "/api/v1/companies/letters", NULL);
        assert_int_equal(number("total"), made - gone);
    }
    /* The version in the bytes is the store's after a deletion, too. */
    ask(&x, "DELETE", path, NULL);
    assert_int_equal(x.status, 404);
    for (int i = 0; i < 3; i++) {
        ask(&x, "POST", "/api/v1/contacts", "{\"given_name\":\"A\"}");
        assert_int_equal(x.status, 201);
        snprintf(path, sizeof path, "/api/v1/contacts/%.26s", strstr(x.body, "\"id\":\"") + 6);
        ask(&x, "PATCH", path, "{\"title\":\"t\"}");
        assert_int_equal(x.status, 200);
        ask(&x, "DELETE", path, NULL);
        assert_int_equal(x.status, 204);
    }
}

/* More at once than a transaction may hold: what is refused then leaves record and index agreeing, whichever part would have been the last
 * to fit. */
static void too_much_at_once(void **state) {
    (void)state;
    static char body[64 * 2100];
    char path[64];
    int size = snprintf(body, sizeof body, "{\"name\":\"A\",\"custom\":{");
    for (int i = 0; i < 60; i++)
        size += snprintf(body + size, sizeof body - (size_t)size, "%s\"k%d\":\"%02000d\"", i ? "," : "", i, i);
    snprintf(body + size, sizeof body - (size_t)size, "}}");
    ask(&x, "POST", "/api/v1/companies", body);
    snprintf(path, sizeof path, "/api/v1/companies/%.26s", strstr(x.body, "\"id\":\"") + 6);
    assert_int_equal(store_commit(self.store), STORE_OK);
    x.status = 200;
    for (int i = 0; x.status == 200; i++) {
        assert_true(i < 5000);
        body[9] = i % 2 ? 'A' : 'B'; /* the name, and so its place */
        ask(&x, "PUT", path, body);
    }
    assert_int_equal(x.status, 503);
    ask(&x, "DELETE", path, NULL);
    assert_true(x.status == 204 || x.status == 503);
    assert_int_equal(store_commit(self.store), STORE_OK);
    ask(&x, "GET", "/api/v1/companies/letters", NULL);
    assert_int_equal(number("total"), store_count(self.store, STORE_COMPANIES));
}

static int big(void **state) { return (void)state, fixture_new(&f, 256 * MIB), self.store = f.s, 0; }
static int small(void **state) { return (void)state, fixture_new(&f, 2 * MIB), self.store = f.s, 0; }
static int end(void **state) { return (void)state, fixture_end(&f), exchange_clear(&x), 0; }
static int setup(void **state) { return (void)state, crm_start() ? 0 : -1; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(organisations, big, end),
                                       cmocka_unit_test_setup_teardown(used_up, small, end),
                                       cmocka_unit_test_setup_teardown(too_much_at_once, big, end)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
