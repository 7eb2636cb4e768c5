/*
 * Aggregates over many tenants that single out none (S12): the rule, without any input or output. It is built so that nothing depends on
 * what somebody who looks at it knows already:
 *
 *   magnitude   A tenant's number of a period counts by its order of magnitude alone: under 10, 10 or more, 100 or more, ... Whoever knows
 *               the numbers of all others cannot tell two numbers of one order apart, since nothing that is published does (no tenant
 *               dominates either: each is one).
 *   threshold   A cell says that so many tenants had at least so much; it exists from `threshold` tenants on and their count is rounded
 *               down to a multiple of it. What is missing cannot be had from a total: there are no totals, and no groups beside the whole.
 *   cohort      Tenants come into the cohort in groups of at least `threshold`, and a group goes as a whole when one of its members
 *               leaves; the others wait COHORT_WAIT periods. Any sum or difference of publications within that time is one of whole
 *               groups.
 *   period      Each publication is of one whole period of fixed length, and of nothing before it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COHORT_THRESHOLD = 10 /* the least; an operator may only raise it */, COHORT_WAIT = 90 /* periods */ };

struct cohort_member {
    uint32_t tenant;
    uint32_t group; /* 0 = in none */
    uint64_t wait;  /* in no new group before this period */
};

/* What a tenant has done since the period began. */
enum cohort_wish { COHORT_UNKNOWN /* as before */, COHORT_IN /* has the function on */, COHORT_OUT /* had it off, or is gone */ };

/* The period before `period` has ended: groups that are not whole any more go, then new ones come. After cohort_end() those with a group
 * are the ones whose numbers of the ended period count; cohort_begin() adds those of the next. member and wish: count of them, in any order
 * that stays. *last_group: the greatest number given so far. */
void cohort_end(struct cohort_member *member, const enum cohort_wish *wish, size_t count, uint32_t threshold, uint64_t period);
void cohort_begin(struct cohort_member *member, const enum cohort_wish *wish, size_t count, uint32_t threshold, uint64_t period,
                  uint32_t *last_group);

struct cohort_cell {
    uint64_t at_least; /* 10, 100, ...; 0 = there is nothing to publish */
    uint32_t tenants;  /* a multiple of the threshold */
};
/* One number of each tenant of the cohort. */
struct cohort_cell cohort_cell(const uint64_t *value, size_t count, uint32_t threshold);
