/*
 * The end of a tenant's contract (S14), step by step: notice is given; until the term the tenant is read-only and fetches all that it
 * entrusted; then, on its own word or after the term on that of two people, everything is destroyed. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    CONTRACT_TERM_DAYS = 30,      /* between the notice and a destruction without the tenant's word: at least, */
    CONTRACT_TERM_MAX_DAYS = 400, /* and at most */
};

enum contract {
    CONTRACT_CURRENT,
    CONTRACT_ENDING,  /* read-only; its data is handed back */
    CONTRACT_OVERDUE, /* the same, and the term is over; or it never enrolled, so that nothing is owed */
    CONTRACT_GONE,    /* everything is destroyed */
};

struct contract_dates {
    uint64_t end_ms;      /* Unix time at which notice was given; 0 = none */
    uint64_t term_ms;     /* Unix time: until then it may fetch its data; 0 without notice */
    uint64_t returned_ms; /* Unix time at which the tenant said that it has all of it; 0 = not */
    uint64_t gone_ms;     /* Unix time at which all was destroyed; 0 = not */
    uint64_t counted_ms;  /* how long the house had run when notice was given (plans.h) */
};

/* now_ms: the clock; counted_ms: how long the house has run. The term is over by both: a clock set forward ends none. */
enum contract contract_state(const struct contract_dates *dates, bool enrolled, uint64_t now_ms, uint64_t counted_ms);

/* The term for a notice given now; wanted_ms = 0 asks for the shortest. 0: wanted_ms is not within the bounds. */
uint64_t contract_term(uint64_t now_ms, uint64_t wanted_ms);

/* Whether dates can have come about: each after the one before it, none without it. */
bool contract_dates_fit(const struct contract_dates *dates);
