/*
 * The tenant's consents to be cited by the provider beyond its name and modules (C10): each given and withdrawn by an administrator, kept
 * in the sealed store, in force only while the function `references` is on. What goes up is a bit set of policy/references.def.
 *
 *   GET /api/v1/provider/references                     {items: [{name, text {fr, en}, given, since}]}     any session
 *   PUT /api/v1/provider/references/{name} {given}      200 the same; with the function off 403            admin
 */
#pragma once

/* At unsealing, and when the function was switched: reads them and tells the supervisor which hold now. */
void references_load(void);
/* The keys are gone. What was told stays told: the supervisor keeps it. */
void references_forget(void);
