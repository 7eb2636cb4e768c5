/* The router's clock. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds, monotonic. */
static inline uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
