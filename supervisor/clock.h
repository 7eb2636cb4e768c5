/* The two clocks, in ms. What is decided is decided on the monotonic one; what is written down is Unix time. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static inline uint64_t clock_ms(void) { return clock_read(CLOCK_MONOTONIC); }
static inline uint64_t clock_unix_ms(void) { return clock_read(CLOCK_REALTIME); }
