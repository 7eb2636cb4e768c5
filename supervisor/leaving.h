/*
 * The end of a contract (S14): what the tenant says at it, and how everything is destroyed once that is decided, by the tenant or by two
 * people after the term. Destruction goes the way of a reset (reset.h), so that it is whole or not begun, and leaves a row of the registry
 * and the tenant's lines of the ledger: each place as it went is one of them, for the certificate.
 */
#pragma once

#include "../policy/contract.h"

#include <stdbool.h>
#include <stdint.h>

struct tenant;

enum contract leaving_state(const struct tenant *tenant);

/* Its worker told the tenant's word, an enum leaving. What comes when no contract ends is of no effect. */
void leaving_heard(struct tenant *tenant, uint64_t word);
/* What could not be kept then is taken up again. */
void leaving_tick(struct tenant *tenant, uint64_t now);

/* Everything of it is to go: the mark is on the disk when true. false with errno: nothing has changed. */
bool leaving_destroy(struct tenant *tenant);

/* A line of the ledger, in words, about what went ("destroyed") or is still there ("remains"). On the disk when true; false with errno:
 * what would be forgotten then is kept, so that it is told again. */
bool leaving_record(const struct tenant *tenant, const char *verb, const char *what);

/* Nothing is left but the row: it says so from here on. false with errno: not written, try again. */
bool leaving_finish(struct tenant *tenant);
