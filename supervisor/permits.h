/* How many password KDFs run at once on the machine: first come, first served among tenants, one tenant's many behind another's one
 * (lessons 22). Pure: numbers in, numbers out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PERMITS_PER_TENANT = 256 /* asked for and not granted yet; the worker itself answers 503 long before */ };

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

/* The tenant whose turn it is, granted now; 0 when nobody waits or all slots are taken. Call until it says 0. */
uint32_t permits_next(struct permits *permits);
