/* The routes of companies and contacts, import and export, over a store in memory. */
#include "crm_fake.h"

#include "../../worker/crm/crm.h"
#include "../../worker/crm/record.h"

#include <stdio.h>

static struct exchange x;

/* The member of an answer, as text; to be looked at before the next call. */
static const char *member(const char *name) {
    static char text[4096];
    json_t *root = answer_of(&x), *value = json_object_get(root, name);
    char *dump = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    snprintf(text, sizeof text, "%s", dump ? dump : "");
    free(dump);
    json_decref(root);
    return text;
}

static void request(const char *method, const char *target, const char *body, int status) {
    ask(&x, method, target, body);
    if (x.status != status) fail_msg("%s %s: %d %s", method, target, x.status, x.body);
    if (status >= 400) assert_string_equal(x.type, "application/problem+json");
}

static void request_with(const char *method, const char *target, const char *body, const char *header, int status) {
    const char *headers[] = {header, NULL};
    ask_headers(&x, method, target, body, body ? strlen(body) : 0, 4096, headers);
    if (x.status != status) fail_msg("%s %s, %s: %d %s", method, target, header, x.status, x.body);
}

/* Creates and keeps the path. */
static void create(const char *plural, const char *body, char path[64]) {
    char target[64];
    snprintf(target, sizeof target, "/api/v1/%s", plural);
    request("POST", target, body, 201);
    const char *location = strstr(x.headers, "Location: ");
    assert_non_null(location);
    assert_int_equal(sscanf(location, "Location: %63s", path), 1);
    assert_non_null(strstr(x.headers, "ETag: \""));
}

static void one_record(void **state) {
    (void)state;
    char path[64];
    create("companies", "{\"name\":\" Éclair \"}", path);
    assert_string_equal(member("version"), "1");
    assert_string_equal(member("name"), "\"Éclair\"");
    char *first = strdup(x.body);
    request("GET", path, NULL, 200);
    assert_string_equal(x.body, first);
    assert_string_equal(x.headers, "ETag: \"1\"\n");
    request_with("GET", path, NULL, "If-None-Match: \"1\"", 304);
    request_with("GET", path, NULL, "If-None-Match: \"7\", W/\"1\"", 304);
    request_with("GET", path, NULL, "If-None-Match: *", 304);
    request_with("GET", path, NULL, "If-None-Match: \"2\"", 200);
    request_with("GET", path, NULL, "If-None-Match: 1", 400);
    request_with("GET", path, NULL, "If-Match: \"2\"", 412);

    request_with("PUT", path, "{\"name\":\"B\",\"sector\":\"s\"}", "If-Match: \"2\"", 412);
    request_with("PUT", path, "{\"name\":\"B\",\"sector\":\"s\"}", "If-Match: W/\"1\"", 412);
    request_with("PUT", path, "{\"name\":\"B\",\"sector\":\"s\"}", "If-Match: \"0\", \"1\"", 200);
    assert_string_equal(member("version"), "2");
    assert_string_equal(x.headers, "ETag: \"2\"\n");
    /* What was got may be sent back. */
    request("GET", path, NULL, 200);
    char *got = strdup(x.body);
    request("PUT", path, got, 200);
    assert_string_equal(member("version"), "3");
    assert_string_equal(member("sector"), "\"s\"");
    request_with("PATCH", path, "{\"sector\":null,\"address\":{\"city\":\"Lyon\"}}",
                 "Content-Type: application/merge-patch+json; charset=utf-8", 200);
    assert_string_equal(member("version"), "4");
    assert_string_equal(member("sector"), "");
    assert_string_equal(member("address"), "{\"city\":\"Lyon\"}");
    request("PATCH", path, "{\"name\":null}", 400);
    assert_string_equal(member("field"), "\"name\"");
    request("PATCH", path, "[]", 400);
    request_with("PUT", path, "{\"name\":\"x\"}", "Content-Type: application/merge-patch+json", 415);
    request_with("POST", "/api/v1/companies", "{\"name\":\"x\"}", "Content-Type: text/plain", 415);
    request("GET", path, NULL, 200);
    assert_string_equal(member("version"), "4");

    request_with("DELETE", path, NULL, "If-Match: \"3\"", 412);
    request_with("DELETE", path, NULL, "If-Match: *", 204);
    request("GET", path, NULL, 404);
    request("PUT", path, "{\"name\":\"x\"}", 404);
    request_with("PUT", path, "{\"name\":\"x\"}", "If-Match: *", 412);
    request("DELETE", path, NULL, 404);
    request("GET", "/api/v1/companies/nothing", NULL, 404);
    request("GET", "/api/v1/companies/01ARZ3NDEKTSV4RRFFQ69G5FAV?x=1", NULL, 400);
    assert_string_equal(member("field"), "\"x\"");
    assert_int_equal(fake.table[STORE_COMPANIES].records, 0);
    assert_int_equal(fake.table[STORE_COMPANIES].entries, 0);
    free(first);
    free(got);
}

