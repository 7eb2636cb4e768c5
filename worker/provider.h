/*
 * What the provider did about this tenant, as the tenant sees it: its own chain of the provider's ledger (policy/ledger_line.h), read
 * through the supervisor and checked here, line by line (S11). The end of the chain that was seen last is kept sealed: a line that is
 * removed, changed or written anew, with all hashes computed again, contradicts it. So the provider need not be believed about its past.
 *   GET /api/v1/provider/ledger?from=&limit=   {consistent, count, items, next}: the lines, the oldest first     admin
 *   GET /api/v1/provider/disclosures           {consistent, items}: what was asked for and given to third parties admin
 */
#pragma once

#include "web/http.h"

/* Once after unsealing: looks at what has come since the chain was seen last. */
void provider_unsealed(void);
/* What was asked for has come. Takes the fd over; -1 = it cannot be had now. */
void provider_lines(int fd, uint64_t size);

/* The handlers of those two, for witness_routes. */
void provider_ledger(struct exchange *x, struct request *r);
void provider_disclosures(struct exchange *x, struct request *r);
