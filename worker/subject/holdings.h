/*
 * What the provider holds about the tenant itself (S10), as this worker knows it:
 *
 *   GET /api/v1/provider/holdings   {registry, counters, notices, places, snapshots, support, elsewhere, ledger}   admin
 *
 * registry: all that the provider entered. counters: every number that may leave this worker, as it stands now; staff see the last sample
 * of it. notices, places, snapshots and support: as each tells by itself; of messages to support that others wrote there is how long they
 * are kept, not what. elsewhere: what the provider holds that no worker knows. ledger: the tenant's own lines of the provider's ledger,
 * checked by lines.h, in `items`; sent line by line, since there may be OWN_LINES_MAX. Where there are more, the newest: `first` is not 1
 * then, and `complete` false.
 */
#pragma once

#include "../web/http.h"

void holdings_get(struct exchange *x, struct request *r);
