/*
 * Nobody is singled out of what is published (S12). Each adversary is also set on a naive publisher (sums of whoever has the function on,
 * from a threshold on), where it must succeed: otherwise it shows nothing.
 */
#include "../../policy/cohort.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { K = 10, TENANTS = 60, PERIODS = 40 /* no more than COHORT_WAIT */ };
_Static_assert((int)PERIODS <= (int)COHORT_WAIT, "the claim is for that long");

/* ---- the other publisher ---- */

static uint64_t naive(const uint64_t *value, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += value[i];
    return count >= K ? sum : 0;
}

static uint64_t random_number(void) {
    uint64_t most = 1;
    for (long digits = random() % 6; digits > 0; digits--)
        most *= 10;
    return (uint64_t)random() % (10 * most);
}

static bool same(struct cohort_cell a, struct cohort_cell b) { return a.at_least == b.at_least && a.tenants == b.tenants; }

/* ---- one who knows all others ---- */

/* The order of magnitude that is all there is to know. */
static uint64_t order(uint64_t value) {
    uint64_t order = 0;
    for (uint64_t least = 10; least <= value; least *= 10)
        order = least;
    return order;
}

/* Tries every number for the victim and keeps those that give what was published: from *low to *high. */
static void feasible(uint64_t *value, size_t count, bool naively, uint64_t *low, uint64_t *high) {
    uint64_t truth = value[0], sum = naive(value, count);
    struct cohort_cell cell = cohort_cell(value, count, K);
    *low = UINT64_MAX;
    *high = 0;
    for (value[0] = 0; value[0] < 3000; value[0]++) {
        if (naively ? naive(value, count) != sum : !same(cohort_cell(value, count, K), cell)) continue;
        if (*low == UINT64_MAX) *low = value[0];
        *high = value[0];
    }
    value[0] = truth;
}

static void who_knows_all_but_one_learns_no_number(void **state) {
    (void)state;
    uint64_t value[TENANTS], low, high;
    srandom(1);
    for (int round = 0; round < 300; round++) {
        size_t count = K + (size_t)random() % (TENANTS - K);
        for (size_t i = 0; i < count; i++)
            value[i] = random_number() % 2500;
        feasible(value, count, false, &low, &high);
        uint64_t from = order(value[0]), to = from ? 10 * from - 1 : 9;
        assert_true(low <= from && high >= (to < 2999 ? to : 2999));
        feasible(value, count, true, &low, &high);
        assert_true(low == value[0] && high == value[0]); /* the naive one gives the victim away */
    }
}

/* The same as a proof: what is published is a function of the orders alone. */
static void only_the_order_of_magnitude_counts(void **state) {
    (void)state;
    uint64_t value[TENANTS], rough[TENANTS];
    srandom(2);
    for (int round = 0; round < 2000; round++) {
        size_t count = (size_t)random() % TENANTS;
        for (size_t i = 0; i < count; i++)
            rough[i] = order(value[i] = random_number());
        assert_true(same(cohort_cell(value, count, K), cohort_cell(rough, count, K)));
    }
}

static void one_large_tenant_does_not_show(void **state) {
    (void)state;
    uint64_t value[TENANTS];
    for (size_t i = 0; i < TENANTS; i++)
        value[i] = 50;
    struct cohort_cell before = cohort_cell(value, TENANTS, K);
    for (size_t large = 0; large < K - 1; large++) {
        value[large] = UINT64_MAX;
        assert_true(same(cohort_cell(value, TENANTS, K), before));
    }
    assert_int_equal(before.at_least, 10);
    assert_int_equal(before.tenants, TENANTS);
    value[K - 1] = UINT64_MAX;
    assert_int_equal(cohort_cell(value, TENANTS, K).at_least, 10000000000000000000U);
    assert_int_equal(cohort_cell(value, K - 1, K).at_least, 0);
    memset(value, 0, sizeof value);
    assert_int_equal(cohort_cell(value, TENANTS, K).at_least, 0);
}

/* ---- one who compares publications, with tenants that come and go ---- */

struct house {
    struct cohort_member member[TENANTS];
    enum cohort_wish wish[TENANTS];
    uint32_t last_group;
    uint64_t period;
};

static void turn(struct house *h) {
    h->period++;
    cohort_end(h->member, h->wish, TENANTS, K, h->period);
    cohort_begin(h->member, h->wish, TENANTS, K, h->period, &h->last_group);
}

static size_t in_cohort(const struct house *h) {
    size_t count = 0;
    for (size_t i = 0; i < TENANTS; i++)
        count += h->member[i].group != 0;
    return count;
}

