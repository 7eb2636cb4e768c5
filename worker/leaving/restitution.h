/*
 * All that a tenant entrusted, in one stream (S14): a tar of the records of every kind as JSON lines, the contents of the documents in all
 * versions, and the journal. Nobody needs Cloison to read it.
 */
#pragma once

#include "../web/http.h"

enum { RESTITUTION_HASH = 32 };

/* GET /api/v1/restitution */
void restitution_handle(struct exchange *x, struct request *r);

/* The last one that was streamed to its end: when, Unix seconds, and the SHA-256 of its bytes. false: none yet. */
bool restitution_last(uint64_t *when, uint8_t hash[RESTITUTION_HASH]);
