/*
 * The tenant as a witness of the provider's ledger: at each start the worker is handed the ledger's head (count and hash of the last line)
 * and keeps it sealed, so that a chain that was shortened or rewritten is found (S11). Three fates of a head:
 *   it goes on              count rose, or stayed with the same hash
 *   it contradicts          count fell, or stayed with another hash: the tenant and the status are told, and both heads are kept
 *   rewritten but longer    only the lines themselves show it: an administrator compares the kept heads with the ledger's lines
 * GET /api/v1/provider-ledger gives an administrator the kept heads: {consistent, items: [{count, hash, seen}]}, the oldest first.
 */
#pragma once

#include "../web/http.h"

enum { WITNESS_HEADS = 64 }; /* kept; when full, every second of the older half goes */

/* Keeps the head of self.profile; called once after unsealing. Part of the next commit. false: the store failed. */
bool witness_keep(void);

extern const struct route witness_routes[];
