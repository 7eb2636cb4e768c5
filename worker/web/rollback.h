/*
 * An older file put back (a copy of the disk, an older backup) shows by what clients have seen. Every answer to a session or token carries
 * the store's mark (store.h) when the client does not have it yet: in the cookie `__Host-cloison-seen`, to a token in the header
 * Cloison-Seen, which the client sends back under the same name. One who shows a mark of a commit that the file held once and holds no
 * longer gets 409 `rolled-back` for everything but the public routes, the session and the acceptance.
 *
 * Only that client is refused: what it has seen is lost, of others nothing is. A mark carries a MAC, so nobody can claim to have seen what
 * never was, and what is no mark is passed over: a client can make the state look rolled back neither to others nor to the staff.
 *
 *   GET  /api/v1/rollback   {rolled_back, commit, last_commit, seen}   admin; seen: the highest lost commit shown since the worker's start
 *   POST /api/v1/rollback   204: goes on from the older file, for everybody and once. admin, a log-in. 409 `not-rolled-back`: nobody has
 *                           shown a lost mark to this worker
 */
#pragma once

#include "http.h"

/* Reads what the client shows, after its credential. false: it is refused, answered. */
bool rollback_admit(struct exchange *x);

/* The header fields by which an answer tells the mark: nothing, or at most ROLLBACK_FIELD bytes with their CRLF; returns how many. */
enum { ROLLBACK_FIELD = 192 };
size_t rollback_field(const struct exchange *x, char out[ROLLBACK_FIELD]);
