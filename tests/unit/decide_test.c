/* Whether a verb is done: every verb, at every set of duties, against every combination of what may be missing. What it should be is worked
 * out here from the rows of needs.def alone, one precondition after the other; a verb without a row is nobody's (C1, C3, C5, C6, S1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../../policy/decide.h"
#include <cmocka.h>

static const enum mode modes[] = {MODE_SHARED, MODE_DEDICATED, MODE_ON_PREMISE};

/* Nothing is implied: a verb is refused until somebody has said what it needs. */
static void every_verb_has_a_row(void **state) {
    (void)state;
    for (int v = VERB_NONE + 1; v < VERB_COUNT; v++) {
        if (needs_table[v].row != (verb_table[v].duties != 0)) fail_msg("%s: needs.def", verb_table[v].name);
        if (!needs_table[v].row) continue;
        assert_int_not_equal(needs_table[v].modes, 0);
        assert_true(needs_table[v].tenant || needs_table[v].state == STATE_ANY);
    }
}

/* The acts of people are under an undertaking, but for the signature itself; only what reads numbers is not. */
static void what_is_done_unsigned(void **state) {
    (void)state;
    static const enum verb unsigned_too[] = {VERB_status, VERB_undertaking_show, VERB_undertaking_sign, VERB_undertaking_end};
    for (int v = VERB_NONE + 1; v < VERB_COUNT; v++) {
        bool listed = false;
        for (size_t i = 0; i < sizeof unsigned_too / sizeof *unsigned_too; i++)
            listed = listed || unsigned_too[i] == (enum verb)v;
        if (needs_table[v].row && needs_table[v].undertaking == listed) fail_msg("%s", verb_table[v].name);
    }
}

/* The first thing that is missing is the answer. */
static enum act_result expected_of_person(enum verb v, const struct decide_person *p) {
    if (v == VERB_NONE || !(verb_table[v].duties & p->duties)) return ACT_REFUSED;
    if ((needs_table[v].modes & p->mode) == 0) return ACT_MODE;
    if (verb_table[v].recorded && p->clock_behind) return ACT_CLOCK;
    if (needs_table[v].undertaking && p->undertaking != UNDERTAKING_IN_FORCE) return ACT_UNDERTAKING;
    return ACT_DONE;
}

/* S1: every verb against every undertaking that is missing, over or of another text */
static void every_person(void **state) {
    (void)state;
    unsigned long tried = 0, done = 0;
    for (int v = VERB_NONE; v < VERB_COUNT; v++)
        for (uint32_t duties = 0; duties <= DUTY_ALL; duties++)
            for (size_t m = 0; m < 3; m++)
                for (int u = 0; u < UNDERTAKING_STATES; u++)
                    for (int behind = 0; behind < 2; behind++) {
                        const struct decide_person p = {duties, modes[m], behind, (enum undertaking_state)u};
                        enum act_result result = decide_person((enum verb)v, &p);
                        if (result != expected_of_person((enum verb)v, &p))
                            fail_msg("%s: duties %x, mode %d, undertaking %d, behind %d: %d", verb_table[v].name, duties, modes[m], u,
                                     behind, result);
                        tried++;
                        done += result == ACT_DONE;
                    }
    assert_true(done > 0 && done < tried / 2);
    const struct decide_person all = {DUTY_ALL, MODE_SHARED, false, UNDERTAKING_IN_FORCE};
    assert_int_equal(decide_person(VERB_COUNT, &all), ACT_REFUSED);
}

/* Exactly the states a word names, written down a second time. */
static bool is_state(enum needs_state s, const struct decide_tenant *t) {
    const bool rows[] = {
        [STATE_ANY] = true,
        [STATE_RUNNABLE] = !t->suspended,
        [STATE_SUSPENDED] = t->suspended,
        [STATE_NOT_ENROLLED] = !t->enrolled,
        [STATE_KEYED] = t->enrolled && !t->suspended,
        [STATE_LISTED] = t->listed,
        [STATE_CURRENT] = t->contract == CONTRACT_CURRENT,
        [STATE_ENDING] = t->contract == CONTRACT_ENDING || t->contract == CONTRACT_OVERDUE,
        [STATE_OVERDUE] = t->contract == CONTRACT_OVERDUE,
        [STATE_GONE] = t->contract == CONTRACT_GONE,
    };
    assert_true((size_t)s < sizeof rows / sizeof *rows);
    return rows[s];
}

static void every_tenant(void **state) {
    (void)state;
    for (int v = VERB_NONE + 1; v < VERB_COUNT; v++)
        for (unsigned bits = 0; bits < 256; bits++) {
            const struct decide_tenant t = {bits & 1, bits & 2, bits & 4, bits & 8, bits & 16, bits & 32, (enum contract)(bits >> 6)};
            const struct needs *n = &needs_table[v];
            enum act_result expected = ACT_DONE;
            if (n->tenant && n->is_new)
                expected = t.exists ? ACT_EXISTS : ACT_DONE;
            else if (n->tenant && !t.exists)
                expected = ACT_NO_TENANT;
            else if (n->tenant &&
                     (t.emptying || t.leaving || (t.contract == CONTRACT_GONE && n->state != STATE_GONE) || !is_state(n->state, &t)))
                expected = ACT_WRONG_STATE;
            if (decide_tenant((enum verb)v, &t) != expected) fail_msg("%s: %x", verb_table[v].name, bits);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_a_row),
        cmocka_unit_test(what_is_done_unsigned),
        cmocka_unit_test(every_person),
        cmocka_unit_test(every_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
