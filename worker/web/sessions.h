/*
 * The lists of sessions and tokens, and their ends (C2).
 *
 *   GET    /api/v1/sessions[?everybody=true]   200 {items: [{id, kind, user, name, rights, created, used, expires, origin, current}]}
 *   DELETE /api/v1/sessions[?everybody=true]   204: all sessions and tokens end but the one that asks
 *   DELETE /api/v1/sessions/{id}               204
 *
 * One's own; everybody's take the right `admin`. A token without that right sees and ends itself alone. kind is "session" or "token", user
 * is {id, login}, name a token's; used is null when it was not used since the worker's start; origin is {id, kind} of the slot under which
 * it was made ("password", "recovery-kit", "invitation", "session"; kind null when that is gone), or null.
 */
#pragma once

#include "http.h"

void get_sessions(struct exchange *x, struct request *r);
void delete_sessions(struct exchange *x, struct request *r);
void delete_one_session(struct exchange *x, struct request *r);

/* May the asker see this slot? everybody: where one's rights allow it. */
bool may_see(const struct session *asker, const struct slot *slot, bool everybody);

/* Ends the session or token that the path names and answers; kind: only one of that kind, 0 = of either. */
void end_login(struct exchange *x, struct request *r, uint32_t kind);
