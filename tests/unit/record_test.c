#include "../../worker/crm/record.h"

#include "../../worker/crm/collate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct problem p;

/* Body to canonical fields as compact JSON, to free(); NULL with p. */
static char *canonical_flags(enum kind kind, const char *body, size_t size, unsigned flags) {
    p = (struct problem){0};
    json_t *input = record_parse(body, size, 1, &p), *fields = NULL;
    if (input && record_strip(kind, NULL, input, &p)) fields = record_validate(kind, input, flags, &p);
    json_decref(input);
    if (!fields) {
        assert_int_not_equal(p.status, 0);
        assert_non_null(p.type);
        assert_int_not_equal(strlen(p.detail), 0);
        return NULL;
    }
    assert_int_equal(p.status, 0);
    char *out = json_dumps(fields, JSON_COMPACT);
    json_decref(fields);
    return out;
}

static void taken(enum kind kind, const char *body, const char *expected) {
    char *out = canonical_flags(kind, body, strlen(body), 0);
    if (!out) fail_msg("%s: %s: %s", body, p.field, p.detail);
    assert_string_equal(out, expected);
    free(out);
}

static void refused(enum kind kind, const char *body, const char *field, const char *detail) {
    char *out = canonical_flags(kind, body, strlen(body), 0);
    if (out) fail_msg("taken: %s", body);
    if (strcmp(p.field, field) != 0 || !strstr(p.detail, detail)) fail_msg("%s: [%s] %s", body, p.field, p.detail);
    assert_int_equal(p.line, 0);
    assert_int_equal(p.status, 400);
}

static void broken(const char *body, size_t size, unsigned long line, const char *detail) {
    assert_null(canonical_flags(KIND_COMPANY, body, size, 0));
    if (p.line != line || !strstr(p.detail, detail)) fail_msg("%s: line %lu, %s", body, p.line, p.detail);
    assert_string_equal(p.field, "");
}

static void canonical(void **state) {
    (void)state;
    taken(KIND_COMPANY, "{\"tags\":[\"b\",\" a \",\"b\",\"\"],\"name\":\"  \\u00c9clair e\\u0301 \"}",
          "{\"name\":\"Éclair é\",\"tags\":[\"b\",\"a\"]}");
    taken(KIND_COMPANY, "{\"name\":\"A\",\"email\":\"\",\"address\":{\"city\":\" \"},\"custom\":{},\"tags\":[]}", "{\"name\":\"A\"}");
    taken(KIND_COMPANY, "{\"name\":\"A\",\"address\":{\"city\":\"Lyon\",\"street\":\"1, rue X\\r\\nBât. 2\"}}",
          "{\"name\":\"A\",\"address\":{\"street\":\"1, rue X\\nBât. 2\",\"city\":\"Lyon\"}}");
    taken(KIND_COMPANY, "{\"name\":\"A\",\"siren\":\"732 829 320\",\"vat\":\"fr 44 732829320\"}",
          "{\"name\":\"A\",\"siren\":\"732829320\",\"vat\":\"FR44732829320\"}");
    taken(KIND_COMPANY, "{\"name\":\"A\",\"custom\":{\"n\":1,\"r\":0.5,\"b\":true,\"s\":\"x\",\"big\":-9223372036854775808}}",
          "{\"name\":\"A\",\"custom\":{\"n\":1,\"r\":0.5,\"b\":true,\"s\":\"x\",\"big\":-9223372036854775808}}");
    taken(KIND_CONTACT,
          "{\"family_name\":\"N\",\"birthday\":\"2000-02-29\",\"emails\":[\"a@b\"],\"phones\":[\"+33 1\"],\"notes\":\"a\\tb\\nc\"}",
          "{\"family_name\":\"N\",\"emails\":[\"a@b\"],\"phones\":[\"+33 1\"],\"birthday\":\"2000-02-29\",\"notes\":\"a\\tb\\nc\"}");
    taken(KIND_CONTACT, "{\"given_name\":\"N\",\"birthday\":\"--02-29\"}", "{\"given_name\":\"N\",\"birthday\":\"--02-29\"}");
    taken(KIND_COMPANY, "{\"version\":7,\"created\":0,\"modified\":[],\"kind\":\"company\",\"name\":\"A\"}", "{\"name\":\"A\"}");
    for (int i = 0; i < 6; i++) {
        static const char *const sites[] = {
            "example.com", "https://example.com/a?b=c:d", "HTTP://x.y", "example.com:8080/x", "example.com/a:b", "//x"};
        char body[128], expected[128];
        snprintf(body, sizeof body, "{\"name\":\"A\",\"website\":\"%s\"}", sites[i]);
        snprintf(expected, sizeof expected, "{\"name\":\"A\",\"website\":\"%s\"}", sites[i]);
        taken(KIND_COMPANY, body, expected);
    }
}

