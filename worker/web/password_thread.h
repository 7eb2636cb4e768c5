/*
 * The one thread that stretches passwords, so that the event loop never waits for a KDF. A job waits for the supervisor's permit (a
 * machine-wide bound, numbers only), then runs. At most PASSWORD_JOBS wait.
 */
#pragma once

#include "../keys/password.h"

enum { PASSWORD_JOBS = 16, PASSWORD_WAIT_MS = 20000 };

/* Called on the loop's thread, exactly once a job. stretched: NULL with an error: ENOMEM, or ETIMEDOUT = no permit came. */
typedef void password_done(void *argument, const uint8_t stretched[KEY_BYTES], int error);

/* Makes the thread (its stack in the arena) and what wakes the loop. Before the wall. 0, or -1 with errno. */
int password_thread_start(void);

/* Stretches a copy of the password; `argument` goes to done. 0, EAGAIN when too many wait, or ENOMEM: then done is not called. */
int password_thread_submit(const char *password, const uint8_t salt[32], password_done *done, void *argument);