/* The version in the bytes is the store's, also when the store does not begin with 1. */
static void version_agrees(void **state) {
    (void)state;
    char path[64];
    for (int i = 0; i < 4; i++) {
        create("contacts", "{\"given_name\":\"A\"}", path);
        request("PATCH", path, "{\"title\":\"t\"}", 200);
        const struct fake_record *r = &fake.table[STORE_CONTACTS].record[0];
        assert_int_equal(atoi(member("version")), r->version);
        assert_int_equal(fake.table[STORE_CONTACTS].entries, 1);
        assert_non_null(
            memmem(fake.table[STORE_CONTACTS].entry[0].summary, fake.table[STORE_CONTACTS].entry[0].size, "\"title\":\"t\"", 11));
        if (i < 2)
            request("DELETE", path, NULL, 204);
        else
            store_forget();
        if (i == 2) fake.table[STORE_CONTACTS].floor = 40;
    }
}

static void bad_bodies(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "{\"name\":\"\"}",
                                      "{\"name\":\"A\",\"x\":1}",
                                      "{\"name\":\"A\",\"name\":\"B\"}",
                                      "{\"name\":\"\\u0000\"}",
                                      "{\"name\":\"\xff\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        request("POST", "/api/v1/companies", bad[i], 400);
    request("POST", "/api/v1/companies", "{\n\"name\":", 400);
    assert_string_equal(member("line"), "2");
    request("POST", "/api/v1/companies?x", "{\"name\":\"A\"}", 400);
    assert_int_equal(fake.changes, 0);
}

/* A full store refuses one write alone: nothing of it stays. */
static void full(void **state) {
    (void)state;
    char path[64];
    create("companies", "{\"name\":\"Abel\"}", path);
    for (int which = 0; which < 2; which++) {
        int *refuse = which ? &fake.refuse_index : &fake.refuse_put;
        *refuse = 0;
        request("POST", "/api/v1/companies", "{\"name\":\"Zoe\"}", 507);
        request("PUT", path, "{\"name\":\"Zoe\"}", 507);
        assert_int_equal(fake.table[STORE_COMPANIES].records, 1);
        assert_int_equal(fake.table[STORE_COMPANIES].entries, 1);
        assert_int_equal(fake.table[STORE_COMPANIES].entry[0].key.letter, 'A');
        request("PUT", path, "{\"name\":\"Abel\",\"sector\":\"new\"}", 507);
        *refuse = -1;
        assert_null(memmem(fake.table[STORE_COMPANIES].entry[0].summary, fake.table[STORE_COMPANIES].entry[0].size, which ? "new" : "none",
                           which ? 3 : 4));
        request("GET", path, NULL, 200);
        assert_string_equal(member("name"), "\"Abel\"");
    }
    assert_int_equal(fake.lost, STORE_OK);
    fake.refuse_put = 0;
    fake.refuse_index = 1; /* the entry is changed, the record is refused, and so is the entry's way back: all of the commit goes */
    request("PUT", path, "{\"name\":\"Abel\",\"sector\":\"new\"}", 507);
    assert_int_equal(fake.lost, STORE_FULL);
    fake.refuse_put = fake.refuse_index = 0;
    request("DELETE", path, NULL, 204);
    assert_int_equal(fake.table[STORE_COMPANIES].entries, 0);
}

