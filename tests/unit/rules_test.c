/*
 * Retention rules (C4, C13): which records they are about, what becomes of those, when none may run, and what a clock that was set cannot
 * do. The store, the records and the routes are the real ones.
 */
#include "worker_fixture.h"

#include "../../worker/crm/anonymise.h"
#include "../../worker/crm/catalog.h"
#include "../../worker/crm/crm.h"
#include "../../worker/rules/rules.h"

#include <time.h>

enum { DAY = 86400, RECORDS = 150 };

static uint8_t rule_id[ID_BYTES];
static char rule_path[64];

static int ask(enum http_method method, const char *path, const char *body) { return call(method, path, body, SLOT_SESSION); }

static const char *text_of(const char *name) {
    static char out[64];
    char member[32];
    snprintf(member, sizeof member, "\"%s\":\"", name);
    const char *at = strstr(answer, member);
    assert_non_null(at);
    at += strlen(member);
    snprintf(out, sizeof out, "%.*s", (int)strcspn(at, "\""), at);
    return out;
}

static void retention(bool on) {
    char body[64];
    snprintf(body, sizeof body, "{\"enabled\":%s,\"confirmed\":%d}", on ? "true" : "false", function_table[FUNCTION_retention].version);
    assert_int_equal(ask(HTTP_PUT, "/api/v1/functions/retention", body), 200);
}

/* {"name":"r", ...}; its path in rule_path. */
static void make_rule(const char *rest) {
    char body[512];
    snprintf(body, sizeof body, "{\"name\":\"r\",%s}", rest);
    assert_int_equal(ask(HTTP_POST, "/api/v1/rules", body), 201);
    snprintf(rule_path, sizeof rule_path, "/api/v1/rules/%s", text_of("id"));
    assert_true(ulid_parse(text_of("id"), ULID_TEXT, rule_id));
}

static int on_rule(enum http_method method, const char *below, const char *body) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", rule_path, below);
    return ask(method, path, body);
}

/* A contact that was last changed so many days ago. */
static void contact(const char *fields, int days_ago, uint8_t id[ID_BYTES]) {
    struct record r = {.kind = KIND_CONTACT, .fields = json_loads(fields, 0, NULL)};
    struct text out = {0};
    time_t then = time(NULL) - (time_t)days_ago * DAY;
    struct tm tm;
    assert_non_null(r.fields);
    ulid_new(r.id);
    assert_int_equal(catalog_add(&r, &out), STORE_OK);
    text_clear(&out);
    strftime(r.modified, sizeof r.modified, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&then, &tm));
    r.version++;
    assert_true(record_render(&r, &out));
    assert_int_equal(store_put(self.store, STORE_CONTACTS, r.id, out.data, out.size, STORE_ANY, NULL), STORE_OK);
    if (id) memcpy(id, r.id, ID_BYTES);
    text_free(&out);
    record_free(&r);
    if (store_pressed(self.store)) assert_int_equal(store_commit(self.store), STORE_OK);
}

