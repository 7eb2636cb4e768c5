/*
 * Where the tenant's data and its copies are, and the bound that its administrator sets to that (S8). The bound lies sealed in the store;
 * up go bits of the operator's list, anew after each list. Excluding the node's own region moves nothing: it takes a statement,
 * `node_stays`, that the administrator has understood so.
 *
 *   GET /api/v1/provider/regions     {bounded, node {region, allowed}, regions: [{region, allowed, destinations, capsule_places}]}   admin
 *   PUT /api/v1/provider/regions {allowed?, node_stays?}                                                             admin, logged in
 *       200 the same; allowed: names of that list, or null for no bound
 *       409 `node-region`: the node's own is not among them, and that was not stated
 *   GET /api/v1/provider/places      {node, capsule_copies, plans}                                                                   admin
 *       a capsule's copy whose `allowed` is false, and a plan that is paused, lie where they may no more: neither is renewed
 *
 * The statement holds for the region that the node was in. At a node that is excluded and elsewhere, after a restore or a move, all but
 * this and the session is answered with 409 `node-region`, until an administrator states it anew: node_stays alone leaves the bound as it
 * is.
 */
#pragma once

#include "../../policy/messages.h"
#include "../web/http.h"

#include <jansson.h>
#include <stdbool.h>

/* At unsealing: reads the bound and tells the supervisor. */
void regions_load(void);
/* There is another list of destinations, and before it of places: the bits are told anew, unless sealed. */
void regions_tell(void);
bool regions_allow(const char *region);
/* Whether a route with these flags is served at this node. false: answered. */
bool regions_admit(struct exchange *x, uint32_t flags);

/* The supervisor's message. */
void places_copies(const struct message_copies *copies);
/* As in the answer to GET places. A new value; NULL: out of memory. */
json_t *places_json(void);
