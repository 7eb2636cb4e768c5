/* `cloison publish` over the steward's own replica: only whole periods, only tenants that had the function on throughout, kept over
 * restarts, and shown of no single tenant (S12, C4). */
#include "../../policy/cohort.h"
#include "../../supervisor/steward/metrics.h"
#include "../../supervisor/steward/publication.h"
#include "../../supervisor/steward/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TENANTS = 12, SECONDS = 100 };

static struct {
    int file;
    struct tenants *tenants;
    struct publication *publication;
    struct counter_page *page[TENANTS + 1];
    uint64_t now; /* seconds */
} h;

static void put(uint32_t number, uint32_t shown) {
    struct message_tenant t = {.head = {.tenant = number}, .state = shown, .host_count = 1};
    snprintf(t.name, sizeof t.name, "t%u", number);
    assert_true(tenants_put(h.tenants, &t));
}

static void worker(uint32_t number) {
    int fd = counters_create();
    counters_unmap(h.page[number]);
    h.page[number] = counters_map(fd, 1);
    put(number, TENANT_SERVING);
    assert_true(tenants_page(h.tenants, number, fd));
}

static void open_steward(void) {
    h.tenants = tenants_new();
    h.publication = publication_new();
    for (uint32_t t = 1; t <= TENANTS; t++)
        worker(t);
    assert_true(publication_start(h.publication, dup(h.file), COHORT_THRESHOLD, SECONDS, h.now * 1000));
}

static void close_steward(void) {
    publication_free(h.publication);
    tenants_free(h.tenants);
}

static int begin(void **state) {
    (void)state;
    h.file = memfd_create("groups", 0);
    h.now = 1000;
    open_steward();
    return 0;
}

static int end(void **state) {
    (void)state;
    close_steward();
    for (uint32_t t = 1; t <= TENANTS; t++) {
        counters_unmap(h.page[t]);
        h.page[t] = NULL;
    }
    close(h.file);
    return 0;
}

/* So many seconds go by, ten at a time. */
static void pass(unsigned seconds) {
    for (uint64_t until = h.now + seconds; h.now < until; h.now += 10) {
        tenants_sample(h.tenants);
        publication_tick(h.publication, h.tenants, h.now * 1000);
    }
}

static void on(uint32_t from, uint32_t to, uint64_t clicks) {
    for (uint32_t t = from; t <= to; t++) {
        h.page[t]->value[COUNTER_usage_state] = USAGE_ON;
        h.page[t]->value[COUNTER_menu_contacts] += clicks;
    }
}

/* What the worker does when its tenant switches the function off. */
static void off(uint32_t t) {
    h.page[t]->value[COUNTER_menu_contacts] = 0;
    h.page[t]->value[COUNTER_usage_state] = USAGE_OFF;
}

/* at_least of menu_contacts in what is published; 0 = nothing; -1 = no publication. */
static json_int_t said(json_int_t *tenants) {
    size_t i;
    json_t *all = publication_json(h.publication), *cell;
    json_int_t least = all ? 0 : -1;
    if (tenants) *tenants = json_integer_value(json_object_get(all, "tenants"));
    json_array_foreach(json_object_get(all, "cells"), i, cell) {
        assert_string_equal(json_string_value(json_object_get(cell, "number")), "menu_contacts");
        assert_true(json_integer_value(json_object_get(cell, "tenants")) % COHORT_THRESHOLD == 0);
        least = json_integer_value(json_object_get(cell, "at_least"));
    }
    json_decref(all);
    return least;
}

static char *dumped(void) {
    json_t *all = publication_json(h.publication);
    char *text = json_dumps(all, 0);
    json_decref(all);
    return text;
}

static void only_whole_periods(void **state) {
    (void)state;
    json_int_t tenants;
    h.now = 1050; /* in the middle of one */
    on(1, TENANTS, 5000);
    pass(100); /* its end, and the begin of the first whole one */
    assert_int_equal(said(NULL), -1);
    on(1, TENANTS, 150);
    pass(100);
    assert_int_equal(said(&tenants), 100); /* what came before the period is not of it */
    assert_int_equal(tenants, 10);
    char *text = dumped(), *again;
    on(1, TENANTS, 70);
    pass(50);
    again = dumped();
    assert_string_equal(text, again); /* the same until the next one */
    free(text);
    free(again);
    pass(20);
    assert_int_equal(said(NULL), 10);
}

static void who_switches_off_takes_the_group_along(void **state) {
    (void)state;
    json_int_t tenants;
    on(1, TENANTS, 0);
    pass(110);
    on(1, TENANTS, 500);
    pass(20);
    off(3);
    pass(20);
    h.page[3]->value[COUNTER_usage_state] = USAGE_ON;
    pass(60);
    assert_int_equal(said(&tenants), 0);
    assert_int_equal(tenants, 0);
    on(1, TENANTS, 500);
    pass(300);
    assert_int_equal(said(NULL), 0);
    h.now += (uint64_t)SECONDS * COHORT_WAIT;
    pass(110);
    on(1, TENANTS, 500);
    pass(100);
    assert_int_equal(said(NULL), 100);
}