static void fields_refused(void **state) {
    (void)state;
    refused(KIND_COMPANY, "{}", "name", "name is required");
    refused(KIND_COMPANY, "{\"name\":\" \\u00a0 \"}", "name", "required");
    refused(KIND_CONTACT, "{\"company\":\"x\"}", "family_name", "given_name or family_name");
    refused(KIND_COMPANY, "{\"name\":1}", "name", "one line of text");
    refused(KIND_COMPANY, "{\"name\":null}", "name", "one line of text");
    refused(KIND_COMPANY, "{\"name\":\"a\\nb\"}", "name", "control");
    refused(KIND_COMPANY, "{\"name\":\"a\\u0085b\"}", "name", "control");
    refused(KIND_COMPANY, "{\"name\":\"a\\u007fb\"}", "name", "control");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"nam\":1}", "nam", "no such field");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"given_name\":\"x\"}", "given_name", "no such field");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"address\":{\"zip\":1}}", "address.zip", "no such field");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"address\":[]}", "address", "an object");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"address\":{\"city\":5}}", "address.city", "one line");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"tags\":\"x\"}", "tags", "an array");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"tags\":[\"x\",[]]}", "tags[1]", "one line");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"siren\":\"732829321\"}", "siren", "Luhn");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"siren\":\"73282932\"}", "siren", "9 digits");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"siren\":\"7328293200\"}", "siren", "9 digits");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"siren\":732829320}", "siren", "9 digits");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"vat\":\"4F123\"}", "vat", "two letters");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"email\":\"a b@c\"}", "email", "something@something");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"email\":\"@c\"}", "email", "something@something");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"phone\":\"none\"}", "phone", "digit");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"website\":\"javascript:alert(1)\"}", "website", "scheme");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"website\":\"ftp://x\"}", "website", "scheme");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"custom\":{\"k\":null}}", "custom.k", "a text, a number or a boolean");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"custom\":{\"k\":[1]}}", "custom.k", "a text, a number or a boolean");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"custom\":{\"\":1}}", "custom.", "a name of");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"custom\":{\"\\u00e9\":1,\"e\\u0301\":2}}", "custom.e\xcc\x81", "twice");
    refused(KIND_CONTACT, "{\"given_name\":\"A\",\"emails\":[\"a@b\",\"c\"]}", "emails[1]", "something@something");
    static const char *const days[] = {"2001-02-29", "1900-02-29", "2000-13-01", "2000-00-10", "2000-04-31", "0000-01-01",
                                       "20000101",   "2000-1-01",  "--02-30",    "x",          "2000/01/01"};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"given_name\":\"A\",\"birthday\":\"%s\"}", days[i]);
        refused(KIND_CONTACT, body, "birthday", "YYYY-MM-DD");
    }
    refused(KIND_COMPANY, "{\"name\":\"A\",\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}", "id", "by the server");
    refused(KIND_COMPANY, "{\"name\":\"A\",\"kind\":\"contact\"}", "kind", "\"company\"");
}