static const char *const names[] = {"Abeille", "Écureuil", "eau", "Œuvre", "Zèbre", "3M", "élan", "Eau"};

static void lists(void **state) {
    (void)state;
    char path[64], body[128], target[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(body, sizeof body, "{\"name\":\"%s\"}", names[i]);
        create("companies", body, path);
    }
    request("GET", "/api/v1/companies/letters", NULL, 200);
    assert_string_equal(member("total"), "8");
    assert_non_null(strstr(x.body, "\"#\":1,\"A\":1,\"B\":0"));
    assert_non_null(strstr(x.body, "\"E\":4"));
    /* One a page, forwards and backwards. */
    for (int backwards = 0; backwards < 2; backwards++) {
        static const char *const sorted[] = {"eau", "Eau", "Écureuil", "élan"};
        char cursor[400] = "";
        for (size_t i = 0; i < 4; i++) {
            snprintf(target, sizeof target, "/api/v1/companies?letter=E&limit=1%s%s&sort=%sname", *cursor ? "&cursor=" : "", cursor,
                     backwards ? "-" : "");
            request("GET", target, NULL, 200);
            json_t *root = answer_of(&x), *items = json_object_get(root, "items");
            assert_int_equal(json_array_size(items), 1);
            assert_string_equal(json_string_value(json_object_get(json_array_get(items, 0), "name")), sorted[backwards ? 3 - i : i]);
            const char *next = json_string_value(json_object_get(root, "next"));
            assert_int_equal(next != NULL, i < 3);
            snprintf(cursor, sizeof cursor, "%s", next ? next : "");
            json_decref(root);
        }
    }
    request("GET", "/api/v1/companies?letter=%23", NULL, 200);
    assert_non_null(strstr(x.body, "\"3M\""));
    request("GET", "/api/v1/companies", NULL, 200);
    assert_string_equal(member("next"), "null");
    request("GET", "/api/v1/contacts", NULL, 200);
    assert_string_equal(x.body, "{\"items\":[],\"next\":null}");
    static const struct {
        const char *query, *field;
    } bad[] = {{"letter=a", "\"letter\""},         {"letter=AB", "\"letter\""},  {"limit=0", "\"limit\""},
               {"limit=201", "\"limit\""},         {"limit=-1", "\"limit\""},    {"limit=5x", "\"limit\""},
               {"limit=99999999999", "\"limit\""}, {"sort=age", "\"sort\""},     {"cursor=x", "\"cursor\""},
               {"cursor=AAAA", "\"cursor\""},      {"colour=red", "\"colour\""}, {"limit=1&limit=2", "\"limit\""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, "/api/v1/companies?%s", bad[i].query);
        request("GET", target, NULL, 400);
        assert_string_equal(member("field"), bad[i].field);
    }
}

static void import_file(const char *query, const char *file, size_t size, size_t pieces, int status) {
    char target[1024];
    snprintf(target, sizeof target, "/api/v1/import?%s", query);
    ask_headers(&x, "POST", target, file, size, pieces, NULL);
    if (x.status != status) fail_msg("%s: %d %s", query, x.status, x.body);
}

static void tally(const char *created, const char *updated, const char *skipped, const char *failed) {
    assert_string_equal(member("created"), created);
    assert_string_equal(member("updated"), updated);
    assert_string_equal(member("skipped"), skipped);
    assert_string_equal(member("error_count"), failed);
}

