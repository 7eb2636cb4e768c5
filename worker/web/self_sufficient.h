/*
 * The self-sufficient recovery kit: an administrator's own act, told to the journal (S14, C2). It opens the tenant here as any kit does,
 * and elsewhere from a data file alone, without the key capsule (recovery.h). So whoever finds the paper needs no more than a copy of the
 * file, and destroying the capsule does not end such copies: that one was ever made, and since when, is among the numbers the provider
 * sees.
 *
 *   GET    /api/v1/self-sufficient-kit   200 {kit: {id, user, created} or null, first_made}   admin
 *   POST   /api/v1/self-sufficient-kit   201 {recovery_kit}; takes a log-in                    admin
 *   DELETE /api/v1/self-sufficient-kit   204; takes a log-in                                   admin
 *
 * There is one a tenant: a new one replaces it. What was replaced or removed goes from the data file, and the master key is rotated at
 * once, so that the record's remains in the file's free pages open nothing of today; copies that were made before stay open to it. It goes
 * with the administrator who made it.
 */
#pragma once

#include "http.h"

void get_self_sufficient(struct exchange *x, struct request *r);
void make_self_sufficient(struct exchange *x, struct request *r);
void remove_self_sufficient(struct exchange *x, struct request *r);

/* After slots were removed: where the kit was one of them, its record goes, too. user: who did it. */
void self_sufficient_follow(const uint8_t user[ID_BYTES]);
