/* Brings notices of change to the tenants: into their workers, and by letters through the courier to the contacts the provider knows. What
 * came of it is kept in notices.h. */
#pragma once

#include "notices.h"

#include <stdbool.h>

struct supervisor;
struct tenant;

/* Whether a notice is for a tenant: for all or for it, and not from before it was entered. */
bool announce_is_for(const struct notice *notice, const struct tenant *tenant);

/* From when it is in force for a tenant that it is for; 0 = not known yet, since it has not been delivered. */
uint64_t announce_in_force(const struct notice *notice, const struct tenant *tenant);
/* And its period has run, by the time that the house has run: the clock alone ends none. */
bool announce_has_run(const struct notice *notice, const struct tenant *tenant);

/* A new one, as notices_publish() keeps it: to all who run; the letters follow. Where there is no place, one that another has followed, and
 * that has been in force for all for NOTICES_KEPT_DAYS, gives its own. NULL with errno. */
const struct notice *announce_publish(struct supervisor *house, const struct notice *wanted, int text);
/* All that are for it, to a worker that is ready. */
void announce_to_worker(struct tenant *tenant);
/* With how many have it. */
void announce_to_steward(struct supervisor *house, const struct notice *notice);

/* An administrator of the tenant has read it: kept, and told. false: it is not for this tenant. */
bool announce_read(struct tenant *tenant, uint32_t number);
/* The courier's answer. false: no such notice, tenant. */
bool announce_letter_done(struct supervisor *house, uint32_t number, uint32_t tenant, bool taken);

/* Letters that are due, now and then. clock: ms. */
void announce_tick(struct supervisor *house, uint64_t clock);
