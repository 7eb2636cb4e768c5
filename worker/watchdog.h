/*
 * Ends a worker whose event loop no longer comes round: a damaged page may lead LMDB in a circle, and a worker that spins for ever keeps
 * its tenant closed and a processor busy without anybody being told. It dies with status ETIME, so that the status says so and back-off
 * holds. What counts is processor time within one turn of the loop, so that neither an idle worker nor a crowded machine is taken for a
 * stuck one.
 */
#pragma once

#include <pthread.h>

enum { WATCHDOG_SECONDS = 10 }; /* the longest honest turn takes milliseconds */

/* On the loop's thread, after each turn. */
void watchdog_turn(void);

/* Looks at that thread every so many seconds, for ever; so many seconds of processor time within one turn are its end. */
__attribute__((noreturn)) void watchdog_run(pthread_t loop, unsigned seconds);
