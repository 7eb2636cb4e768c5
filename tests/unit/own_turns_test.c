/* The turns of tenants that want their own lines of the ledger: lines.c is the real one, its neighbours are played. */
#include "../../supervisor/clock.h"
#include "../../supervisor/lines.h"
#include "../../supervisor/supervisor.h"
#include "../../supervisor/tenant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct supervisor house;
static struct registry_tenant entry[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
static struct tenant tenant[3], *all[3] = {&tenant[0], &tenant[1], &tenant[2]};
static const struct message_own all_of_them = {.from = 1};
static uint32_t asked;    /* of the steward, whose lines; 0 = of nobody */
static unsigned told[3];  /* how often each worker was answered */
static unsigned restarts; /* of the steward */

/* ---- what is played ---- */

struct ledger_own ledger_own(struct ledger *l, uint32_t number) {
    (void)l, (void)number;
    return (struct ledger_own){.count = 1, .at = 1};
}
void link_send(struct link *l, const union message *m, int fd) {
    (void)l, (void)fd;
    asked = m->head.tenant;
}
void tenant_say(struct tenant *t, uint32_t type, uint64_t value, int fd) {
    (void)type, (void)value, (void)fd;
    told[t->entry->number - 1]++;
}
void service_fail(struct service *s, const char *why) {
    (void)why;
    s->state = 0;
    restarts++;
}
struct tenant *supervisor_tenant(const struct supervisor *h, uint32_t number) {
    return h->tenant[number - 1];
}

/* ---- the tests ---- */

static int fresh(void **state) {
    (void)state;
    house = (struct supervisor){.tenant = all, .tenant_count = 3, .steward.state = SERVICE_READY};
    for (int i = 0; i < 3; i++) {
        tenant[i] = (struct tenant){.house = &house, .entry = &entry[i]};
        told[i] = 0;
    }
    asked = restarts = 0;
    return 0;
}

static void found(uint32_t number) {
    assert_true(lines_found(&house, &(struct message_head){.tenant = number, .generation = tenant[number - 1].life.generation}, 0, -1));
}

static void each_has_its_turn(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(lines_want(&tenant[i], &all_of_them));
    assert_false(lines_want(&tenant[0], &all_of_them));
    for (uint32_t n = 1; n <= 3; n++) {
        assert_int_equal(asked, n);
        found(n);
        assert_true(n == 3 || lines_want(&tenant[n - 1], &all_of_them)); /* who comes again comes last */
    }
    assert_int_equal(asked, 1);
    assert_false(lines_found(&house, &(struct message_head){.tenant = 3}, 0, -1));
}

/* One answer that never comes is not the end of it for the house. */
static void a_steward_that_keeps_an_answer_back_is_another(void **state) {
    (void)state;
    assert_true(lines_want(&tenant[0], &all_of_them) && lines_want(&tenant[1], &all_of_them));
    lines_tick(&house, clock_ms());
    assert_int_equal(restarts, 0);
    lines_tick(&house, clock_ms() + 120000);
    assert_int_equal(restarts, 1);
    assert_true(told[0] == 1 && told[1] == 1);
    lines_tick(&house, clock_ms() + 240000);
    assert_int_equal(restarts, 1);
    house.steward.state = SERVICE_READY;
    assert_true(lines_want(&tenant[2], &all_of_them));
    assert_int_equal(asked, 3);
}

/* Nor is a worker that went meanwhile. */
static void one_that_is_gone_is_in_nobodys_way(void **state) {
    (void)state;
    assert_true(lines_want(&tenant[0], &all_of_them) && lines_want(&tenant[1], &all_of_them));
    tenant[0].lines_from = 0;
    tenant[0].life.generation++;
    assert_true(lines_found(&house, &(struct message_head){.tenant = 1}, 0, -1));
    assert_true(told[0] == 0 && asked == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(each_has_its_turn, fresh),
                                       cmocka_unit_test_setup(a_steward_that_keeps_an_answer_back_is_another, fresh),
                                       cmocka_unit_test_setup(one_that_is_gone_is_in_nobodys_way, fresh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
