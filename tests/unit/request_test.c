/* What takes two people: the table, the decisions in every combination, the record over restarts (C1, S9, S11). */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../policy/decide.h"
#include "../../policy/references.h"
#include "../../policy/request.h"
#include "../../supervisor/ledger.h"
#include "../../supervisor/requests.h"
#include "../../supervisor/steward/request_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALICE = 501, BOB = 502 };
static const uint64_t noon = 1800000000000, hour = 3600000;
static char directory[64], path[128], error[RECORD_ERROR_MAX];
static struct requests *requests;

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/request_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/requests", directory);
    requests = requests_open(directory, error);
    return requests ? 0 : -1;
}

static int clean(void **state) {
    (void)state;
    requests_close(requests);
    unlink(path);
    return rmdir(directory);
}

static void reopen(void) {
    requests_close(requests);
    requests = requests_open(directory, error);
    if (!requests) fail_msg("%s", error);
}

static struct request wanted(enum request_kind kind) {
    struct request r = {.kind = kind, .tenant = 7, .name = "acme", .asked_by = ALICE};
    if (kind == REQUEST_disclosure) {
        r.scope = 1U << SCOPE_registry | 1U << SCOPE_ledger;
        snprintf(r.recipient, sizeof r.recipient, "Tribunal de Lyon");
        snprintf(r.reason, sizeof r.reason, "Ordonnance du 3 mars");
    }
    return r;
}

/* Four grounds, none of them commerce; a request's verb asks under the duty that the table of duties gives it. */
/* S9, S11: four grounds, none of them commerce */
static void the_tables_say_what_was_promised(void **state) {
    (void)state;
    static const char *const grounds[] = {"law", "terms", "abuse", "protection"};
    assert_int_equal(GROUNDS, 4);
    for (int g = 0; g < GROUNDS; g++)
        assert_string_equal(ground_table[g].name, grounds[g]);
    for (int k = 0; k < REQUEST_KINDS; k++) {
        const struct request_row *row = &request_table[k];
        assert_int_equal(row->asks, verb_table[row->verb].duties);
        assert_true(row->agrees && (row->agrees & (row->agrees - 1)) == 0 && row->term_ms > 0);
        assert_true(verb_table[row->verb].recorded && needs_table[row->verb].undertaking);
    }
}

/* Every kind, state, duty set, person and moment. */
/* C1: every kind, state, duty, person and moment of an agreement */
static void who_may_agree(void **state) {
    (void)state;
    for (int k = 0; k < REQUEST_KINDS; k++)
        for (int s = 0; s < REQUEST_STATES; s++)
            for (uint32_t duties = 0; duties <= DUTY_ALL; duties++)
                for (uint32_t uid = ALICE; uid <= BOB; uid++)
                    for (int when = 0; when < 3; when++) {
                        const struct request r = {.kind = (enum request_kind)k,
                                                  .state = (enum request_state)s,
                                                  .asked_by = ALICE,
                                                  .asked_ms = noon,
                                                  .until_ms = noon + hour};
                        const uint64_t now[] = {noon, noon + hour - 1, noon + hour};
                        bool duty = duties & request_table[k].agrees, open = s == REQUEST_ASKED && when < 2;
                        enum act_result expected = !duty ? ACT_REFUSED : !open ? ACT_WRONG_STATE : uid == ALICE ? ACT_ALONE : ACT_DONE;
                        assert_int_equal(request_may_agree(&r, uid, duties, now[when]), expected);
                        bool own = uid == ALICE && duties & request_table[k].asks;
                        expected = !own && !duty ? ACT_REFUSED : open ? ACT_DONE : ACT_WRONG_STATE;
                        assert_int_equal(request_may_withdraw(&r, uid, duties, now[when]), expected);
                    }
    const struct request future = {.asked_by = ALICE, .asked_ms = noon, .until_ms = noon + hour};
    assert_int_equal(request_may_agree(&future, BOB, DUTY_ALL, noon - hour), ACT_WRONG_STATE); /* the clock was set back */
}

