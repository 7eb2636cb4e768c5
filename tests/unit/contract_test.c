/* The end of a contract (S14): its states and its terms. */
#include "../../policy/contract.h"

#include "../../policy/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DAY ((uint64_t)86400000)
#define NOW ((uint64_t)1800000000000)

static void states_follow_one_another(void **state) {
    (void)state;
    struct contract_dates d = {0};
    assert_int_equal(contract_state(&d, true, NOW, UINT64_MAX), CONTRACT_CURRENT);
    assert_int_equal(contract_state(&d, false, UINT64_MAX, UINT64_MAX), CONTRACT_CURRENT);
    d.end_ms = NOW, d.term_ms = NOW + 30 * DAY;
    assert_int_equal(contract_state(&d, true, NOW, UINT64_MAX), CONTRACT_ENDING);
    assert_int_equal(contract_state(&d, true, d.term_ms - 1, UINT64_MAX), CONTRACT_ENDING);
    assert_int_equal(contract_state(&d, true, d.term_ms, UINT64_MAX), CONTRACT_OVERDUE);
    assert_int_equal(contract_state(&d, false, NOW, UINT64_MAX), CONTRACT_OVERDUE); /* nothing is owed to who never came */
    d.returned_ms = NOW + DAY;
    assert_int_equal(contract_state(&d, true, NOW + 2 * DAY, UINT64_MAX), CONTRACT_ENDING); /* to have it is not to want it destroyed */
    d.gone_ms = NOW + 2 * DAY;
    assert_int_equal(contract_state(&d, true, NOW, UINT64_MAX), CONTRACT_GONE); /* whatever the clock says */
}

/* S14: no clock that is set ends a term, nor one that was wrong when it began */
static void a_term_takes_its_time(void **state) {
    (void)state;
    const struct contract_dates d = {.end_ms = NOW, .term_ms = NOW + 30 * DAY, .counted_ms = 5000};
    assert_int_equal(contract_state(&d, true, NOW + 3650 * DAY, 5000), CONTRACT_ENDING);
    assert_int_equal(contract_state(&d, true, NOW + 3650 * DAY, 4000), CONTRACT_ENDING); /* a crash lost some of the count */
    assert_int_equal(contract_state(&d, true, NOW + 3650 * DAY, 5000 + 30 * DAY - 1), CONTRACT_ENDING);
    assert_int_equal(contract_state(&d, true, NOW + 30 * DAY - 1, 5000 + 60 * DAY), CONTRACT_ENDING);
    assert_int_equal(contract_state(&d, true, NOW + 30 * DAY, 5000 + 30 * DAY), CONTRACT_OVERDUE);
}

static void terms_have_bounds(void **state) {
    (void)state;
    assert_true(contract_term(NOW, 0) == NOW + 30 * DAY);
    assert_true(contract_term(NOW, NOW + 30 * DAY) == NOW + 30 * DAY);
    assert_true(contract_term(NOW, NOW + 400 * DAY) == NOW + 400 * DAY);
    assert_true(contract_term(NOW, NOW + 30 * DAY - 1) == 0);
    assert_true(contract_term(NOW, NOW + 400 * DAY + 1) == 0);
    assert_true(contract_term(NOW, 1) == 0);
}

static void dates_that_cannot_be(void **state) {
    (void)state;
    static const struct contract_dates bad[] = {
        {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {5, 5, 0, 0}, {5, 4, 0, 0}, {5, 9, 4, 0}, {5, 9, 0, 4},
    };
    static const struct contract_dates good[] = {{0}, {5, 9, 0, 0}, {5, 9, 5, 0}, {5, 9, 0, 7}, {5, 9, 8, 12}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(contract_dates_fit(&bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(contract_dates_fit(&good[i]));
}

/* Nothing is done to a tenant that is gone but to certify it, and that to no other. */
static void nothing_is_done_to_what_is_gone(void **state) {
    (void)state;
    for (int v = VERB_NONE + 1; v < VERB_COUNT; v++) {
        const struct needs *n = &needs_table[v];
        if (!n->row || !n->tenant || n->is_new) continue;
        struct decide_tenant gone = {
            .exists = true, .enrolled = true, .suspended = n->state == STATE_SUSPENDED, .listed = true, .contract = CONTRACT_GONE};
        assert_int_equal(decide_tenant((enum verb)v, &gone), v == VERB_certificate ? ACT_DONE : ACT_WRONG_STATE);
    }
}

static void destruction_waits_for_the_term(void **state) {
    (void)state;
    for (int c = CONTRACT_CURRENT; c <= CONTRACT_GONE; c++) {
        struct decide_tenant t = {.exists = true, .enrolled = true, .contract = (enum contract)c};
        assert_int_equal(decide_tenant(VERB_destroy, &t), c == CONTRACT_OVERDUE ? ACT_DONE : ACT_WRONG_STATE);
        assert_int_equal(decide_tenant(VERB_contract_end, &t), c == CONTRACT_CURRENT ? ACT_DONE : ACT_WRONG_STATE);
        bool ending = c == CONTRACT_ENDING || c == CONTRACT_OVERDUE;
        assert_int_equal(decide_tenant(VERB_contract_resume, &t), ending ? ACT_DONE : ACT_WRONG_STATE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_one_another),
        cmocka_unit_test(a_term_takes_its_time),
        cmocka_unit_test(terms_have_bounds),
        cmocka_unit_test(dates_that_cannot_be),
        cmocka_unit_test(nothing_is_done_to_what_is_gone),
        cmocka_unit_test(destruction_waits_for_the_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
