/*
 * What the provider did about this tenant, as the tenant sees it: its own lines of the provider's ledger, checked by lines.h (S11). So the
 * provider need not be believed about its past. as_of: when they were asked for, a minute ago at most.
 *   GET /api/v1/provider/ledger?from=&limit=   {consistent, as_of, first, count, items, next}: the lines, the oldest first   admin
 *   GET /api/v1/provider/disclosures           {consistent, as_of, complete, items}: what was asked for and given to third parties  admin
 */
#pragma once

#include "lines.h"

/* A line as both give it. A new value; NULL: out of memory. */
json_t *provider_line_json(const struct ledger_line *line);

/* The handlers of those two, for witness_routes. */
void provider_ledger(struct exchange *x, struct request *r);
void provider_disclosures(struct exchange *x, struct request *r);
