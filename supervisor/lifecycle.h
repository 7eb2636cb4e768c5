/* The life of one tenant's worker as states x events, pure: the clock is passed in, nothing is done here. It decides whether; tenant.h
 * does. */
#pragma once

#include "../policy/messages.h"

#include <stdbool.h>
#include <stdint.h>

enum life_state {
    LIFE_STOPPED,   /* no process; a connection may start one */
    LIFE_WAITING,   /* wanted, waits for room under max_workers */
    LIFE_STARTING,  /* a process, not ready yet */
    LIFE_SEALED,    /* ready, no credential presented yet */
    LIFE_SERVING,   /* ready and unsealed */
    LIFE_DRAINING,  /* asked to finish */
    LIFE_KILLED,    /* SIGKILL sent, the process is not gone yet */
    LIFE_THROTTLED, /* crashed, backs off */
    LIFE_SUSPENDED, /* kept stopped by staff */
    LIFE_STATES
};

enum life_event {
    LIFE_WANT,         /* a connection waits for it */
    LIFE_ORDER,        /* a member of staff wants it running: does not wait for a back-off to end */
    LIFE_ROOM,         /* its turn under max_workers has come */
    LIFE_READY,        /* the worker says so and its walls were checked */
    LIFE_SAYS_SEALED,  /* the worker reports its state */
    LIFE_SAYS_SERVING, /* */
    LIFE_STOP,         /* staff, idle or eviction */
    LIFE_SUSPEND,
    LIFE_RESUME,
    LIFE_FAIL, /* could not be spawned, lied, or misses a wall */
    LIFE_EXIT, /* the process is gone */
    LIFE_TIME, /* life_deadline() has passed */
    LIFE_EVENTS
};

enum life_action {
    LIFE_DO_NOTHING,
    LIFE_DO_QUEUE,   /* ask for room; LIFE_ROOM when it is there */
    LIFE_DO_UNQUEUE, /* no longer asks */
    LIFE_DO_SPAWN,   /* generation is the new worker's; LIFE_FAIL when it cannot be */
    LIFE_DO_SERVE,   /* give it its hand-over socket */
    LIFE_DO_DRAIN,
    LIFE_DO_KILL,
    LIFE_DO_REFUSE, /* a wish that this state does not grant: tell who asked */
};

struct life {
    enum life_state state;
    bool suspended;      /* staff's wish; the registry keeps it */
    bool wanted;         /* start again once the present process or back-off is over */
    bool crashed;        /* LIFE_KILLED: because of a crash */
    uint32_t failures;   /* crashes in a row */
    uint64_t generation; /* of the present or last worker; 0 = none yet */
    uint64_t deadline;   /* ms of the clock; 0 = none */
    uint64_t ready_at;   /* ms of the clock; 0 = the worker never was */
    uint64_t starts;     /* spawned */
    uint64_t crashes;    /* ended without having been asked to, or failed to start */
};

enum { LIFE_WELL_MS = 60000 }; /* a worker that ran this long has no history */

/* A life that rests: LIFE_STOPPED or LIFE_SUSPENDED. generation: the last one ever used, so that numbers never come again. */
void life_begin(struct life *life, bool suspended, uint64_t generation);

/* One event at now (ms, monotonic): moves the life on and returns what is to be done. Every event is allowed in every state. */
enum life_action life_step(struct life *life, enum life_event event, uint64_t now);

/* Whether a process of it exists. */
bool life_alive(const struct life *life);
/* Whether it takes connections. */
bool life_ready(const struct life *life);

/* As shown to staff, and as told to the router (0 while it is ready). */
enum tenant_state life_shown(const struct life *life);
enum no_worker_reason life_reason(const struct life *life);
const char *life_state_name(enum life_state state);

/* The back-off after `failures` in a row (>= 1): first, doubling, never over last. Any unit. */
uint64_t backoff(uint32_t failures, uint64_t first, uint64_t last);
