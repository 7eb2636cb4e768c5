/* The router, the steward and the courier: started first, started again with a back-off when they die, and told everything anew (tell.h).
 * Connections that were handed over live in the workers and do not notice. */
#pragma once

#include "../policy/messages.h"
#include "link.h"
#include "process.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

enum { SERVICE_STARTING = 1, SERVICE_READY = 2 }; /* bits, for monitor.c's table */

struct service_kind {
    const char *name; /* of the binary */
    enum program program;
    const struct link_handler *handler;
    void (*tell_all)(struct supervisor *); /* what a new one must know */
};

struct service {
    const struct service_kind *kind;
    struct supervisor *house;
    uid_t uid;
    gid_t gid;
    struct process process;
    struct link *link; /* NULL while it is not there: what is sent then is dropped, tell_all says it again */
    uint32_t state;
    bool stopped;        /* on purpose: not started again */
    uint32_t failures;   /* deaths in a row */
    uint64_t started_at; /* ms of the clock */
    uint64_t retry_at;   /* ms of the clock; 0 = it runs */
    uint64_t lost_at;    /* ms of the clock: it closed the channel; 0 = not */
    uint64_t starts;
    struct message_program program; /* of the one that runs or ran last */
};

void service_begin(struct service *service, const struct service_kind *kind, struct supervisor *house, uid_t uid, gid_t gid);
void service_start(struct service *service);
/* READY arrived from that pid. */
void service_ready(struct service *service, pid_t pid, const struct message_ready *report);
/* Ends it; it comes again after its back-off. why: for the log. */
void service_fail(struct service *service, const char *why);
/* Ends it for good: closes the channel, which it obeys, and kills it when it does not within a second. */
void service_stop(struct service *service);
/* Starts it, or ends it so that it comes again and is told everything anew; undoes service_stop. */
void service_renew(struct service *service);
/* The handler of every service's link. */
void service_link_ended(void *service, enum link_end why);
/* A child has ended; true: it was this one. */
bool service_child(struct service *service, pid_t pid, uid_t uid, int status);
void service_tick(struct service *service, uint64_t now);