/* The loop, until the journal tells of the end of another run or nothing happens any more. */
static bool runs(void) {
    uint64_t ended = lines_of("rule_ended");
    for (int i = 0; i < 40 && lines_of("rule_ended") == ended; i++) {
        event_base_loop(self.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        assert_int_equal(exchange_commit(), STORE_OK);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return lines_of("rule_ended") > ended;
}

static uint64_t listed(void) {
    uint64_t letter[INDEX_LETTERS], sum = 0;
    assert_int_equal(index_letters(self.store, STORE_CONTACTS, letter), STORE_OK);
    for (int i = 0; i < INDEX_LETTERS; i++)
        sum += letter[i];
    return sum;
}

/* ---- dates, matches ---- */

static void dates(void **state) {
    (void)state;
    int64_t d;
    assert_true(rule_days("1970-01-01", &d) && d == 0);
    assert_true(rule_days("1969-12-31T10:00:00Z", &d) && d == -1);
    assert_true(rule_days("2024-02-29", &d) && d == 19782);
    static const char *const none[] = {"",         "2024",        "2023-02-29", "2024-13-01", "2024-00-10", "2024-01-32",
                                       "2024-1-1", "2024-01-01 ", "--05-06",    "x024-01-01", "2024-01-0"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(rule_days(none[i], &d));
}

static bool about(const struct rule *rule, const char *record, int64_t today) {
    json_t *o = json_loads(record, 0, NULL);
    assert_non_null(o);
    bool matches = rule_matches(rule, o, today);
    json_decref(o);
    return matches;
}

static void which_records(void **state) {
    (void)state;
    struct rule r = {.kind = KIND_CONTACT, .action = RULE_DELETE, .after_days = 10, .date = "modified"};
    static const char old[] =
        "{\"modified\":\"2024-01-01T23:59:59.000Z\",\"family_name\":\"A\",\"tags\":[\"x\"],\"custom\":{\"end\":\"2024-06-01\",\"n\":3}}";
    int64_t day = 19723; /* 2024-01-01 */
    assert_false(about(&r, old, day + 9));
    assert_true(about(&r, old, day + 10));
    assert_false(about(&r, old, day - 1000)); /* of the future: not over */
    strcpy(r.tag, "x");
    assert_true(about(&r, old, day + 10));
    strcpy(r.tag, "X");
    assert_false(about(&r, old, day + 10));
    r.tag[0] = '\0';
    strcpy(r.date, "custom.end");
    assert_false(about(&r, old, day + 100));
    assert_true(about(&r, old, day + 152 + 10));
    for (size_t i = 0; i < 2; i++) { /* a field that is no date, or is not there: never */
        strcpy(r.date, i ? "custom.n" : "custom.none");
        assert_false(about(&r, old, day + 100000));
    }
    strcpy(r.date, "modified");
    assert_true(about(&r, "{\"modified\":\"2024-01-01T00:00:00.000Z\",\"restricted\":false}", day + 10));
    assert_false(about(&r, "{\"modified\":\"2024-01-01T00:00:00.000Z\",\"restricted\":true}", day + 10));
    r.action = RULE_ARCHIVE;
    assert_true(about(&r, old, day + 10));
    assert_false(about(&r, "{\"modified\":\"2024-01-01T00:00:00.000Z\",\"archived\":\"2024-03-01T00:00:00.000Z\"}", day + 100));
}

/* What may stay is said field by field; all else goes, whatever a later version adds. */
static void what_stays_of_the_anonymous(void **state) {
    (void)state;
    json_t *full = json_loads(
        "{\"given_name\":\"Z\",\"family_name\":\"D\",\"company\":\"C\",\"title\":\"T\",\"emails\":[\"a@b.fr\"],\"phones\":[\"1\"],"
        "\"address\":{\"street\":\"S\",\"city\":\"V\",\"country\":\"FR\"},\"birthday\":\"2000-01-01\",\"notes\":\"N\",\"tags\":[\"t\"],"
        "\"custom\":{\"a\":1},\"later\":\"L\"}",
        0, NULL);
    json_t *rest = anonymised(KIND_CONTACT, full),
           *wanted = json_loads("{\"family_name\":\"—\",\"address\":{\"country\":\"FR\"}}", 0, NULL);
    assert_true(json_equal(rest, wanted));
    assert_false(is_anonymous(KIND_CONTACT, full));
    assert_true(is_anonymous(KIND_CONTACT, rest));
    json_decref(rest);
    json_decref(wanted);
    json_decref(full);
    full = json_loads("{\"name\":\"C\",\"siren\":\"732829320\",\"sector\":\"S\",\"address\":{\"city\":\"V\"}}", 0, NULL);
    rest = anonymised(KIND_COMPANY, full);
    wanted = json_loads("{\"name\":\"—\",\"sector\":\"S\"}", 0, NULL);
    assert_true(json_equal(rest, wanted));
    json_decref(rest);
    json_decref(wanted);
    json_decref(full);
}

/* ---- runs ---- */

static void what_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"name\":\"r\",\"kind\":\"users\",\"action\":\"delete\",\"after_days\":1}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"sell\",\"after_days\":1}",
        "{\"name\":\"r\",\"kind\":\"documents\",\"action\":\"archive\",\"after_days\":1}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\"}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":0}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":36526}",
        "{\"name\":\"\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":1}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":1,\"date\":\"birthday\"}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":1,\"date\":\"custom.\"}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":1,\"enabled\":1}",
        "{\"name\":\"r\",\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":1,\"ran\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ask(HTTP_POST, "/api/v1/rules", bad[i]), 400);
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":30");
    assert_non_null(strstr(answer, "\"enabled\":false,\"ran\":null"));
    assert_int_equal(on_rule(HTTP_PATCH, "", "{\"action\":\"archive\"}"), 400);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 409);
    assert_non_null(strstr(answer, "rule-off"));
    assert_int_equal(on_rule(HTTP_DELETE, "", ""), 204);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 404);
    assert_true(lines_of("rule_made") == 1 && lines_of("rule_removed") == 1 && lines_of("rule_began") == 0);
}

