#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1024 };

/* One write, so that lines of several processes do not mix; a log that takes nothing stops nothing. */
static void line_write(const char *format, va_list arguments, const char *why) {
    char line[LINE];
    int at = snprintf(line, sizeof line, "cloisond: ");
    int size = vsnprintf(line + at, sizeof line - (size_t)at, format, arguments);
    at = size < 0 ? at : at + size < LINE - 1 ? at + size : LINE - 2;
    if (why && at < LINE - 2) {
        size = snprintf(line + at, sizeof line - (size_t)at, ": %s", why);
        at = at + size < LINE - 1 ? at + size : LINE - 2;
    }
    line[at] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)at + 1);
    (void)written;
}

void log_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line_write(format, arguments, NULL);
    va_end(arguments);
}

void log_errno(const char *format, ...) {
    const char *why = strerror(errno);
    va_list arguments;
    va_start(arguments, format);
    line_write(format, arguments, why);
    va_end(arguments);
}

void log_fatal(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line_write(format, arguments, NULL);
    va_end(arguments);
    exit(1);
}
