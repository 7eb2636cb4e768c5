/*
 * What a tenant's administrator says of its plans, on its way to being kept (C9). A word that cannot be written down now, or that comes
 * after too many others, is held and taken up again by itself; only the last one of a kind counts. So neither a full disk loses a plan, nor
 * does a worker that changes it for ever (changes.h) fill the ledger or make the supervisor write without end.
 */
#pragma once

#include "../policy/backup.h"

#include <stdbool.h>
#include <stdint.h>

struct tenant;

enum { PLAN_WRITE_MS = 10000 /* between two tries to write a plan down */ };

/* The last word about the plan of one kind. */
struct plan_word {
    bool held;         /* it is not written yet */
    bool failed;       /* since that did not work: the ledger says so, once */
    uint64_t packed;   /* plan_pack() */
    uint64_t again_at; /* ms of the clock: not tried before */
};

/* The worker says it. */
void planning_heard(struct tenant *tenant, const struct plan *plan, uint64_t now);
/* Writes down what is held and may be. true: something was, or it turned out to say nothing new. */
bool planning_settle(struct tenant *tenant, enum backup_kind kind, uint64_t now);
