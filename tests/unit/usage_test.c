/* Usage numbers: only while the function is on, only words of the list, zero again when it is switched off. */
#include "../../worker/functions.h"
#include "../../worker/tenant.h"
#include "../../worker/usage/usage.h"
#include "../../worker/web/login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tenant self;
static struct counter_page numbers;
static bool on;
static int status;
static char field[32];

struct exchange {
    int unused;
};

bool function_on(enum function f) {
    assert_int_equal(f, FUNCTION_counters);
    return on;
}
void respond_empty(struct exchange *x, int s) {
    (void)x;
    status = s;
}
void respond_header(struct exchange *x, const char *name, const char *value) { (void)x, (void)name, (void)value; }
void respond_problem(struct exchange *x, int s, const char *type, const char *detail, const char *f, unsigned long line) {
    (void)x, (void)type, (void)detail, (void)line;
    status = s;
    snprintf(field, sizeof field, "%s", f ? f : "");
}

static int post(const char *body) {
    static const struct http_request_head head;
    struct request r = {.head = &head, .body = (const uint8_t *)body, .body_size = strlen(body)};
    field[0] = '\0';
    status = 0;
    usage_routes[0].handle(NULL, &r);
    return status;
}

static uint64_t value(enum counter c) { return numbers.value[c]; }
static uint64_t all(void) {
    uint64_t sum = 0;
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (counter_table[c].class == COUNTER_USAGE) sum += numbers.value[c];
    return sum;
}

static int fresh(void **state) {
    (void)state;
    memset(&numbers, 0, sizeof numbers);
    self.counters = &numbers;
    self.keys = NULL;
    usage_turn();
    self.keys = (struct keyring *)&numbers;
    on = true;
    usage_turn();
    return 0;
}

static void what_the_page_says_is_counted(void **state) {
    (void)state; /* S3, S5, S6 */
    assert_int_equal(post("{\"menu\":\"contacts\"}"), 204);
    assert_int_equal(post("{\"page\":\"company\",\"milliseconds\":100}"), 204);
    assert_int_equal(post("{\"page\":\"company\",\"milliseconds\":101}"), 204);
    assert_int_equal(post("{\"page\":\"company\",\"milliseconds\":3600000}"), 204);
    assert_int_equal(value(COUNTER_menu_contacts), 1);
    assert_int_equal(value(COUNTER_page_company), 3);
    assert_int_equal(value(COUNTER_load_100ms), 1);
    assert_int_equal(value(COUNTER_load_300ms), 1);
    assert_int_equal(value(COUNTER_load_longer), 1);
    assert_int_equal(value(COUNTER_zone_unknown), 3); /* there is no table */
    usage_letter('Q');
    usage_letter('#');
    assert_int_equal(value(COUNTER_letter_Q), 1);
    assert_int_equal(value(COUNTER_letter_other), 1);
    assert_int_equal(all(), 1 + 3 * 3 + 2);
}

/* S3, S5: what is no word of the list counts nothing */
static void nothing_but_words_of_the_list(void **state) {
    (void)state; /* S5 */
    static const struct {
        const char *body, *field;
    } bad[] = {
        {"{\"menu\":\"Dupont\"}", "menu"},
        {"{\"menu\":\"\"}", "menu"},
        {"{\"menu\":7}", "menu"},
        {"{\"menu\":\"contacts\",\"page\":\"contact\"}", "menu"},
        {"{\"page\":\"contact/Dupont\",\"milliseconds\":1}", "page"},
        {"{\"page\":\"contact\"}", "milliseconds"},
        {"{\"page\":\"contact\",\"milliseconds\":-1}", "milliseconds"},
        {"{\"page\":\"contact\",\"milliseconds\":3600001}", "milliseconds"},
        {"{\"page\":\"contact\",\"milliseconds\":1.5}", "milliseconds"},
        {"{\"page\":\"contact\",\"milliseconds\":\"1\"}", "milliseconds"},
        {"{\"search\":\"Dupont\"}", ""},
        {"{}", "page"},
        {"[]", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(post(bad[i].body), 400);
        assert_string_equal(field, bad[i].field);
    }
    assert_int_equal(all(), 0);
}

static void off_is_zero(void **state) {
    (void)state; /* C4, C12 */
    assert_int_equal(value(COUNTER_usage_state), USAGE_ON);
    post("{\"menu\":\"contacts\"}");
    usage_letter('A');
    numbers.value[COUNTER_logins] = 5; /* not of its class */
    on = false;
    usage_letter('B'); /* before the turn's end, too */
    assert_int_equal(value(COUNTER_letter_B), 0);
    usage_turn();
    assert_int_equal(all(), 0);
    assert_int_equal(value(COUNTER_usage_state), USAGE_OFF);
    assert_int_equal(value(COUNTER_logins), 5);
    usage_letter('A');
    assert_int_equal(all(), 0);
    on = true;
    usage_turn();
    usage_letter('A');
    assert_int_equal(all(), 1);
    self.keys = NULL;
    usage_turn();
    assert_int_equal(value(COUNTER_usage_state), USAGE_UNKNOWN);
}

static void a_flood_is_bounded(void **state) {
    (void)state;
    int last = 0;
    for (int i = 0; i < 3000 && last != 429; i++)
        last = post("{\"menu\":\"contacts\"}");
    assert_int_equal(last, 429);
    assert_true(value(COUNTER_menu_contacts) <= 2400); /* a minute may have begun meanwhile */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_page_says_is_counted, fresh),
        cmocka_unit_test_setup(nothing_but_words_of_the_list, fresh),
        cmocka_unit_test_setup(off_is_zero, fresh),
        cmocka_unit_test_setup(a_flood_is_bounded, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