/* As after kill -9: what was not committed is gone, and so is all that was known. */
static void killed(void) {
    store_close(files.s);
    fixture_open(&files, 4 * MIB);
    self.store = files.s;
    journal_unsealed();
    functions_load();
    rules_unsealed();
}

static const char *last_line(void) {
    static char text[512];
    struct journal_line line;
    assert_int_equal(journal_read(journal_last_line(), &line), STORE_OK);
    snprintf(text, sizeof text, "%.*s", (int)line.size, (const char *)line.text);
    return text;
}

static void a_rule_deletes_what_it_said_it_would(void **state) {
    (void)state;
    char member[32];
    for (int i = 0; i < RECORDS; i++)
        contact("{\"family_name\":\"Ancien\",\"tags\":[\"prospect\"]}", 400, NULL);
    contact("{\"family_name\":\"Client\"}", 400, NULL);
    contact("{\"family_name\":\"Neuf\",\"tags\":[\"prospect\"]}", 10, NULL);
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"tag\":\"prospect\",\"enabled\":true");
    assert_int_equal(on_rule(HTTP_POST, "/run?dry_run=true", ""), 200);
    snprintf(member, sizeof member, "\"matching\":%d,\"seen\":%d", RECORDS, RECORDS + 2);
    assert_non_null(strstr(answer, member));
    assert_true(store_count(self.store, STORE_CONTACTS) == RECORDS + 2 && lines_of("rule_began") == 0);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_true(runs());
    assert_true(store_count(self.store, STORE_CONTACTS) == 2 && listed() == 2);
    assert_int_equal(lines_of("rule_began"), 1);
    assert_int_equal(ask(HTTP_GET, "/api/v1/rules", ""), 200);
    snprintf(member, sizeof member, "\"done\":%d", RECORDS);
    assert_non_null(strstr(answer, member));
    assert_non_null(strstr(last_line(), "\"done\":150,\"whole\":true"));
    assert_null(strstr(last_line(), "prospect")); /* nothing of what the records held */
}

/* Killed after its first step, and once more with a step not on the disk: the count at the end is that of all that went. */
static void a_kill_loses_no_count(void **state) {
    (void)state;
    for (int i = 0; i < RECORDS; i++)
        contact("{\"family_name\":\"Ancien\"}", 400, NULL);
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    for (int i = 0; i < 400 && store_count(self.store, STORE_CONTACTS) == RECORDS; i++)
        event_base_loop(self.base, EVLOOP_ONCE);
    uint64_t left = store_count(self.store, STORE_CONTACTS);
    assert_in_range(left, 1, RECORDS - 1);
    assert_int_equal(exchange_commit(), STORE_OK);
    killed();
    rules_run(rule_id);
    event_base_loop(self.base, EVLOOP_ONCE);
    assert_in_range(store_count(self.store, STORE_CONTACTS), 1, left - 1);
    killed();
    assert_int_equal(store_count(self.store, STORE_CONTACTS), left);
    rules_run(rule_id);
    assert_true(runs());
    assert_int_equal(store_count(self.store, STORE_CONTACTS), 0);
    assert_non_null(strstr(last_line(), "\"done\":150,\"whole\":true"));
    assert_int_equal(lines_of("rule_began"), 1);
    assert_int_equal(ask(HTTP_GET, "/api/v1/rules", ""), 200);
    assert_non_null(strstr(answer, "\"done\":150,\"pending\":0"));
}

