/* The one page a worker shares with the provider: integers of the closed catalogue, nothing else (S3, S5). */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum counter {
#define COUNTER(NAME, CLASS, UNIT, PROMISE, HELP) COUNTER_##NAME,
#include "counters.def"
#undef COUNTER
    COUNTER_COUNT
};
enum counter_class { COUNTER_TOTAL, COUNTER_GAUGE, COUNTER_USAGE };

enum usage_state { USAGE_UNKNOWN, USAGE_OFF, USAGE_ON }; /* COUNTER_usage_state */

struct counter_page {
    _Atomic uint64_t value[COUNTER_COUNT];
};

struct counter_row {
    const char *name;
    enum counter_class class;
    const char *unit;    /* "" = none */
    const char *promise; /* requirement ID */
    const char *help;
};
extern const struct counter_row counter_table[COUNTER_COUNT];

/* The supervisor makes the page: a memfd of one page that can be neither grown nor shrunk. Returns the fd (CLOEXEC) or -1 with errno. */
int counters_create(void);

/* Maps the page of a worker. writable: the worker itself. NULL with errno when the fd is not such a page. Unmap with counters_unmap. */
struct counter_page *counters_map(int fd, int writable);
void counters_unmap(struct counter_page *page);

/* Rounds down to two significant digits: what is shown to staff of a worker's own numbers. */
uint64_t counter_rounded(uint64_t value);
