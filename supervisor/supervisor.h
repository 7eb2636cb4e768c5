/* Everything the supervisor holds, in one struct; there is one, made by main.c. It stays small on purpose: it parses no network byte, opens
 * no tenant's store, holds no tenant's key (H1, H2), and acts only on values of its own tables. */
#pragma once

#include "../policy/person.h"
#include "anchors.h"
#include "cgroup.h"
#include "config.h"
#include "ledger.h"
#include "listener.h"
#include "notices.h"
#include "registry.h"
#include "sealed_file.h"
#include "service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct event_base;
struct permits;
struct plans;
struct tenant;
struct undertakings;
struct requests;

enum { TICK_MS = 250 /* how finely deadlines are kept; nothing that is ready waits for it */ };

struct supervisor {
    struct event_base *base;
    const char *config_path;
    struct config config;
    struct registry *registry;
    struct ledger *ledger;
    uint64_t ledger_files; /* as the steward was told of them: ledger_files() */
    struct undertakings *undertakings;
    struct notices *notices;
    struct plans *plans;
    uint32_t taking, taking_last; /* the tenant whose snapshot is on its way to the spool, 0 = none; and whose was last */
    struct requests *requests;
    struct anchors anchors;
    uint32_t lines_out, lines_last; /* the tenant whose lines the steward looks for, 0 = none; and whose it looked for last */
    uint64_t lines_until;           /* ms of the clock: it answers by then */
    struct cgroup cgroup;
    struct permits *permits;
    struct listeners listeners;
    struct { /* whom the steward showed last: of the one act that comes next */
        bool shown;
        struct person is;
    } person;
    int status_socket, control_socket;
    struct sealed_file zones, support; /* the table of zones; the support's certificate */
    int groups, traces;                /* the steward's files: who is published with whom; messages to the support */
    struct service router, steward;
    struct service courier; /* runs only where config_has_courier() */
    struct tenant **tenant; /* as many as the registry has, in the order of their numbers */
    size_t tenant_count;
    TAILQ_HEAD(room_queue, tenant) queue; /* wait for room under max_workers, first come, first served */
    bool rooming;                         /* room_run() is at it */
    uint32_t evictions;
    uint64_t started_ms;            /* Unix time */
    uint64_t sampled_at;            /* ms of the clock */
    uint64_t posture_at;            /* ms of the clock */
    uint64_t letters_at;            /* ms of the clock: when letters were looked for last */
    bool posture_stale;             /* figures that the steward shows have changed since tell_posture() */
    uint8_t layer[64];              /* of the machine and of this process */
    uint64_t capabilities;          /* of this process, in any set */
    struct message_program program; /* of this process */
    bool announced;                 /* READY=1 was said */
    uint64_t leave_at;              /* ms of the clock at which what still runs is killed; 0 = we stay */
};

/* NULL when the registry has none of that number. */
struct tenant *supervisor_tenant(const struct supervisor *house, uint32_t number);

/* A tenant of the registry that is not in house->tenant yet; its number is the greatest so far. NULL: no memory. */
struct tenant *supervisor_take(struct supervisor *house, const struct registry_tenant *entry);
/* Takes one out again that never ran. */
void supervisor_drop(struct supervisor *house, uint32_t number);

/* Whom a ledger line is about. */
struct ledger_tenant supervisor_about(const struct registry_tenant *entry);

/* The operator's files for other processes, as the configuration names them; those open before are closed. NULL, or with errno which of
 * them cannot be taken, and nothing has changed. */
const char *supervisor_open_files(struct supervisor *house, const struct config *config);

/* SIGCHLD: every child that has ended is told to whom it belongs, then reaped. */
void supervisor_children(struct supervisor *house);
/* Every TICK_MS: deadlines, samples, and the end when we leave and everybody is gone. */
void supervisor_tick(struct supervisor *house);
/* SIGHUP: the file is taken whole or, with a line in the log, not at all. */
void supervisor_reload(struct supervisor *house);
/* SIGTERM: no new connection, every worker drains, then the loop ends. */
void supervisor_leave(struct supervisor *house);