/* Of one that does not go on, the journal tells how far it came. */
static void an_interrupted_run_is_told(void **state) {
    (void)state;
    for (int i = 0; i < RECORDS; i++)
        contact("{\"family_name\":\"Ancien\"}", 400, NULL);
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    for (int i = 0; i < 400 && store_count(self.store, STORE_CONTACTS) == RECORDS; i++)
        event_base_loop(self.base, EVLOOP_ONCE);
    assert_int_equal(exchange_commit(), STORE_OK);
    killed();
    char member[48];
    snprintf(member, sizeof member, "\"done\":%d,\"whole\":false", RECORDS - (int)store_count(self.store, STORE_CONTACTS));
    assert_int_equal(on_rule(HTTP_PATCH, "", "{\"enabled\":false}"), 200);
    rules_run(rule_id);
    assert_true(runs());
    assert_non_null(strstr(last_line(), member));
    assert_int_equal(ask(HTTP_GET, "/api/v1/rules", ""), 200);
    assert_non_null(strstr(answer, "\"pending\":0"));
}

static void a_rule_archives_and_a_change_brings_back(void **state) {
    (void)state;
    uint8_t id[ID_BYTES];
    struct record r;
    char path[64], text[ULID_TEXT + 1], was[RECORD_TIME + 1];
    contact("{\"family_name\":\"Ancien\"}", 400, id);
    contact("{\"family_name\":\"Neuf\"}", 1, NULL);
    assert_int_equal(catalog_get(KIND_CONTACT, id, &r), STORE_OK);
    strcpy(was, r.modified);
    record_free(&r);
    make_rule("\"kind\":\"contacts\",\"action\":\"archive\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_true(runs());
    assert_true(listed() == 1 && store_count(self.store, STORE_CONTACTS) == 2);
    assert_int_equal(catalog_get(KIND_CONTACT, id, &r), STORE_OK);
    assert_true(r.archived[0] && strcmp(r.modified, was) == 0); /* nobody changed it */
    record_free(&r);
    assert_int_equal(ask(HTTP_GET, "/api/v1/contacts", ""), 200);
    assert_null(strstr(answer, "Ancien"));
    assert_int_equal(ask(HTTP_GET, "/api/v1/contacts?archived=true", ""), 200);
    assert_true(strstr(answer, "Ancien") && !strstr(answer, "Neuf"));
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_false(runs()); /* nothing is left to do */
    ulid_text(id, text);
    snprintf(path, sizeof path, "/api/v1/contacts/%s", text);
    assert_int_equal(ask(HTTP_PATCH, path, "{\"title\":\"T\"}"), 200);
    assert_null(strstr(answer, "archived"));
    assert_int_equal(listed(), 2);
    assert_int_equal(ask(HTTP_DELETE, path, ""), 204);
    assert_true(listed() == 1 && store_count(self.store, STORE_CONTACTS) == 1);
}

static void a_rule_anonymises_once(void **state) {
    (void)state;
    uint8_t id[ID_BYTES];
    struct record r;
    contact("{\"family_name\":\"Ancien\",\"notes\":\"N\",\"address\":{\"country\":\"FR\",\"city\":\"V\"}}", 400, id);
    make_rule("\"kind\":\"contacts\",\"action\":\"anonymise\",\"after_days\":365,\"date\":\"created\",\"enabled\":true");
    assert_int_equal(on_rule(HTTP_PATCH, "", "{\"date\":\"modified\"}"), 200);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_true(runs());
    assert_int_equal(catalog_get(KIND_CONTACT, id, &r), STORE_OK);
    assert_string_equal(json_string_value(json_object_get(r.fields, "family_name")), "—");
    assert_true(json_object_size(r.fields) == 2 && is_anonymous(KIND_CONTACT, r.fields));
    record_free(&r);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_false(runs());
}

/* C4, C13: no rule runs that is off, or whose function is; each step asks anew */
static void nothing_runs_that_is_off(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        contact("{\"family_name\":\"Ancien\"}", 400, NULL);
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    retention(false);
    assert_false(runs());
    retention(true);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_int_equal(on_rule(HTTP_PATCH, "", "{\"enabled\":false}"), 200);
    assert_false(runs());
    rules_run(rule_id);
    assert_int_equal(on_rule(HTTP_DELETE, "", ""), 204);
    assert_false(runs());
    assert_int_equal(store_count(self.store, STORE_CONTACTS), 3);
}

/* ---- the clock ---- */

static const char *today_plus(int days) {
    static char text[16];
    time_t t = (time_t)(rules_today() + days) * DAY;
    struct tm tm;
    strftime(text, sizeof text, "%Y-%m-%d", gmtime_r(&t, &tm));
    return text;
}

static int say_date(const char *date) {
    char body[64];
    snprintf(body, sizeof body, "{\"date\":\"%s\"}", date);
    return ask(HTTP_POST, "/api/v1/rules/clock", body);
}

static int64_t clock_is, gone_is; /* what the tests have set */
static void skew(int64_t clock, int64_t gone) {
    rules_skew(clock, gone);
    clock_is += clock;
    gone_is += gone;
}

/* C13: a clock set forward deletes nothing */
/* Set forward while the tenant is served: records that are young go nowhere, until an administrator says that it is that day. */
static void a_clock_set_forward_deletes_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        contact("{\"family_name\":\"Jeune\"}", 10, NULL);
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    skew(400 * (int64_t)DAY, 0);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 409);
    assert_non_null(strstr(answer, "clock-held"));
    rules_run(rule_id); /* as the pass does it */
    assert_false(runs());
    assert_int_equal(store_count(self.store, STORE_CONTACTS), 3);
    assert_int_equal(ask(HTTP_GET, "/api/v1/rules", ""), 200);
    assert_non_null(strstr(answer, "\"held\":\"ahead\""));
    functions_load();
    rules_unsealed(); /* a stop does not make it forget, */
    skew(-390 * (int64_t)DAY, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_AHEAD); /* also where the clock is only a little ahead by now */
    skew(390 * (int64_t)DAY, 0);
    assert_int_equal(say_date("yesterday"), 400);
    assert_int_equal(say_date(today_plus(-400)), 409); /* the administrator's day is another */
    assert_non_null(strstr(answer, "another-day"));
    assert_int_equal(rules_clock(), RULES_CLOCK_AHEAD);
    assert_int_equal(say_date(today_plus(0)), 204); /* it really is that day */
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    assert_int_equal(lines_of("clock_trusted"), 1);
    assert_int_equal(on_rule(HTTP_POST, "/run", ""), 202);
    assert_true(runs());
    assert_int_equal(store_count(self.store, STORE_CONTACTS), 0);
}

