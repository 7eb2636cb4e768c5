/*
 * The end of the contract as the tenant lives it (S14): from the notice on it is read-only; an administrator fetches all that was entrusted
 * (restitution.h), says that it is there, and may have everything destroyed here.
 *
 *   GET  /api/v1/leaving       {state: "none" | "ending" | "returned", since, term, returned, fetched: {when, sha256} | null}
 *   GET  /api/v1/restitution   a tar of everything; a log-in of an administrator
 *   POST /api/v1/leaving       {sha256: of that tar, destroy: true | false}; a log-in of an administrator. 409 `not-fetched` when it is not
 *                              the last one that went out whole. 202: with destroy, the worker ends and nothing of the tenant is left here
 */
#pragma once

#include "../web/http.h"

extern const struct route leaving_routes[];
