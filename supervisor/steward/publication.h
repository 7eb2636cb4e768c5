/*
 * The aggregates that `cloison publish` gives out (S12): the USAGE numbers of counters.def over one whole period, by the rule of
 * policy/cohort.h. Periods are fixed stretches of Unix time. A publication is made once, when its period ends, and does not change
 * afterwards; one that was not watched from its first moment to its last, or in which the clock jumped, is not published at all.
 *
 * Who belongs to which group lies in a small file of the state directory, whose fd the supervisor passes: written twice in turn, so that a
 * crash leaves one of both. A file that cannot be read is taken as one that has forgotten who is in a group: nobody is, for COHORT_WAIT
 * periods.
 */
#pragma once

#include "steward.h"

struct publication;

struct publication *publication_new(void); /* NULL: no memory */
void publication_free(struct publication *p);

/* From now on: fd of the groups' file (taken over), the threshold (>= COHORT_THRESHOLD) and the length of a period in seconds. false with
 * errno: not such values, or no memory. */
bool publication_start(struct publication *p, int fd, uint32_t threshold, uint32_t seconds, uint64_t now_ms);

/* After each look at the counters: ends the period when it is over. */
void publication_tick(struct publication *p, struct tenants *tenants, uint64_t now_ms);

/* The last period that was published; NULL: none yet, or no memory. */
json_t *publication_json(const struct publication *p);
bool publication_ready(const struct publication *p);
