/*
 * Copies of a tenant's key capsule: only at places that the registry lists for it, each a directory of the configuration that is root's
 * and closed to others (S14). The capsule comes up from the worker as a memfd of sealed bytes, is replaced at every place as a whole, and
 * what was there before is overwritten: a slot that was removed opens nothing with a copy either. So a copy at a place that the tenant has
 * excluded since, where nothing is written any more (S8), goes with the next change of the capsule.
 */
#pragma once

#include "../policy/messages.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct tenant;

enum { COPIES_PAUSE_MS = 1000 /* between two of one tenant: each is some writes and syncs of the supervisor's */ };

struct copy {
    uint64_t written_ms; /* Unix time of the file there; 0 = none */
    bool current;        /* what the worker handed up last; false: perhaps an older one */
};

/* NULL = the configuration has no place of that name. */
const struct config_place *copies_place(const struct config *config, const char *name);
/* Whether the tenant excludes the region of that place, or it has none any more. */
bool copies_excluded(const struct tenant *tenant, const char *place);

/* Which of the tenant's listed places has this name; -1 = none. */
int copies_find(const struct tenant *tenant, const char *place);

/* At the start: how old each copy is. None counts as current before the worker has handed one up. */
void copies_look(struct tenant *tenant);

/* Lists the place in the registry, if it is not. false with errno: the registry was not written, or ENOSPC: COPIES_MAX are listed. */
bool copies_list(struct tenant *tenant, const char *place);

/* Tells a worker that is ready whether copies are wanted; the first one comes at once. */
void copies_want(struct tenant *tenant);

/* The worker handed its capsule up. NULL, or what is wrong with it, in words. */
const char *copies_take(struct tenant *tenant, int capsule);
/* Lets the worker hand up the next one, when its pause is over or at once. */
void copies_taken(struct tenant *tenant, uint64_t now, bool at_once);

/* Destroys the copy at the tenant's place i; it stays in the list. COPY_DONE also when there is none. */
enum copy_result copies_destroy(struct tenant *tenant, int i);
/* The same, and takes the place off the list. */
enum copy_result copies_forget(struct tenant *tenant, int i);
