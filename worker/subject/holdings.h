/*
 * What the provider holds about the tenant itself (S10), as this worker knows it:
 *
 *   GET /api/v1/provider/holdings   {registry, counters, ledger, notices, places, snapshots, support, elsewhere}   admin
 *
 * registry: the entry that the worker was started with. counters: every number that may leave this worker, as it stands now; staff see the
 * last sample of it. ledger: how long the provider's ledger was at this start and how many of its lines were about this tenant, where its
 * heads are kept and where those lines are read. notices, places, snapshots and support: as each tells by itself; of messages to support
 * that others wrote there is how long they are kept, not what. elsewhere: what the provider holds that no worker knows.
 */
#pragma once

#include "../web/http.h"

void holdings_get(struct exchange *x, struct request *r);
