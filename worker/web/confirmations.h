/*
 * A user's confirmation of one single use of a function that is off (C4): a code for one request of the same session, bound to the
 * function, good for CONFIRMATION_SECONDS. It lies in memory only. Who may confirm stands in policy/functions.def (`once`).
 *
 *   POST /api/v1/confirmations   {function, confirmed}   201 {code, function, expires}   a log-in; 409 `not-once`, 409 `text-changed`
 *
 * The request then carries it as `Cloison-Confirmation: code`. It is spent when that request is admitted, whatever comes of it; one that
 * needs no confirmation, or is refused before, spends none. Making and spending are each a line of the journal.
 */
#pragma once

#include "http.h"

enum { CONFIRMATION_SECONDS = 300, CONFIRMATIONS_MAX = 64 };

/* Spends the request's confirmation of a use of f. STORE_OK: it had one, and that is on the disk; STORE_MISSING: it has none that is
 * good; otherwise why it could not be recorded. */
enum store_result confirmation_spend(const struct request *r, enum function f);

void confirmations_pass(unsigned seconds); /* for tests: that much time has gone by */
