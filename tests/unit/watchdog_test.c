/* A loop that spins is ended; one that comes round, or sleeps, is not. */
#include "../../worker/watchdog.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void *spin(void *turning) {
    for (;;)
        if (turning) watchdog_turn();
    return NULL;
}

static void *rest(void *unused) {
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* The exit status of a process whose loop does that, or -1 when it still lives after 4 s. */
static int fate(void *(*run)(void *), void *argument) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t loop;
        if (pthread_create(&loop, NULL, run, argument) != 0) _exit(1);
        watchdog_run(loop, 1);
    }
    int status = 0;
    const struct timespec piece = {.tv_nsec = 20000000};
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
        nanosleep(&piece, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begin.tv_sec < (run == spin && !argument ? 30 : 4));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

static void stuck_ends(void **state) {
    (void)state;
    assert_int_equal(fate(spin, NULL), ETIME);
}

static void busy_goes_on(void **state) {
    static int turning;
    (void)state;
    assert_int_equal(fate(spin, &turning), -1);
}

static void idle_goes_on(void **state) {
    (void)state;
    assert_int_equal(fate(rest, NULL), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stuck_ends),
        cmocka_unit_test(busy_goes_on),
        cmocka_unit_test(idle_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
