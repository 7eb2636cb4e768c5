/*
 * The tenant's consents to be cited by the provider beyond its name and modules (C10): each given and withdrawn by an administrator, kept
 * in the sealed store, in force only while the function `references` is on: each switching of it ends them, and they are asked for anew.
 * What goes up is a bit set of policy/references.def.
 *
 *   GET /api/v1/provider/references                     {items: [{name, text {fr, en}, given, since}]}     any session
 *   PUT /api/v1/provider/references/{name} {given}      200 the same; with the function off 403            admin
 */
#pragma once

#include "../store/store.h"

/* At unsealing, and when the function was switched: reads them and tells the supervisor which hold now. */
void references_load(void);
/* The function is switched: takes all that were given back, with a line of the journal each; the caller commits, and loads. */
enum store_result references_withdraw(const uint8_t user[ID_BYTES]);
/* The keys are gone. What was told stays told: the supervisor keeps it. */
void references_forget(void);