/* An end is an end: no word of the record brings a request back. */
static void what_may_follow_what(void **state) {
    (void)state;
    static const bool follows[REQUEST_STATES][REQUEST_STATES] = {
        [REQUEST_ASKED] = {[REQUEST_AGREED] = true, [REQUEST_WITHDRAWN] = true, [REQUEST_EXPIRED] = true},
        [REQUEST_AGREED] = {[REQUEST_DONE] = true, [REQUEST_FAILED] = true, [REQUEST_EXPIRED] = true},
    };
    for (int from = 0; from < REQUEST_STATES; from++)
        for (int to = 1; to < REQUEST_STATES; to++) {
            struct request one = {.id = 1, .state = (enum request_state)from};
            struct request_book book = {.row = &one, .count = 1};
            struct record_line line = {.time_ms = noon, .uid = BOB, .fields = 1, .field = {{"1", 1}}};
            snprintf(line.word, sizeof line.word, "%s", request_words[to]);
            assert_int_equal(request_fold(&book, &line, false), follows[from][to]);
            assert_int_equal(one.state, from);
            assert_int_equal(request_fold(&book, &line, true), follows[from][to]);
            assert_int_equal(one.state, follows[from][to] ? to : from);
        }
}

static void a_request_outlives_a_restart(void **state) {
    (void)state;
    struct request want = wanted(REQUEST_reset), disclosure = wanted(REQUEST_disclosure);
    disclosure.hold_ms = noon + 48 * hour;
    assert_non_null(requests_ask(requests, &want, noon, 5000));
    assert_non_null(requests_ask(requests, &disclosure, noon + 1, 5000));
    reopen();
    const struct request *r = requests_open_about(requests, REQUEST_reset, 7, noon);
    assert_non_null(r);
    assert_int_equal(r->id, 1);
    assert_int_equal(r->asked_by, ALICE);
    assert_int_equal(r->until_ms, noon + hour);
    assert_null(requests_open_about(requests, REQUEST_reset, 8, noon));
    assert_null(requests_open_about(requests, REQUEST_reset, 7, noon + hour));
    struct request *d = request_find(requests_book(requests), 2);
    assert_string_equal(d->recipient, "Tribunal de Lyon");
    assert_string_equal(d->reason, "Ordonnance du 3 mars");
    assert_int_equal(d->scope, disclosure.scope);
    assert_true(requests_end(requests, d, BOB, REQUEST_AGREED, noon + 2));
    assert_true(requests_end(requests, d, BOB, REQUEST_DONE, noon + 3));
    reopen();
    d = request_find(requests_book(requests), 2);
    assert_int_equal(d->state, REQUEST_DONE);
    assert_int_equal(d->ended_by, BOB);
    assert_null(request_find(requests_book(requests), 0));
    assert_null(request_find(requests_book(requests), 3));
}

/* While a hold lasts the ledger's lines name no tenant, so that none reads them; the longest note fits into a line. */
static void a_hold_names_no_tenant(void **state) {
    (void)state;
    char note[NOTE_MAX + 1];
    struct request d = wanted(REQUEST_disclosure);
    d.hold_ms = noon + hour;
    d.asked_ms = noon;
    d.counted_ms = 5000;
    /* S11: no clock that is set ends a hold */
    assert_string_equal(requests_about(&d, noon + 10000 * hour, 5000 + hour - 1, note).name, "");
    assert_string_equal(requests_about(&d, noon + 10000 * hour, 0, note).name, "");
    assert_string_equal(requests_about(&d, noon, 5000 + hour, note).name, "");
    assert_int_equal(requests_about(&d, noon, 5000 + hour, note).number, 0);
    assert_string_equal(requests_about(&d, noon + hour, 5000 + hour, note).name, "acme");
    assert_string_equal(
        note, "ground: law; scope: registry ledger; held until: 2027-01-15; recipient: Tribunal de Lyon; reason: Ordonnance du 3 mars");
    d.hold_ms = 0;
    d.scope = 1U << SCOPE_sealed;
    request_note(&d, note);
    assert_string_equal(note, "ground: law; scope: sealed (without key); recipient: Tribunal de Lyon; reason: Ordonnance du 3 mars");
    d.hold_ms = noon + hour;
    d.scope = (1U << SCOPES) - 1;
    d.ground = GROUND_protection;
    memset(d.recipient, 'r', RECIPIENT_MAX);
    memset(d.reason, 'w', REASON_MAX);
    request_note(&d, note);
    assert_int_equal(note[strlen(note) - 1], 'w');
    assert_int_equal(
        strlen(note),
        strlen("ground: protection; scope: registry counters ledger sealed (without key); held until: 2027-01-15; recipient: ; reason: ") +
            RECIPIENT_MAX + REASON_MAX);
}

