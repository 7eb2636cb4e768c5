/* What the supervisor hears: one table for each kind of child, {type, states in which it is allowed, handler}. Calm about our own tables,
 * merciless with a lying child: what is not allowed ends that child and nobody else (S4). Pairs with tell.h. */
#pragma once

#include "link.h"

struct supervisor;

/* The handlers of the links; their context is the struct service, service, tenant. */
extern const struct link_handler monitor_courier;
extern const struct link_handler monitor_router, monitor_steward, monitor_worker;

/* Grants the permits that have become free; ends who keeps one too long. At every tick and whenever something changes. */
void monitor_permits(struct supervisor *house);