static void a_clock_that_is_put_right_goes_on_by_itself(void **state) {
    (void)state;
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    skew(2 * DAY, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_AHEAD);
    skew(-2 * DAY, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    skew(-2 * DAY, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_BEHIND);
    skew(2 * DAY, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    skew(40 * DAY, 40 * DAY); /* time that has really gone by is no jump */
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
}

/* By 50 minutes at each look, never more than an hour at once. */
static void small_steps_add_up(void **state) {
    (void)state;
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    skew(50 * 60, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    skew(50 * 60, 0);
    assert_int_equal(rules_clock(), RULES_CLOCK_AHEAD);
}

/* Over a stop only a bound is known. */
static void after_a_stop(void **state) {
    (void)state;
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    assert_int_equal(exchange_commit(), STORE_OK);
    skew(30 * DAY, 0);
    rules_unsealed();
    assert_int_equal(rules_clock(), RULES_CLOCK_GOOD);
    assert_int_equal(exchange_commit(), STORE_OK);
    skew(32 * DAY, 0);
    rules_unsealed();
    assert_int_equal(rules_clock(), RULES_CLOCK_AHEAD);
    skew(-62 * DAY, 0);
    rules_unsealed();
    assert_int_equal(rules_clock(), RULES_CLOCK_BEHIND);
    static const uint8_t id[ID_BYTES] = "rules-clock"; /* nor where what was trusted cannot be read */
    assert_int_equal(store_put(self.store, STORE_SETTINGS, id, "x", 1, STORE_ANY, NULL), STORE_OK);
    rules_unsealed();
    assert_int_equal(rules_clock(), RULES_CLOCK_AHEAD);
}

/* ---- the register ---- */

static void the_register_says_what_is_on(void **state) {
    (void)state;
    make_rule("\"kind\":\"contacts\",\"action\":\"delete\",\"after_days\":365,\"enabled\":true");
    assert_int_equal(ask(HTTP_GET, "/api/v1/register?format=html", ""), 200);
    assert_non_null(strstr(answer, "<html lang=\"fr\">"));
    assert_non_null(strstr(answer, "acme.example"));
    const char *at = strstr(answer, "<h2>Règles de conservation</h2>");
    assert_non_null(at);
    assert_non_null(strstr(at, "<dt>État</dt><dd>activé depuis le 20"));
    assert_non_null(strstr(at, "[contacts : delete, 365 jours depuis modified]"));
    assert_non_null(strstr(answer, "<h2>Sauvegarde</h2>\n<dl>\n<dt>État</dt><dd>désactivé : n’a pas lieu</dd>"));
    assert_non_null(strstr(answer, "</body>\n</html>\n"));
    assert_int_equal(ask(HTTP_GET, "/api/v1/register?format=csv&lang=en", ""), 200);
    assert_non_null(
        strstr(answer, "\r\n\r\nProcessing,State,Purpose,Persons and data,Recipients,Term,Legal basis\r\nKeeping of records,always,"));
    size_t rows = 0;
    for (at = strstr(answer, "Processing,"); (at = strstr(at, "\r\n")); at += 2)
        rows++;
    assert_int_equal(rows, 1 + FUNCTION_COUNT); /* the labels, the records themselves, each function */
    assert_int_equal(ask(HTTP_GET, "/api/v1/register?format=json", ""), 200);
    json_t *body = json_loads(strstr(answer, "\r\n\r\n") + 4, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(body, "functions")), FUNCTION_COUNT - 1);
    assert_int_equal(json_array_size(json_object_get(body, "rules")), 1);
    json_decref(body);
    assert_int_equal(ask(HTTP_GET, "/api/v1/register?format=pdf", ""), 400);
    assert_int_equal(ask(HTTP_GET, "/api/v1/register?format=csv&lang=de", ""), 400);
}

static int fresh(void **state) {
    rules_skew(-clock_is, -gone_is);
    clock_is = gone_is = 0;
    int failed = worker_fresh(state);
    rules_unsealed();
    retention(true);
    return failed;
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, fresh, worker_done)

int main(void) {
    if (!worker_start() || !crm_start()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),
        cmocka_unit_test(which_records),
        cmocka_unit_test(what_stays_of_the_anonymous),
        TEST(what_is_refused),
        TEST(a_rule_deletes_what_it_said_it_would),
        TEST(a_kill_loses_no_count),
        TEST(an_interrupted_run_is_told),
        TEST(a_rule_archives_and_a_change_brings_back),
        TEST(a_rule_anonymises_once),
        TEST(nothing_runs_that_is_off),
        TEST(a_clock_set_forward_deletes_nothing),
        TEST(a_clock_that_is_put_right_goes_on_by_itself),
        TEST(small_steps_add_up),
        TEST(after_a_stop),
        TEST(the_register_says_what_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
