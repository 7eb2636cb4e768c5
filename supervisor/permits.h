/* How many password KDFs run at once on the machine: first come, first served among tenants, a tenant one at a time and its next behind
 * everybody else, so that a storm of log-ins does not take the machine. One that keeps its permit is found, so that it keeps nobody from
 * logging in. Pure: numbers in, numbers out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    PERMITS_PER_TENANT = 256, /* asked for and not granted yet; the worker itself answers 503 long before */
    PERMIT_MS = 10000,        /* a password takes a fraction of a second: who keeps a permit longer is ended */
};

struct permits;

/* slots: how many at once, >= 1. NULL: no memory. */
struct permits *permits_new(uint32_t slots);
void permits_free(struct permits *permits);

/* One more wanted by this tenant. false: more than PERMITS_PER_TENANT wait already, or no memory. */
bool permits_want(struct permits *permits, uint32_t tenant);
/* One that was granted is used up. false: it had none. */
bool permits_done(struct permits *permits, uint32_t tenant);
/* The worker is gone: what it held is free, what it wanted is forgotten. */
void permits_forget(struct permits *permits, uint32_t tenant);

/* The tenant whose turn it is, granted now (ms of any clock); 0 when nobody waits or all slots are taken. Call until it says 0. */
uint32_t permits_next(struct permits *permits, uint64_t now);

/* A tenant that has held its permit for PERMIT_MS; 0 = none. Follow it by permits_forget(), and call until it says 0. */
uint32_t permits_overdue(const struct permits *permits, uint64_t now);