static void bounds(void **state) {
    (void)state;
    static char body[RECORD_BODY_MAX + 1024];
    for (int extra = 0; extra < 2; extra++) {
        strcpy(body, "{\"name\":\"");
        for (int i = 0; i < 256 + extra; i++)
            strcat(body, i % 2 ? "é" : "e\xcc\x81");
        strcat(body, "\"}");
        if (extra)
            refused(KIND_COMPANY, body, "name", "at most 256 characters");
        else
            free(canonical_flags(KIND_COMPANY, body, strlen(body), 0));
        assert_int_equal(p.status, extra ? 400 : 0);
        strcpy(body, "{\"name\":\"A\",\"tags\":[\"0\"");
        for (int i = 1; i < 64 + extra; i++)
            sprintf(body + strlen(body), ",\"%d\"", i);
        strcat(body, "]}");
        if (extra)
            refused(KIND_COMPANY, body, "tags", "at most 64 items");
        else
            free(canonical_flags(KIND_COMPANY, body, strlen(body), 0));
        strcpy(body, "{\"name\":\"A\",\"custom\":{\"0\":0");
        for (int i = 1; i < 64 + extra; i++)
            sprintf(body + strlen(body), ",\"%d\":0", i);
        strcat(body, "}}");
        if (extra)
            refused(KIND_COMPANY, body, "custom", "at most 64 names");
        else
            free(canonical_flags(KIND_COMPANY, body, strlen(body), 0));
    }
    memset(body, ' ', sizeof body);
    assert_null(canonical_flags(KIND_COMPANY, body, RECORD_BODY_MAX + 1, 0));
    assert_int_equal(p.status, 413);
    memset(body, '[', 100000);
    broken(body, 100000, 1, "deeper");
    strcpy(body, "\n{\"tags\":[0");
    for (int i = 0; i < RECORD_VALUES_MAX; i++)
        strcat(body, ",0");
    broken(body, strlen(body), 2, "values");
    /* A path made of the client's own words stays whole and cut between characters. */
    strcpy(body, "{\"name\":\"A\",\"custom\":{\"");
    for (int i = 0; i < 500; i++)
        strcat(body, "é");
    strcat(body, "\":1}}");
    assert_null(canonical_flags(KIND_COMPANY, body, strlen(body), 0));
    assert_in_range(strlen(p.field), PROBLEM_FIELD_MAX - 4, PROBLEM_FIELD_MAX - 1);
    json_t *whole = json_string(p.field);
    assert_non_null(whole);
    json_decref(whole);
}

static void syntax(void **state) {
    (void)state;
    broken("", 0, 1, "nothing");
    broken("[]", 2, 1, "Expected a JSON object");
    broken("\"x\"", 3, 1, "Expected a JSON object");
    broken("{\"name\":\n\n}", 11, 3, "Not valid JSON");
    broken("{\"name\":\"A\"", 11, 1, "ends too early");
    broken("{\"name\":\"A\"}\n{}", 15, 2, "follows the end");
    broken("{\"name\":\"\xff\"}", 12, 1, "Not UTF-8");
    broken("{\"name\":\"\xed\xa0\x80\"}", 14, 1, "Not UTF-8");
    broken("{\"name\":\"\\ud800\"}", 17, 1, "");
    broken("{\"name\":\"a\\u0000\"}", 18, 1, "NUL");
    broken("{\"name\":\"a\0\"}", 13, 1, "");
    broken("{\n\"name\":\"A\",\n\"name\":\"B\"}", 26, 3, "twice");
    broken("{\"custom\":{\"x\":1e999}}", 22, 1, "out of range");
    broken("{\"custom\":{\"x\":99999999999999999999}}", 37, 1, "out of range");
    broken("{'name':1}", 10, 1, "Not valid JSON");
    broken("{\"name\":\"A\",}", 13, 1, "Not valid JSON");
}

static void lenient(void **state) {
    (void)state;
    const char body[] = "{\"name\":\"A\\tB\\r\\nC\",\"email\":null,\"address\":{\"city\":null}}";
    char *out = canonical_flags(KIND_COMPANY, body, sizeof body - 1, RECORD_NULLS | RECORD_LENIENT);
    assert_string_equal(out, "{\"name\":\"A B C\"}");
    free(out);
}

/* RFC 7396, appendix A. */
static void merge(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *target = json_loads(cases[i][0], JSON_DECODE_ANY, NULL), *patch = json_loads(cases[i][1], JSON_DECODE_ANY, NULL);
        json_t *expected = json_loads(cases[i][2], JSON_DECODE_ANY, NULL), *untouched = json_deep_copy(target),
               *got = record_merge(target, patch);
        assert_true(json_equal(got, expected));
        assert_true(json_equal(target, untouched));
        json_decref(target), json_decref(patch), json_decref(expected), json_decref(untouched), json_decref(got);
    }
}

static struct record made(enum kind kind, const char *fields) {
    struct record r = {.kind = kind, .version = 3, .fields = json_loads(fields, 0, NULL)};
    memset(r.id, 0x11, ID_BYTES);
    strcpy(r.created, "2026-01-31T12:34:56.789Z");
    record_time(r.modified);
    return r;
}

