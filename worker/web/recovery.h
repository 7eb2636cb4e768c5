/*
 * A tenant whose key capsule is lost, opened by its self-sufficient kit from the data file alone (C7). Only where a registrar entered the
 * tenant to be restored (tenant_restoring()): a worker of an enrolled tenant whose capsule is missing does not start.
 *
 *   POST /api/v1/recovery   {recovery_kit, login, password}   200 {user, rights, commit, last_commit, warnings}, cookies   public
 *
 * The kit's owner gets this login and password, in a new capsule; all other credentials of before are gone, the master key is rotated at
 * once, and a line of the journal tells. A wrong kit is the uniform 401 `credentials`; 409 `not-restoring` where it cannot be. A log-in by
 * kit is 409 `restoring` meanwhile, so that the page knows what to ask for.
 */
#pragma once

#include "http.h"

void recover(struct exchange *x, struct request *r);
