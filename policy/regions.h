/* The regions that a tenant allows (S8): names of the operator's own list, and how a worker says which of them, since it says nothing but
 * numbers. Pure. */
#pragma once

#include "limits.h"

#include <stdbool.h>

/* Up: 0 = there is no bound; else REGIONS_BOUNDED, and a bit for each destination and, from bit REGIONS_PLACES on, for each place of key
 * capsules of the list whose region is allowed. */
enum {
    REGIONS_NODE = 1 << DESTINATIONS_MAX,
    REGIONS_BOUNDED = 2 << DESTINATIONS_MAX,
    REGIONS_PLACES = DESTINATIONS_MAX + 2,
    REGIONS_ALL = (1 << (REGIONS_PLACES + PLACES_MAX)) - 1
};

enum { REGIONS_ROOM = (1 + DESTINATIONS_MAX + PLACES_MAX) * (TENANT_REGION_MAX + 1) };
struct region_bound {
    bool bounded;             /* false: wherever the operator's destinations are */
    char names[REGIONS_ROOM]; /* with commas between; "" and bounded: none that there is */
};

bool region_allowed(const struct region_bound *bound, const char *region);
/* Each once. false: there is no room. */
bool region_allow(struct region_bound *bound, const char *region);
/* Only names of regions, and none without a bound. */
bool region_bound_is_fine(const struct region_bound *bound);