static void a_tenant_that_goes_takes_it_along_too(void **state) {
    (void)state;
    on(1, TENANTS, 0);
    pass(110);
    on(1, TENANTS, 500);
    tenants_remove(h.tenants, 5);
    pass(100);
    assert_int_equal(said(NULL), 0);
}

static void a_worker_that_stops_stays_in(void **state) {
    (void)state;
    on(1, TENANTS, 0);
    pass(110);
    on(1, TENANTS, 500);
    for (uint32_t t = 1; t <= TENANTS; t++)
        put(t, TENANT_STOPPED);
    pass(50);
    worker(1); /* sealed: it does not know */
    pass(50);
    assert_int_equal(said(NULL), 100);
}

static void a_restart_spoils_one_period_and_no_group(void **state) {
    (void)state;
    json_int_t tenants;
    on(1, TENANTS, 0);
    pass(110);
    on(1, TENANTS, 500);
    close_steward();
    open_steward();
    on(2, TENANTS, 500); /* the first is still sealed: it stays in its group */
    pass(100);
    assert_int_equal(said(NULL), -1);
    on(2, TENANTS, 500);
    pass(100);
    assert_int_equal(said(&tenants), 100);
    assert_int_equal(tenants, 10);

    off(1); /* the group is known, so one more or less is not told */
    close_steward();
    open_steward();
    off(1);
    on(2, TENANTS, 500);
    pass(110);
    on(2, TENANTS, 500);
    pass(100);
    assert_int_equal(said(&tenants), 0);
    assert_int_equal(tenants, 0);
}

static void damage(off_t at) {
    char byte;
    assert_int_equal(pread(h.file, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(h.file, &byte, 1, at), 1);
}

static void a_damaged_file_publishes_nothing(void **state) {
    (void)state;
    on(1, TENANTS, 0);
    pass(310); /* both copies are written */
    off_t size = lseek(h.file, 0, SEEK_END);
    damage(40);
    close_steward();
    open_steward(); /* one copy is enough */
    on(1, TENANTS, 500);
    pass(110);
    on(1, TENANTS, 500);
    pass(100);
    assert_int_equal(said(NULL), 100);
    damage(40);
    damage(size / 2 + 40);
    close_steward();
    open_steward();
    json_int_t tenants;
    on(1, TENANTS, 500);
    pass(110);
    on(1, TENANTS, 500);
    pass(100);
    assert_int_equal(said(&tenants), 0);
    assert_int_equal(tenants, 0);
}

static void a_clock_that_jumps_publishes_nothing(void **state) {
    (void)state;
    on(1, TENANTS, 0);
    pass(110);
    on(1, TENANTS, 500);
    h.now += 1000; /* forward */
    pass(20);
    assert_int_equal(said(NULL), -1);
    on(1, TENANTS, 500);
    pass(100);
    assert_int_equal(said(NULL), 100);
    h.now -= 500; /* back: none of those periods comes again */
    on(1, TENANTS, 5000);
    pass(300);
    assert_int_equal(said(NULL), 100);
}

static void no_single_tenant_is_shown(void **state) {
    (void)state; /* S5, S12 */
    struct steward s = {.tenants = h.tenants};
    on(1, TENANTS, 0);
    for (uint32_t t = 1; t <= TENANTS; t++)
        for (int c = 0; c < COUNTER_COUNT; c++)
            if (counter_table[c].class == COUNTER_USAGE) h.page[t]->value[c] = 77777;
    tenants_sample(h.tenants);
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (counter_table[c].class == COUNTER_USAGE) assert_int_equal(tenants_value(tenants_at(h.tenants, 0), (enum counter)c), 0);
    struct evbuffer *metrics = metrics_text(&s, METRICS_OPENMETRICS);
    evbuffer_add(metrics, "", 1);
    assert_null(strstr((char *)evbuffer_pullup(metrics, -1), "77"));
    metrics_free(metrics);
    json_t *one = status_tenant(tenants_at(h.tenants, 0));
    char *text = json_dumps(one, 0);
    assert_null(strstr(text, "77"));
    free(text);
    json_decref(one);
}

static void a_threshold_is_only_raised(void **state) {
    (void)state;
    struct publication *p = publication_new();
    assert_false(publication_start(p, dup(h.file), COHORT_THRESHOLD - 1, SECONDS, 0));
    publication_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_whole_periods, begin, end),
        cmocka_unit_test_setup_teardown(who_switches_off_takes_the_group_along, begin, end),
        cmocka_unit_test_setup_teardown(a_tenant_that_goes_takes_it_along_too, begin, end),
        cmocka_unit_test_setup_teardown(a_worker_that_stops_stays_in, begin, end),
        cmocka_unit_test_setup_teardown(a_restart_spoils_one_period_and_no_group, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_file_publishes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_publishes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(no_single_tenant_is_shown, begin, end),
        cmocka_unit_test_setup_teardown(a_threshold_is_only_raised, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
