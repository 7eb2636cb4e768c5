/* What the supervisor says to the router and the steward. Each is told everything when it (re)starts and every change from then on; what is
 * said while one of them is away is dropped, since it will be told everything. Pairs with monitor.h, which listens. */
#pragma once

#include "../policy/messages.h"

#include <stdint.h>

struct supervisor;
struct tenant;
struct registry_tenant;

/* All that a new router or steward must know. */
void tell_router_all(struct supervisor *house);
void tell_steward_all(struct supervisor *house);
void tell_courier_all(struct supervisor *house);

/* After a change of the configuration: `old` are the listeners as they were. */
struct listeners;
void tell_listeners(struct supervisor *house, const struct listeners *old);
void tell_limits(struct supervisor *house);
void tell_duties(struct supervisor *house);
void tell_steward_files(struct supervisor *house); /* its own: of the publication and of the support */

/* The hosts of `was` that `is` does not have are taken back, the others given. was NULL = all are new. */
void tell_hosts(struct supervisor *house, const struct registry_tenant *was, const struct registry_tenant *is);
void tell_plain(struct tenant *tenant);                /* its web/NAME.sock, or that there is none any more */
void tell_no_worker(struct tenant *tenant);            /* and why */
void tell_worker(struct tenant *tenant, int handover); /* the router's end; the caller closes it */
void tell_tenant(struct tenant *tenant);               /* its row, to the steward */
void tell_counters(struct tenant *tenant);             /* its worker's page, to the steward */
void tell_event(struct tenant *tenant, enum tenant_event event);
void tell_posture(struct supervisor *house);
void tell_ledger(struct supervisor *house); /* its files, the newest first; again after a rotation */

struct answer {
    uint64_t request;
    uint32_t result, detail;             /* enum act_result */
    const char *code;                    /* or NULL */
    int fd;                              /* or -1; the caller closes it */
    uint64_t bytes;                      /* in it */
    uint64_t number, since_ms, until_ms; /* as in struct message_answer */
};
void tell_answer(struct supervisor *house, const struct answer *answer);
