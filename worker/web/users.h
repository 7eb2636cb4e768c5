/*
 * The users of a tenant, administered by its administrators alone (C2). Each takes the right `admin`, and each change a log-in.
 *
 *   GET    /api/v1/users                   200 {items: [user]}
 *   POST   /api/v1/users                   {login, role or rights, expires}   201 user and {code, code_expires}
 *   GET    /api/v1/users/{id}              200 user
 *   PATCH  /api/v1/users/{id}              {role or rights}   200 user
 *   DELETE /api/v1/users/{id}              204: every credential of the user is gone
 *   POST   /api/v1/users/{id}/invitation   {expires}          201 user and {code, code_expires}: the password and the sessions are gone
 *
 * user is {id, login, role, rights, created, state, recovery_kit}: role is null when no role has exactly these rights; state is "active"
 * (has a password), "invited" (a code waits), "closed" (neither: make a code), or, in the list alone, "damaged": the record does not open,
 * login is "", created null, and it can only be removed; recovery_kit says whether they have one.
 *
 * What is taken away is gone at once: rights are looked up anew, and sessions and tokens made before end, since rights may be given back
 * later but not to them. An administrator always remains who can log in (409 `last-administrator`), and the only recovery kit of an
 * administrator does not go with its owner (409 `only-kit`): another makes one first.
 */
#pragma once

#include "http.h"

void get_users(struct exchange *x, struct request *r);
void invite_user(struct exchange *x, struct request *r);
void get_user(struct exchange *x, struct request *r);
void change_user(struct exchange *x, struct request *r);
void remove_user(struct exchange *x, struct request *r);
void reset_user(struct exchange *x, struct request *r);
