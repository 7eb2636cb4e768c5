#include "watchdog.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t turns;

void watchdog_turn(void) { atomic_fetch_add_explicit(&turns, 1, memory_order_relaxed); }

/* A futex, which the wall lets through, and no sleep, which it does not. */
static void wait_a_while(sem_t *never, unsigned seconds) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    sem_timedwait(never, &until);
}

void watchdog_run(pthread_t loop, unsigned seconds) {
    sem_t never;
    clockid_t clock;
    struct timespec used;
    uint64_t last = 0;
    time_t since = 0;

    sem_init(&never, 0, 0);
    if (pthread_getcpuclockid(loop, &clock) != 0) _exit(ESRCH);
    for (;; wait_a_while(&never, seconds)) {
        uint64_t now = atomic_load_explicit(&turns, memory_order_relaxed);
        if (clock_gettime(clock, &used) < 0) _exit(ESRCH);
        if (now == last && used.tv_sec >= since + (time_t)seconds) _exit(ETIME);
        if (now == last) continue;
        last = now;
        since = used.tv_sec;
    }
}
