/*
 * Anonymous usage numbers (S3, S5, S6, S12): counted in the worker, only while the tenant's function `counters` is on (C4). What goes up
 * are the USAGE rows of counters.def; a term, a filter, a path, an address or a person has no row there.
 *
 *   POST /api/v1/usage   {menu} or {page, milliseconds}: from the page itself, words of policy/usage.def only   204   any log-in
 */
#pragma once

/* After each turn of the loop: tells whether the function is on; switched off, every number is zero again. */
void usage_turn(void);

/* A list of an A-Z menu was asked for: 'A' to 'Z', or '#'. */
void usage_letter(char letter);
