/*
 * What the provider holds about the tenant itself (S10), as this worker knows it:
 *
 *   GET /api/v1/provider/holdings   {registry, counters, ledger, see, elsewhere}   admin
 *
 * registry: the entry that the worker was started with. counters: every number that may leave this worker, as it stands now; staff see the
 * last sample of it. ledger: how long the provider's ledger was at this start, and where its heads are kept. see: where the notices to the
 * tenant, its plans and its backups are told. elsewhere: what the provider holds that no worker knows.
 */
#pragma once

#include "../web/http.h"

void holdings_get(struct exchange *x, struct request *r);
