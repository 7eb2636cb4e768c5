/* Permits for password KDFs: never more at once than slots, round robin among tenants, nothing leaks when a worker dies. */
#include "../../supervisor/permits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void takes_turns(void **state) {
    (void)state;
    struct permits *p = permits_new(1);
    for (int i = 0; i < 3; i++)
        assert_true(permits_want(p, 7));
    assert_true(permits_want(p, 8));
    const uint32_t turns[] = {7, 8, 7, 7};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(permits_next(p, 0), turns[i]);
        assert_int_equal(permits_next(p, 0), 0);
        assert_true(permits_done(p, turns[i]));
    }
    assert_int_equal(permits_next(p, 0), 0);
    permits_free(p);
}

static void nobody_gives_back_what_it_does_not_have(void **state) {
    (void)state;
    struct permits *p = permits_new(2);
    assert_false(permits_done(p, 7));
    assert_true(permits_want(p, 7));
    assert_false(permits_done(p, 7));
    assert_int_equal(permits_next(p, 0), 7);
    assert_false(permits_done(p, 8));
    assert_true(permits_done(p, 7));
    assert_false(permits_done(p, 7));
    permits_free(p);
}

static void a_dead_worker_frees_all_of_its_own(void **state) {
    (void)state;
    struct permits *p = permits_new(2);
    for (int i = 0; i < 5; i++)
        assert_true(permits_want(p, 7));
    assert_true(permits_want(p, 8));
    assert_int_equal(permits_next(p, 0), 7);
    assert_int_equal(permits_next(p, 0), 8);
    permits_forget(p, 7);
    assert_int_equal(permits_next(p, 0), 0);
    assert_true(permits_want(p, 9));
    assert_int_equal(permits_next(p, 0), 9);
    permits_forget(p, 12345);
    permits_free(p);
}

static void one_tenant_cannot_queue_without_end(void **state) {
    (void)state;
    struct permits *p = permits_new(1);
    for (int i = 0; i < PERMITS_PER_TENANT; i++)
        assert_true(permits_want(p, 7));
    assert_false(permits_want(p, 7));
    assert_true(permits_want(p, 8));
    permits_free(p);
}

static void one_tenant_holds_one_at_a_time(void **state) {
    (void)state;
    struct permits *p = permits_new(4);
    assert_true(permits_want(p, 7) && permits_want(p, 7));
    assert_int_equal(permits_next(p, 0), 7);
    assert_int_equal(permits_next(p, 0), 0);
    assert_true(permits_want(p, 7) && permits_want(p, 8));
    assert_int_equal(permits_next(p, 0), 8);
    assert_int_equal(permits_next(p, 0), 0);
    assert_true(permits_done(p, 7));
    assert_int_equal(permits_next(p, 0), 7);
    permits_free(p);
}

static void who_keeps_one_is_found(void **state) {
    (void)state;
    struct permits *p = permits_new(2);
    assert_true(permits_want(p, 7) && permits_want(p, 8) && permits_want(p, 9));
    assert_int_equal(permits_next(p, 1000), 7);
    assert_int_equal(permits_next(p, 2000), 8);
    assert_int_equal(permits_overdue(p, 999 + PERMIT_MS), 0);
    assert_int_equal(permits_overdue(p, 1000 + PERMIT_MS), 7);
    permits_forget(p, 7);
    assert_int_equal(permits_overdue(p, 1000 + PERMIT_MS), 0);
    assert_int_equal(permits_next(p, 1000 + PERMIT_MS), 9);
    assert_true(permits_done(p, 8)); /* just in time */
    assert_int_equal(permits_overdue(p, 2000 + PERMIT_MS), 0);
    assert_false(permits_done(p, 7)); /* too late */
    permits_free(p);
}

static void random_use_keeps_the_bound(void **state) {
    (void)state;
    enum { SLOTS = 3, TENANTS = 10 };
    struct permits *p = permits_new(SLOTS);
    uint32_t held[TENANTS + 1] = {0}, used = 0;
    uint64_t random = 7;
    for (int i = 0; i < 200000; i++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t t = 1 + (uint32_t)(random >> 40) % TENANTS, next;
        switch ((random >> 33) % 8) {
        case 0:
            permits_forget(p, t);
            used -= held[t];
            held[t] = 0;
            break;
        case 1:
        case 2:
        case 3:
            assert_int_equal(permits_done(p, t), held[t] > 0);
            if (held[t]) held[t]--, used--;
            break;
        default:
            permits_want(p, t);
        }
        while ((next = permits_next(p, 0)))
            assert_int_equal(++held[next], 1), used++;
        assert_true(used <= SLOTS);
    }
    permits_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_turns),
        cmocka_unit_test(nobody_gives_back_what_it_does_not_have),
        cmocka_unit_test(a_dead_worker_frees_all_of_its_own),
        cmocka_unit_test(one_tenant_cannot_queue_without_end),
        cmocka_unit_test(one_tenant_holds_one_at_a_time),
        cmocka_unit_test(who_keeps_one_is_found),
        cmocka_unit_test(random_use_keeps_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
