/*
 * The routes about credentials (account_routes in http.h): enrolment, log-in, API tokens and the recovery kit; those of users.h,
 * invitations.h, sessions.h, self_sufficient.h and recovery.h are in the same table. Errors are application/problem+json; a wrong log-in is
 * one uniform 401 `credentials` after equal work.
 *
 *   POST   /api/v1/enrol          {code, login, password}   201 {recovery_kit}; public, once
 *
 *   POST   /api/v1/session        {login, password} or {recovery_kit}   200 {user, rights, commit, last_commit, warnings}, cookies; public
 *
 *   GET    /api/v1/session        200 {user, rights, commit, last_commit, warnings}
 *
 *   DELETE /api/v1/session        204
 *
 *   POST   /api/v1/recovery-kit   201 {recovery_kit}; admin; the old kit opens nothing then
 *
 *   PUT    /api/v1/password       {password, old}   204, cookie: all other sessions of the user end; `old` may be left out in a session
 * that a recovery kit opened
 *
 *   POST   /api/v1/tokens         {name, scopes, expires}   201 {id, token, name, scopes, expires}
 *
 *   GET    /api/v1/tokens         200 {items: [{id, name, scopes, created, expires}]}
 *
 *   DELETE /api/v1/tokens/{id}    204
 *
 * A token makes neither tokens nor kits: both take a log-in. user is {id, login}; rights and scopes are arrays of the names in rights.h;
 * warnings has "one-way-in" while fewer than two passwords and recovery kits open the tenant; created and expires are RFC 3339 in UTC,
 * expires may be null for never, absent it is 90 days; commit is the store's commit counter, last_commit the time of the last one, in the
 * answer to a log-in the last one before it: what a person remembers to have written later was lost. Each change of a credential is told to
 * the tenant's journal (journal.h).
 */
#pragma once

#include "http.h"

/* Starts the password thread and prepares what may not be opened later. Before the wall, on the loop's thread. 0, or -1 with errno. */
int account_start(void);

/* Called by tenant_unseal() when the store has its keys: tells the supervisor the tenant's own switches. */
void account_unsealed(void);

/* The name of a token, which lies in the store under the id of its slot; "" when it has none there. NULL: out of memory. */
json_t *token_name(const uint8_t slot[ID_BYTES]);
/* Part of the next commit. A name that stays behind names nothing. */
void token_forget_name(const uint8_t slot[ID_BYTES]);

/* The administrator is on the disk: tells the supervisor, once. */
void account_enrolled(void);