static void one_tenant_more_or_less_is_not_published(void **state) {
    (void)state;
    struct house h = {0};
    for (size_t i = 0; i < K - 1; i++)
        h.wish[i] = COHORT_IN;
    turn(&h);
    assert_int_equal(in_cohort(&h), 0);
    for (size_t i = 0; i < 2 * K; i++)
        h.wish[i] = COHORT_IN;
    turn(&h);
    assert_int_equal(in_cohort(&h), 2 * K);
    h.wish[2 * K] = COHORT_IN; /* one more: not yet */
    turn(&h);
    assert_int_equal(in_cohort(&h), 2 * K);
    h.wish[3] = COHORT_OUT; /* one less: its group goes */
    h.wish[4] = COHORT_UNKNOWN;
    turn(&h);
    assert_int_equal(in_cohort(&h), K);
    h.wish[3] = COHORT_IN;
    for (int i = 1; i < COHORT_WAIT; i++)
        turn(&h);
    assert_int_equal(in_cohort(&h), K);
    turn(&h); /* they have waited: ten, since one is not known to have it on */
    assert_int_equal(in_cohort(&h), 2 * K);
    assert_int_equal(h.member[4].group, 0);
}

static void a_higher_threshold_dissolves_smaller_groups(void **state) {
    (void)state;
    struct house h = {0};
    for (size_t i = 0; i < TENANTS; i++)
        h.wish[i] = COHORT_IN;
    turn(&h);
    assert_int_equal(in_cohort(&h), TENANTS);
    cohort_end(h.member, h.wish, TENANTS, K + 1, ++h.period);
    assert_int_equal(in_cohort(&h), 0);
}

/* ---- one who solves the system of all that was published ---- */

/* Gauss over a prime: whether the unit vector of a tenant is a combination of the rows, that is: whether that tenant's number follows even
 * from exact sums of numbers that never change. */
#define P 2147483647LL
static long long inverse(long long a) {
    long long result = 1;
    for (long long e = P - 2; e; e >>= 1, a = a * a % P)
        if (e & 1) result = result * a % P;
    return result;
}

static void subtract(long long *row, const long long *pivot, size_t column) {
    long long by = row[column];
    for (size_t c = 0; by && c < TENANTS; c++)
        row[c] = ((row[c] - by * pivot[c]) % P + P) % P;
}

static size_t reduce(long long row[PERIODS][TENANTS], size_t pivot[PERIODS]) {
    size_t rank = 0;
    for (size_t column = 0; column < TENANTS && rank < PERIODS; column++) {
        size_t r = rank;
        while (r < PERIODS && !row[r][column])
            r++;
        if (r == PERIODS) continue;
        long long keep[TENANTS], by = inverse(row[r][column]);
        memcpy(keep, row[r], sizeof keep);
        memcpy(row[r], row[rank], sizeof keep);
        for (size_t c = 0; c < TENANTS; c++)
            row[rank][c] = keep[c] * by % P;
        for (r = 0; r < PERIODS; r++)
            if (r != rank) subtract(row[r], row[rank], column);
        pivot[rank++] = column;
    }
    return rank;
}

/* How many tenants' numbers follow. */
static size_t singled_out(long long row[PERIODS][TENANTS]) {
    size_t pivot[PERIODS], rank = reduce(row, pivot), found = 0;
    for (size_t r = 0; r < rank; r++) {
        size_t others = 0;
        for (size_t c = 0; c < TENANTS; c++)
            others += c != pivot[r] && row[r][c];
        found += !others;
    }
    return found;
}

/* S12: who solves for all that was ever published learns no tenant's number */
static void the_system_of_all_publications_has_no_solution(void **state) {
    (void)state;
    static long long ours[PERIODS][TENANTS], naives[PERIODS][TENANTS];
    size_t found = 0, published = 0;
    srandom(3);
    for (int round = 0; round < 60; round++) {
        struct house h = {0};
        memset(ours, 0, sizeof ours);
        memset(naives, 0, sizeof naives);
        for (size_t p = 0; p < PERIODS; p++) {
            for (size_t i = 0; i < TENANTS; i++)
                if (random() % 40 == 0 || p == 0) h.wish[i] = (enum cohort_wish)(random() % 8 == 0 ? random() % 3 : COHORT_IN);
            turn(&h);
            for (size_t i = 0; i < TENANTS; i++) {
                ours[p][i] = h.member[i].group != 0;
                naives[p][i] = h.wish[i] == COHORT_IN;
                published += ours[p][i] != 0;
            }
        }
        assert_int_equal(singled_out(ours), 0);
        found += singled_out(naives);
    }
    assert_true(published > 60 * PERIODS); /* it is not that nothing is published */
    assert_true(found > 60);               /* and it is not that nothing can be found */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_knows_all_but_one_learns_no_number),
        cmocka_unit_test(only_the_order_of_magnitude_counts),
        cmocka_unit_test(one_large_tenant_does_not_show),
        cmocka_unit_test(one_tenant_more_or_less_is_not_published),
        cmocka_unit_test(a_higher_threshold_dissolves_smaller_groups),
        cmocka_unit_test(the_system_of_all_publications_has_no_solution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
