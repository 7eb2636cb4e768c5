/*
 * What the processes agree on about backups and archives (C7, C8, C9): plans as one number each, since a worker says nothing but numbers,
 * and the outcomes of what the courier does. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BACKUP_HASH = 32 /* SHA-256 */ };
enum backup_kind { BACKUP_COPY, BACKUP_ARCHIVE, BACKUP_KINDS };

/* A tenant's plan. Its other fields (how it is protected, why, by which mechanism, how it is erased) are the same for all plans of a kind:
 * the worker shows them. */
struct plan {
    uint32_t kind;           /* enum backup_kind */
    uint32_t destination;    /* index into the operator's list, < 256 */
    uint32_t period_minutes; /* between two snapshots, PLAN_PERIOD_MIN..PLAN_PERIOD_MAX; 0 = there is no plan */
    uint32_t keep_hours;     /* PLAN_KEEP_MIN..PLAN_KEEP_MAX */
    uint32_t paused;         /* 1: no snapshots, since the tenant switched the function off; what is kept stays as long as planned */
};
enum {
    PLAN_PERIOD_MIN = 1,             /* minutes */
    PLAN_PERIOD_MAX = 366 * 24 * 60, /* minutes: a year */
    PLAN_KEEP_MIN = 1,               /* hours */
    PLAN_KEEP_MAX = 100 * 366 * 24,  /* hours: a century */
};

uint64_t plan_pack(const struct plan *plan);
/* false: no plan, in a field that must be 0 or is out of its range. */
bool plan_unpack(uint64_t number, struct plan *plan);

enum backup_result {
#define RESULT(NAME, WORD, MEANING) BACKUP_##NAME,
#include "backup_results.def"
#undef RESULT
    BACKUP_RESULTS
};
/* The word of a result as the ledger, the CLI and the web API have it; and what it means, for people. */
const char *backup_result_word(enum backup_result result);
const char *backup_result_meaning(enum backup_result result);
