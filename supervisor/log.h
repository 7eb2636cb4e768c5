/* The supervisor's log on stderr, one line a call. Operations only (S2, S5): the provider's own words, numbers and names of enums; nothing
 * that came from a client or out of a worker. */
#pragma once

/* Goes on. Without a newline at its end. */
__attribute__((format(printf, 1, 2))) void log_say(const char *format, ...);
/* The same with ": " and the text of errno behind it. */
__attribute__((format(printf, 1, 2))) void log_errno(const char *format, ...);
/* The world does not let us: says why and exits with status 1. */
__attribute__((format(printf, 1, 2), noreturn)) void log_fatal(const char *format, ...);