static void stored(void **state) {
    (void)state;
    struct record r = made(KIND_COMPANY, "{\"name\":\"É \\\"x\\\"\",\"custom\":{\"r\":0.1}}"), back;
    struct text out = {0};
    strcpy(r.modified, "2026-02-01T00:00:00.000Z");
    assert_true(record_render(&r, &out));
    static const char expected[] =
        "{\"id\":\"0H248H248H248H248H248H248H\",\"kind\":\"company\",\"version\":3,\"created\":\"2026-01-31T12:34:56.789Z\","
        "\"modified\":\"2026-02-01T00:00:00.000Z\",\"name\":\"É \\\"x\\\"\",\"custom\":{\"r\":0.1}}";
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
    assert_true(record_load(KIND_COMPANY, out.data, out.size, &back));
    assert_memory_equal(back.id, r.id, ID_BYTES);
    assert_int_equal(back.version, 3);
    assert_string_equal(back.created, r.created);
    assert_string_equal(back.modified, r.modified);
    assert_true(json_equal(back.fields, r.fields));
    record_free(&back);
    assert_false(record_load(KIND_CONTACT, out.data, out.size, &back));
    assert_false(record_load(KIND_COMPANY, out.data, out.size - 1, &back));
    assert_false(record_load(KIND_COMPANY, "{}", 2, &back));
    record_free(&r);
    text_free(&out);
}

static char *summary(enum kind kind, const char *fields) {
    struct record r = made(kind, fields);
    struct text out = {0};
    assert_true(record_summary(&r, &out));
    assert_in_range(out.size, 2, INDEX_SUMMARY_MAX);
    text_char(&out, 0);
    json_t *valid = json_loads(out.data, 0, NULL);
    assert_non_null(valid);
    json_decref(valid);
    record_free(&r);
    return out.data;
}

static void summaries(void **state) {
    (void)state;
    char *s = summary(
        KIND_COMPANY,
        "{\"name\":\"N\",\"siren\":\"732829320\",\"address\":{\"street\":\"S\",\"city\":\"C\"},\"tags\":[\"t\"],\"custom\":{\"a\":1}}");
    assert_string_equal(
        s, "{\"id\":\"0H248H248H248H248H248H248H\",\"kind\":\"company\",\"version\":3,\"name\":\"N\",\"city\":\"C\",\"tags\":[\"t\"]}");
    free(s);
    s = summary(KIND_CONTACT,
                "{\"given_name\":\"G\",\"family_name\":\"F\",\"emails\":[\"a@b\",\"c@d\"],\"phones\":[\"1\"],\"title\":\"T\"}");
    assert_string_equal(s, "{\"id\":\"0H248H248H248H248H248H248H\",\"kind\":\"contact\",\"version\":3,\"given_name\":\"G\",\"family_name\":"
                           "\"F\",\"title\":\"T\","
                           "\"email\":\"a@b\",\"phone\":\"1\"}");
    free(s);
    /* The longest that can be: what is cut keeps its start and an ellipsis. */
    static const char *const units[] = {"\xf0\x9f\x8c\x8d", "\\\"", "é", "x"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        char text[2048] = "", fields[16384];
        for (int i = 0; i < 256; i++)
            strcat(text, units[u]);
        sprintf(
            fields,
            "{\"given_name\":\"%s\",\"family_name\":\"%s\",\"company\":\"%s\",\"title\":\"%s\",\"emails\":[\"%s\"],\"phones\":[\"%s\"]}",
            text, text, text, text, text, text);
        s = summary(KIND_CONTACT, fields);
        assert_non_null(strstr(s, "…"));
        free(s);
        sprintf(fields, "{\"name\":\"%s\",\"sector\":\"%s\",\"address\":{\"city\":\"%s\"},\"tags\":[\"%s\"]}", text, text, text, text);
        free(summary(KIND_COMPANY, fields));
    }
}

static void keys(void **state) {
    (void)state;
    static const struct {
        enum kind kind;
        const char *fields;
        char letter;
    } known[] = {{KIND_COMPANY, "{\"name\":\"Éclair\"}", 'E'},
                 {KIND_CONTACT, "{\"given_name\":\"Zoé\",\"family_name\":\"Œuvrard\"}", 'O'},
                 {KIND_CONTACT, "{\"given_name\":\"Zoé\"}", 'Z'}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct record r = made(known[i].kind, known[i].fields);
        struct index_key key;
        assert_true(record_key(&r, &key));
        assert_int_equal(key.letter, known[i].letter);
        assert_memory_equal(key.id, r.id, ID_BYTES);
        record_free(&r);
    }
}

static int start(void **state) { return (void)state, collate_start() ? 0 : -1; }
static int stop(void **state) { return (void)state, collate_stop(), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical), cmocka_unit_test(fields_refused), cmocka_unit_test(bounds),
        cmocka_unit_test(syntax),    cmocka_unit_test(lenient),        cmocka_unit_test(merge),
        cmocka_unit_test(stored),    cmocka_unit_test(summaries),      cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