static void imports(void **state) {
    (void)state;
    static const char csv[] = "name,siren,email\r\nA,732829320,a@b\r\n,,c@d\r\nB,732829321,\r\nC,,\r\n,,\r\n";
    import_file("kind=companies&format=csv&dry_run=true", csv, sizeof csv - 1, 5, 200);
    tally("2", "0", "1", "2");
    assert_string_equal(member("errors"), "[{\"line\":3,\"field\":\"name\",\"problem\":\"name is "
                                          "required\"},{\"line\":4,\"field\":\"siren\",\"problem\":\"expected 9 digits, the last of "
                                          "which checks the others (Luhn)\"}]");
    assert_int_equal(fake.table[STORE_COMPANIES].records, 0);
    import_file("kind=companies&format=csv", csv, sizeof csv - 1, 5, 200);
    tally("2", "0", "1", "2");
    assert_int_equal(fake.table[STORE_COMPANIES].records, 2);
    assert_int_equal(fake.changes, 0);
    /* What was exported comes in again without a change; a change of one cell updates one record; ids move to an empty store. */
    static const char *const formats[] = {"csv", "json", "vcard"};
    for (int f = 0; f < 3; f++) {
        char query[64];
        snprintf(query, sizeof query, "/api/v1/export?kind=companies&format=%s", formats[f]);
        request("GET", query, NULL, 200);
        assert_false(x.broken_off);
        char *file = strdup(x.body);
        snprintf(query, sizeof query, "kind=companies&format=%s", formats[f]);
        import_file(query, file, strlen(file), 7, 200);
        tally("0", "0", "2", "0");
        char *mail = strstr(file, "a@b");
        *mail = 'z';
        import_file(query, file, strlen(file), 7, 200);
        tally("0", "1", "1", "0");
        *mail = 'a';
        import_file(query, file, strlen(file), 7, 200);
        store_forget();
        import_file(query, file, strlen(file), 7, 200);
        tally("2", "0", "0", "0");
        snprintf(query, sizeof query, "/api/v1/export?kind=companies&format=%s", formats[f]);
        free(file);
    }
    static const char partial[] = "{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"name\":\"N\",\"sector\":\"s\",\"kind\":\"company\"}\n{\"id\":"
                                  "\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"sector\":null,\"phone\":\"1\"}\n"
                                  "{\"id\":\"x\",\"name\":\"N\"}\n{\"id\":7}\n{\"kind\":\"contact\",\"name\":\"N\"}\n";
    import_file("kind=companies&format=json", partial, sizeof partial - 1, 3, 200);
    tally("1", "1", "0", "3");
    request("GET", "/api/v1/companies/01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL, 200);
    assert_string_equal(member("sector"), "");
    assert_string_equal(member("phone"), "\"1\"");
    assert_string_equal(member("version"), "2");
}

static void imports_broken(void **state) {
    (void)state;
    import_file("kind=companies&format=csv", "", 0, 1, 400);
    import_file("kind=companies&format=json", "[{\"name\":}]", 11, 3, 400);
    tally("0", "0", "0", "1");
    assert_string_equal(x.type, "application/problem+json");
    import_file("kind=companies&format=json", "[{\"name\":\"A\"},\n x", 17, 3, 400);
    tally("1", "0", "0", "0");
    assert_string_equal(member("line"), "2");
    assert_int_equal(fake.table[STORE_COMPANIES].records, 1);
    static const char *const bad[] = {"",
                                      "kind=people&format=csv",
                                      "kind=companies&format=xls",
                                      "kind=companies&format=csv&dry_run=1",
                                      "kind=companies&format=csv&separator=x",
                                      "kind=companies&format=json&map=a:b",
                                      "kind=companies&format=csv&x=1",
                                      "kind=companies&format=csv&map=nom:x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        import_file(bad[i], "name\nA\n", 7, 100, 400);
    /* Errors are bounded, their count is not. */
    struct text file = {0};
    text_string(&file, "name,siren\nA,\n");
    for (int i = 0; i < 1500; i++)
        text_string(&file, "A,1\n");
    import_file("kind=companies&format=csv", file.data, file.size, 4096, 200);
    tally("1", "0", "0", "1500");
    json_t *root = answer_of(&x);
    assert_int_equal(json_array_size(json_object_get(root, "errors")), 1000);
    json_decref(root);
    text_free(&file);
}

static void imports_full(void **state) {
    (void)state;
    struct text file = {0};
    text_string(&file, "name\n");
    for (int i = 0; i < 1000; i++)
        text_string(&file, "Abc\n");
    import_file("kind=companies&format=csv", file.data, file.size, 4096, 200);
    tally("1000", "0", "0", "0");
    assert_int_equal(fake.commits, 4);
    fake.refuse_put = 600; /* refused alone: what came before is kept */
    import_file("kind=companies&format=csv", file.data, file.size, 4096, 507);
    tally("600", "0", "0", "0");
    assert_string_equal(member("line"), "602");
    fake.refuse_put = -1;
    fake.commit_fails = STORE_FULL; /* the batch is lost */
    import_file("kind=companies&format=csv", file.data, file.size, 4096, 507);
    tally("0", "0", "0", "0");
    text_free(&file);
}

static void exports(void **state) {
    (void)state;
    char path[64];
    request("GET", "/api/v1/export?kind=contacts&format=json", NULL, 200);
    assert_string_equal(x.body, "[\n]\n");
    create("contacts",
           "{\"given_name\":\"=1+1\",\"family_name\":\"Œ, "
           "\\\"x\\\"\",\"emails\":[\"a@b\",\"c;d@e\"],\"notes\":\"a\\nb\",\"birthday\":\"--02-29\",\"custom\":{\"k\":0.1},\"tags\":[\"a,"
           "b\"]}",
           path);
    for (int i = 0; i < 200; i++)
        create("contacts", "{\"given_name\":\"B\"}", path);
    request("GET", "/api/v1/export?kind=contacts&format=json", NULL, 200);
    json_t *all = answer_of(&x);
    assert_int_equal(json_array_size(all), 201);
    json_decref(all);
    assert_string_equal(x.headers, "Content-Disposition: attachment; filename=\"contacts.json\"\n");
    request("GET", "/api/v1/export?kind=contacts&format=csv", NULL, 200);
    assert_int_equal(strncmp(x.body,
                             "id,kind,version,created,modified,given_name,family_name,company,title,emails,phones,address.street,address."
                             "postcode,address.city,address.country,"
                             "birthday,notes,tags,custom\r\n",
                             158),
                     0);
    assert_non_null(strstr(x.body, "Z,=1+1,\"Œ, \"\"x\"\"\",,,\"a@b; c\\;d@e\",,,,,,--02-29,\"a\nb\",\"a,b\",\"{\"\"k\"\":0.1}\"\r\n"));
    request("GET", "/api/v1/export?kind=contacts&format=vcard", NULL, 200);
    assert_non_null(strstr(x.body, "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:individual\r\nUID:urn:uuid:"));
    assert_non_null(
        strstr(x.body, "\r\nFN:=1+1 Œ\\, \"x\"\r\nN:Œ\\, "
                       "\"x\";=1+1;;;\r\nEMAIL:a@b\r\nEMAIL:c\\;d@e\r\nBDAY:--0229\r\nNOTE:a\\nb\r\nCATEGORIES:a\\,b\r\nEND:VCARD\r\n"));
    request("GET", "/api/v1/export?kind=contacts&format=vcard&version=3.0", NULL, 200);
    assert_non_null(strstr(x.body, "\r\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29\r\n"));
    request("GET", "/api/v1/export?kind=contacts&format=csv&version=3.0", NULL, 400);
    request("GET", "/api/v1/export?kind=contacts&format=xml", NULL, 400);
    request("GET", "/api/v1/export?format=csv", NULL, 400);
}

static int setup(void **state) { return (void)state, crm_start() ? 0 : -1; }
static int fresh(void **state) { return (void)state, store_forget(), 0; }
static int clear(void **state) { return (void)state, store_forget(), exchange_clear(&x), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_record, fresh, clear),     cmocka_unit_test_setup_teardown(version_agrees, fresh, clear),
        cmocka_unit_test_setup_teardown(bad_bodies, fresh, clear),     cmocka_unit_test_setup_teardown(full, fresh, clear),
        cmocka_unit_test_setup_teardown(lists, fresh, clear),          cmocka_unit_test_setup_teardown(imports, fresh, clear),
        cmocka_unit_test_setup_teardown(imports_broken, fresh, clear), cmocka_unit_test_setup_teardown(imports_full, fresh, clear),
        cmocka_unit_test_setup_teardown(exports, fresh, clear),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