static void the_ledger_says_what_else_is_asked_for(void **state) {
    (void)state;
    char note[NOTE_MAX + 1];
    struct request r = wanted(REQUEST_citation);
    r.scope = 1U << REFERENCE_quote;
    snprintf(r.recipient, sizeof r.recipient, "Salon de Lyon");
    assert_true(request_note(&r, note));
    assert_string_equal(note, "use: quote; where: Salon de Lyon");
    r.kind = REQUEST_transfer;
    assert_true(request_note(&r, note));
    assert_string_equal(note, "to: Salon de Lyon");
    r.kind = REQUEST_reset;
    assert_false(request_note(&r, note));
}

static void citations_are_read_strictly(void **state) {
    (void)state;
    static const struct {
        const char *body, *field; /* field NULL: fine; "": the body as a whole */
    } rows[] = {
        {"{\"use\":\"logo\",\"where\":\"A\"}", NULL},
        {"{\"use\":\"name\",\"where\":\"A\"}", "use"},
        {"{\"use\":1,\"where\":\"A\"}", "use"},
        {"{\"use\":\"logo\",\"where\":\"\"}", "where"},
        {"{\"use\":\"logo\",\"where\":\"a\\nb\"}", "where"},
        {"{\"use\":\"logo\"}", "where"},
        {"{\"where\":\"A\"}", "use"},
        {"{\"use\":\"logo\",\"where\":\"A\",\"tenant\":\"bois\"}", "tenant"},
        {"[]", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_act act = {0};
        struct act_problem problem = {0};
        bool fine = request_view_read_citation(rows[i].body, strlen(rows[i].body), &act, &problem);
        if (fine != !rows[i].field) fail_msg("%s", rows[i].body);
        if (!fine) assert_string_equal(problem.field, rows[i].field);
        if (fine) assert_int_equal(act.scope, 1U << REFERENCE_logo);
    }
}

static void bodies_are_read_strictly(void **state) {
    (void)state;
#define FINE "\"ground\":\"law\",\"scope\":[\"registry\"],\"recipient\":\"A\",\"reason\":\"B\""
    static const struct {
        const char *body, *field; /* field NULL: fine; "": the body as a whole */
    } rows[] = {
        {"{" FINE "}", NULL},
        {"{" FINE ",\"hold_until\":\"2027-01-31\"}", NULL},
        {"{\"ground\":\"commerce\",\"scope\":[\"registry\"],\"recipient\":\"A\",\"reason\":\"B\"}", "ground"},
        {"{\"ground\":0,\"scope\":[\"registry\"],\"recipient\":\"A\",\"reason\":\"B\"}", "ground"},
        {"{\"ground\":\"law\",\"scope\":[\"contacts\"],\"recipient\":\"A\",\"reason\":\"B\"}", "scope"},
        {"{\"ground\":\"law\",\"scope\":[],\"recipient\":\"A\",\"reason\":\"B\"}", "scope"},
        {"{\"ground\":\"law\",\"scope\":[\"registry\"],\"recipient\":\"\",\"reason\":\"B\"}", "recipient"},
        {"{\"ground\":\"law\",\"scope\":[\"registry\"],\"recipient\":\"A\",\"reason\":\"a\\nb\"}", "reason"},
        {"{\"ground\":\"law\",\"scope\":[\"registry\"],\"recipient\":\"A\"}", "reason"},
        {"{" FINE ",\"hold_until\":\"soon\"}", "hold_until"},
        {"{" FINE ",\"tenant\":\"bois\"}", "tenant"},
        {"[]", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_act act = {0};
        struct act_problem problem = {0};
        bool fine = request_view_read(rows[i].body, strlen(rows[i].body), &act, &problem);
        if (fine != !rows[i].field) fail_msg("%s", rows[i].body);
        if (!fine) assert_string_equal(problem.field, rows[i].field);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_say_what_was_promised),
        cmocka_unit_test(who_may_agree),
        cmocka_unit_test(what_may_follow_what),
        cmocka_unit_test_setup_teardown(a_request_outlives_a_restart, make, clean),
        cmocka_unit_test(a_hold_names_no_tenant),
        cmocka_unit_test(the_ledger_says_what_else_is_asked_for),
        cmocka_unit_test(citations_are_read_strictly),
        cmocka_unit_test(bodies_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
