/*
 * A tenant's backups and archives as the supervisor sees them (C7, C8, C9): when one is due, who does it, what came of it. It holds plans
 * and numbers; the snapshot goes from the worker to the courier through a pipe that the supervisor makes and lets go of.
 *
 * One job a tenant at a time, one snapshot in the house; tenants take turns, so that no worker and no destination keeps anybody from its
 * own. A tenant that is stopped is started for its snapshot, and stays sealed; one that is suspended waits.
 */
#pragma once

#include "../policy/duties.h"
#include "../policy/messages.h"
#include "planning.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervisor;
struct tenant;

enum {
    BACKUP_AGAIN_MS = 10000, /* after a failure; then twice that, up to */
    BACKUP_AGAIN_MOST_MS = 3600000,
    ARCHIVE_CHECK_MS = 7 * 86400000, /* between two checks of an archive without its key */
    TAKE_ENDS_MS = 3600000 + 120000, /* a courier that has not ended a snapshot by then is ended, */
    JOB_ENDS_MS = 86400000           /* nor any other job: what it sent is not sent again */
};

/* Of one kind. Times are ms of the clock but where said. */
struct backup {
    bool wanted;       /* now, whatever the plan says */
    uint32_t asked;    /* errands that wait for the next snapshot, */
    uint32_t served;   /* and for the one that is under way */
    bool owed;         /* one that was tried did not come about: it is tried again */
    bool unsent;       /* something is in the spool only */
    bool check;        /* a check is wanted */
    bool adopted;      /* the spool has a catalogue: a snapshot needs no destination */
    bool waits;        /* for its turn to be taken */
    bool listed;       /* the worker has been told what there is */
    bool list;         /* staff asks what there is */
    uint32_t failures; /* in a row */
    uint64_t again_at; /* not tried before */
    uint64_t check_at; /* the next check; 0 = not set yet */
    enum backup_result result, checked;
    uint64_t tried_ms, checked_ms; /* Unix time; 0 = not since the start */
    struct plan_word word;
};

struct backups {
    struct backup kind[BACKUP_KINDS];
    uint64_t job; /* the courier's; 0 = none */
    uint32_t task, kind_now;
    uint64_t now_ms;  /* of the job: Unix time, as a snapshot must say that it was taken; */
    uint64_t ends_at; /* ms of the clock: it is over, or the courier is */
    enum verb verb;   /* GIVE: VERB_backup_restore or VERB_backup_drill */
    bool given;       /* GIVE: the courier is done with it, with this outcome */
    struct message_outcome outcome;
    pid_t loader, sweeper; /* GIVE: the child that writes the file; the one that empties a drill's folder */
    int loaded;            /* its status */
};

void backups_tick(struct tenant *tenant, uint64_t now);
/* After all of them: the snapshot of the next one that waits is taken. */
void backups_turn(struct supervisor *house);
/* Its worker is ready: it is told the destinations, its plans and what there is. */
void backups_ready(struct tenant *tenant);
/* Its worker says: an administrator made, changed or ended a plan; a user wants a snapshot now. */
void backups_plan(struct tenant *tenant, uint64_t packed);
void backups_asked(struct tenant *tenant, enum backup_kind kind);

/* What the courier says. rows: borrowed, -1 = none. false: nobody asked for it, or it cannot be true. */
bool backups_outcome(struct tenant *tenant, const struct message_outcome *outcome, int rows);
/* There is another courier: what the one before had taken on is lost. */
void backups_lost(struct supervisor *house);
/* A child has ended; true: it was the loader, or what empties a drill's folder. */
bool backups_child(struct tenant *tenant, pid_t pid, int status);

enum backup_kind backups_kind(const struct message_act *said);
/* The staff's verbs. false: not now, or there is nothing of that kind (ACT_WRONG_STATE). */
bool backups_may(const struct tenant *tenant, const struct message_act *said);
/* The errand is taken on already; its answer follows. */
void backups_act(struct tenant *tenant, enum verb verb, const struct message_act *said);

/* Everything of the tenant goes: what its plans left elsewhere is told in the ledger, and erased as soon as it may be (S14). false with
 * errno: a line of it may be missing. */
bool backups_leave(const struct tenant *tenant);

/* The configuration has other destinations: workers are told. */
void backups_offer(struct tenant *tenant);
/* Unix time of the newest backup that is known; 0 = none. */
uint64_t backups_last(const struct tenant *tenant);
