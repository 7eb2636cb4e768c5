/* One tenant at run time: its row of the registry, the life of its worker, and the worker's process, channel and counter page. Does what
 * lifecycle.h decides. */
#pragma once

#include "../policy/counters.h"
#include "backups.h"
#include "changes.h"
#include "copies.h"
#include "errand.h"
#include "lifecycle.h"
#include "link.h"
#include "process.h"
#include "registry.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct supervisor;

enum { TENANT_RULES = 32 /* rows of monitor.c's table for workers, at most */ };

struct tenant {
    struct supervisor *house;
    const struct registry_tenant *entry; /* the registry's own; changes only through registry_update() */
    struct life life;
    struct process process;
    struct link *link; /* NULL = no worker, or one that is to be heard no more */
    int counters;      /* fd of its page, -1 = none */
    struct counter_page *page;
    int cgroup;                  /* fd of its directory, -1 = none */
    struct message_ready report; /* of the running worker; zero before it is ready */
    uint8_t cgroup_limits;       /* enum layer_state of the running worker */
    uint64_t memory_bytes;       /* memory.current when it was sampled last */
    uint64_t quota_bytes;        /* of the store when the worker started: its files may grow to twice that */
    uint64_t since_ms;           /* Unix time of the present state */
    uint64_t lost_at;            /* ms of the clock: it closed its channel; 0 = not */
    int32_t last_exit;           /* exit status, or -signal */
    enum no_worker_reason told;  /* to the router; 0 = it has a worker */
    bool renewed;                /* its hand-over socket, after the router had lost it */
    enum lock locking;           /* what the coming drain ends */
    int plain;                   /* fd of web/NAME.sock, -1 = not open */
    bool save_enrolled;          /* what the worker said and the registry could not keep yet */
    int save_plain;              /* the same: 0 or 1; -1 = nothing */
    int64_t save_references;     /* the same: bit set of enum reference; -1 = nothing */
    bool save_bound;             /* the same: `bound` */
    struct region_bound bound;
    uint64_t save_chain_ms;        /* the same: Unix time; 0 = nothing */
    uint32_t save_lines;           /* of the ledger, bits of wishes.c: not written yet */
    uint64_t save_at;              /* ms of the clock: not tried again before */
    uint32_t said[TENANT_RULES];   /* messages of each kind in this minute */
    uint64_t said_at;              /* ms of the clock: the minute's begin */
    uint64_t lines_from;           /* its worker waits for its own lines of the ledger from that one on; 0 = not; */
    uint64_t lines_to;             /* and to the one with that COUNT; 0 = to the newest */
    struct copy copy[COPIES_MAX];  /* of its capsule, as entry->place */
    uint64_t capsule_taken_at;     /* ms of the clock: then the worker may hand its capsule up again; 0 = it may */
    uint8_t program[PROGRAM_HASH]; /* SHA-256 of the file that the worker was started from */
    uint64_t reset_again;          /* ms of the clock: the next step of a reset is not tried before */
    pid_t emptier;                 /* the child that empties its directory; 0 = none */
    bool emptied;                  /* it has done so */
    struct backups backups;
    struct changes changes;      /* that its worker caused: decisions, */
    struct events events;        /* and what happened */
    uint64_t leaving_word;       /* what it said of its leaving and was not kept, */
    uint64_t leaving_at;         /* ms of the clock: taken up again; 0 = nothing */
    enum contract told_contract; /* to the steward */
    bool told_end;               /* and all that a certificate needs */
    bool told_emptied;           /* and the ledger says so, once */
    struct errand errand[ERRANDS_MAX];
    bool queued; /* waits for room */
    TAILQ_ENTRY(tenant) queue;
};

struct tenant *tenant_new(struct supervisor *house, const struct registry_tenant *entry);

/* One event of its life; does what follows from it. */
void tenant_event(struct tenant *tenant, enum life_event event);
/* The worker lied or lacks something: the log says why, the worker ends, the others feel nothing (S4). */
void tenant_fail(struct tenant *tenant, const char *why);

/* Makes its directory, or finds it as it must be: its own, closed to others. false with errno. */
bool tenant_make_directory(const struct tenant *tenant);

/* Starts the child that empties its directory; *pid is its. false with errno. */
bool tenant_empty_directory(const struct tenant *tenant, pid_t *pid);

/* READY arrived from that pid. */
void tenant_ready(struct tenant *tenant, pid_t pid, const struct message_ready *report);
/* Gives worker and router the two ends of a new hand-over socket. */
void tenant_hand_over(struct tenant *tenant);
/* The router closed its end, because the worker did or lied there: a new one, once; then the worker is ended. */
void tenant_lost_hand_over(struct tenant *tenant);
/* A child with that uid has ended; status: of its exit, or -signal. true: it was this worker's. */
bool tenant_child(struct tenant *tenant, pid_t pid, uid_t uid, int status);

/* To its worker; nothing happens when there is none. fd: -1 or the caller's. */
void tenant_say(struct tenant *tenant, uint32_t type, uint64_t value, int fd);
/* The row of the registry changed: the worker is told, too. */
void tenant_profile_changed(struct tenant *tenant);

/* Its chain of the ledger has grown by what its worker must hear of at once (S11): nothing happens when there is none. */
void tenant_ledger_changed(struct tenant *tenant);

/* Opens or closes web/NAME.sock as the registry says and tells the router. */
void tenant_open_plain(struct tenant *tenant);
/* Its group is the configuration's again. */
void tenant_allow_plain(struct tenant *tenant);

/* Ms without traffic of users: requests with a credential. 0 = there is some, or connections that may be about to, or no worker. */
uint64_t tenant_idle(const struct tenant *tenant, uint64_t now);

void tenant_tick(struct tenant *tenant, uint64_t now);
/* Reads what is only sampled; tells the steward when it changed. */
void tenant_sample(struct tenant *tenant);
