/* The tables that decide: duties, counters, names. To the last row. */
#include "../../policy/counters.h"
#include "../../policy/duties.h"
#include "../../policy/limits.h"
#include "../../policy/names.h"
#include "../../policy/regions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* C1: each verb is one duty's */
static void duties_are_disjoint(void **state) {
    (void)state; /* C1 */
    for (int v = VERB_NONE; v < VERB_COUNT; v++)
        assert_true((verb_table[v].duties & (verb_table[v].duties - 1)) == 0 || verb_table[v].duties == DUTY_ALL);
    for (int d = 0; d < DUTY_COUNT; d++) {
        int has = 0;
        for (int v = VERB_NONE; v < VERB_COUNT; v++)
            has += duty_may(1U << d, (enum verb)v);
        assert_true(has > 0);
    }
}

/* S8: a bound allows what it names, whole names only, and without one all is allowed */
static void a_bound_is_a_list_of_regions(void **state) {
    (void)state;
    struct region_bound b = {0};
    assert_true(region_allowed(&b, "eu-fr") && region_bound_is_fine(&b));
    b.bounded = true;
    assert_false(region_allowed(&b, "eu-fr") || region_allowed(&b, ""));
    assert_true(region_bound_is_fine(&b));
    assert_true(region_allow(&b, "eu-fr") && region_allow(&b, "eu") && region_allow(&b, "eu-fr"));
    assert_string_equal(b.names, "eu-fr,eu");
    assert_true(region_allowed(&b, "eu-fr") && region_allowed(&b, "eu") && region_bound_is_fine(&b));
    assert_false(region_allowed(&b, "eu-f") || region_allowed(&b, "fr") || region_allowed(&b, "eu-fr,eu") || region_allowed(&b, "eu-fr-1"));
    b.bounded = false;
    assert_false(region_bound_is_fine(&b));
    static const char *const wrong[] = {",", "eu,", ",eu", "eu,,fr", "EU", "eu fr", "0123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct region_bound bad = {.bounded = true};
        strcpy(bad.names, wrong[i]);
        assert_false(region_bound_is_fine(&bad));
    }
    struct region_bound full = {.bounded = true};
    char name[] = "a0000000000000000000000000000-00";
    for (int i = 0; i < 1 + DESTINATIONS_MAX + PLACES_MAX; i++, name[0]++)
        assert_true(region_allow(&full, name));
    assert_true(region_bound_is_fine(&full) && region_allowed(&full, "y0000000000000000000000000000-00"));
    assert_false(region_allow(&full, "one-more"));
    memset(full.names, 'a', sizeof full.names);
    assert_false(region_bound_is_fine(&full));
}

/* C6: nobody has the five verbs */
static void nobody_may_touch_what_a_tenant_stored(void **state) {
    (void)state; /* C6 */
    static const enum verb never[] = {VERB_read, VERB_export, VERB_copy, VERB_connect, VERB_delete};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        assert_true(verb_table[never[i]].recorded);
        assert_false(duty_may(~0U, never[i]));
    }
    assert_false(duty_may(~0U, VERB_NONE));
    assert_false(duty_may(~0U, VERB_COUNT));
}

/* S3: each number names its promise, and the page has no room for more */
static void a_counter_names_its_promise(void **state) {
    (void)state; /* S3, S5 */
    for (int c = 0; c < COUNTER_COUNT; c++) {
        assert_true(counter_table[c].promise[0] == 'S' || counter_table[c].promise[0] == 'H');
        for (int d = 0; d < c; d++)
            assert_string_not_equal(counter_table[c].name, counter_table[d].name);
    }
}

static void what_is_shown_has_two_significant_digits(void **state) {
    (void)state;
    assert_int_equal(counter_rounded(0), 0);
    assert_int_equal(counter_rounded(99), 99);
    assert_int_equal(counter_rounded(100), 100);
    assert_int_equal(counter_rounded(1999), 1900);
    assert_int_equal(counter_rounded(123456789), 120000000);
    assert_true(counter_rounded(UINT64_MAX) == 18000000000000000000ULL);
}

static void the_page_cannot_change_its_size(void **state) {
    (void)state;
    int fd = counters_create();
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 8192), -1);
    struct counter_page *w = counters_map(fd, 1), *r = counters_map(fd, 0);
    assert_non_null(w);
    assert_non_null(r);
    atomic_store(&w->value[COUNTER_logins], 3);
    assert_int_equal(atomic_load(&r->value[COUNTER_logins]), 3);
    counters_unmap(w);
    counters_unmap(r);
    close(fd);
    fd = memfd_create("not a page", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_null(counters_map(fd, 0)); /* it could shrink under our hands */
    close(fd);
}

static void names_are_checked(void **state) {
    (void)state;
    char long_label[80], long_host[300];
    memset(long_label, 'a', 64), strcpy(long_label + 64, ".fr");
    memset(long_host, 0, sizeof long_host);
    for (int i = 0; i < 85; i++)
        strcat(long_host, "ab.");
    strcat(long_host, "fr");
    assert_true(name_is_tenant("a") && name_is_tenant("acme-2"));
    assert_false(name_is_tenant("") || name_is_tenant("2a") || name_is_tenant("-a") || name_is_tenant("a-") || name_is_tenant("A"));
    assert_false(name_is_tenant("a/b") || name_is_tenant("..") || name_is_tenant("a.b") ||
                 name_is_tenant("abcdefghijklmnopqrstuvwxyzabcdefg"));
    assert_true(name_is_host("acme.localhost") && name_is_host("a-b.example.fr") && name_is_host("3com.example"));
    assert_false(name_is_host("localhost") || name_is_host("Acme.fr") || name_is_host("a..fr") || name_is_host(".fr") ||
                 name_is_host("a.fr."));
    assert_false(name_is_host("10.0.0.1") || name_is_host("a_b.fr") || name_is_host("-a.fr") || name_is_host(long_label) ||
                 name_is_host(long_host));
    assert_true(name_is_modules("") && name_is_modules("crm,documents"));
    assert_false(name_is_modules(",") || name_is_modules("crm,") || name_is_modules("crm, documents") || name_is_modules("CRM"));
    assert_true(name_is_region("eu-fr") && name_is_region("1"));
    assert_false(name_is_region("") || name_is_region("EU") || name_is_region("eu fr"));
    assert_true(name_is_title("") && name_is_title("Société Générale d’Électricité"));
    assert_false(name_is_title("a\nb") || name_is_title("\x7f") || name_is_title("\xc2\x85") || name_is_title("\xff") ||
                 name_is_title("\xed\xa0\x80"));
}

static void utf8_is_strict(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        bool fine;
    } row[] = {
        {"", true},
        {"a\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},
        {"\xed\xa0\x80", false},
        {"\x80", false},
        {"\xc3", false},
        {"\xe2\x82", false},
        {"\xc3\x28", false},
        {"\xf8\x88\x80\x80\x80", false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(text_is_utf8(row[i].bytes, strlen(row[i].bytes)), row[i].fine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duties_are_disjoint),
        cmocka_unit_test(a_bound_is_a_list_of_regions),
        cmocka_unit_test(nobody_may_touch_what_a_tenant_stored),
        cmocka_unit_test(a_counter_names_its_promise),
        cmocka_unit_test(what_is_shown_has_two_significant_digits),
        cmocka_unit_test(the_page_cannot_change_its_size),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(utf8_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
