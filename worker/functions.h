/*
 * Which processing functions of policy/functions.def are on (C4, C12). Each is off until an administrator of the tenant, logged in,
 * switches it on and says which version of its text was read; a record in the sealed store a function. A text that promises something else
 * has a higher version: the function is off then until the new one is confirmed. While the tenant is sealed nobody knows, and all are off.
 *
 * A route's column `function` is enforced in web/admit.c, also against what is under way: an export or upload ends when its function goes.
 * What runs in the background asks function_on() at each step.
 *
 *   GET /api/v1/functions                                      200 {items: [function]}                                  any session
 *   PUT /api/v1/functions/{name}   {enabled, confirmed}        200 function; 409 `text-changed`: read the text again    admin, logged in
 *
 * function is {name, enabled, version, confirmed, since, by, switched_by, once, needed, basis, title, purpose, data, recipients, term,
 * text}: the last seven are {fr, en}; confirmed is the version that was confirmed last while it is or was on, since and by (a user's id)
 * belong to it, and the three are null while it is off; once says who may confirm a single use (confirmations.h).
 */
#pragma once

#include "../policy/functions.h"
#include "web/http.h"

bool function_on(enum function f);

/* When it was switched on, Unix seconds; 0 = it is off, and has not been on since. */
uint64_t function_since(enum function f);
/* As the API shows it. A new value; NULL: out of memory. */
json_t *function_json(enum function f);

/* At unsealing, when the store has its keys: reads the settings. One that cannot be read is off. */
void functions_load(void);
/* The keys are gone: all are off. */
void functions_forget(void);
