/* An act of a member of staff that takes a while: it is recorded, waits for the worker, and is answered once, whatever happens. */
#pragma once

#include "../policy/backup.h"
#include "../policy/duties.h"
#include "../policy/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct tenant;

enum {
    ERRANDS_MAX = 8,         /* of one tenant at once */
    ERRAND_REPLY_MS = 15000, /* a worker that was asked answers within this */
};

struct errand {
    enum verb verb; /* VERB_NONE = free */
    uint64_t request;
    uint64_t steward;               /* which start of the steward asked: another one is not answered */
    uint32_t uid;                   /* of the person */
    uint32_t kind;                  /* backup_...: enum backup_kind, else 0 */
    int fd;                         /* cert: the chain, -1 = none; the errand's own */
    uint64_t bytes;                 /* in it */
    bool tokens;                    /* lock: tokens, too */
    char place[PLACE_NAME_MAX + 1]; /* capsule_copy */
    bool asked;                     /* the worker was told */
    uint64_t order;                 /* when it came, to answer in order */
    uint64_t deadline;              /* ms of the clock, once asked; 0 = none: the life's own deadlines end it */
};

/* Takes one on; false: ERRANDS_MAX wait, or half as many of backups and it is another. fd is taken over on true. Call errands_move()
 * afterwards. */
bool errand_take(struct tenant *tenant, const struct errand *wanted);

/* Does for each what the tenant's state now allows, or ends it. After every change of state. */
void errands_move(struct tenant *tenant);
/* The worker's process is gone. */
void errands_worker_gone(struct tenant *tenant);
/* The oldest one of that verb and kind 0 that the worker was asked; NULL = none. Valid until the next call here. */
const struct errand *errand_asked(struct tenant *tenant, enum verb verb);
/* That one is answered; outcome->request is filled in. false: none was asked. */
bool errand_answered(struct tenant *tenant, enum verb verb, const struct answer *outcome);
/* The same of a backup's or an archive's. */
bool errand_answered_of(struct tenant *tenant, enum verb verb, enum backup_kind kind, const struct answer *outcome);
void errands_tick(struct tenant *tenant, uint64_t now);
