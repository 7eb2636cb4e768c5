#include "password_thread.h"

#include "../memory/arena.h"
#include "../memory/registers.h"
#include "../tenant.h"
#include "../uplink.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 64 * 1024 };

struct job {
    TAILQ_ENTRY(job) in_queue;
    uint8_t salt[32], stretched[KEY_BYTES];
    password_done *done;
    void *argument;
    int64_t deadline_ms;
    int error;
    char password[];
};

/* The loop's side: jobs that wait, and whether a permit was asked for. */
static TAILQ_HEAD(jobs, job) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static unsigned waiting_count;
static bool asked;
static struct event *finished_event, *deadline_event;
static int finished = -1; /* eventfd: the thread has finished a job */

/* Between the two: one job at most. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;
static struct job *current; /* given to the thread */
static struct job *result;  /* and back */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *stretch_for_ever(void *unused) {
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!current)
            pthread_cond_wait(&given, &lock);
        struct job *job = current;
        current = NULL;
        pthread_mutex_unlock(&lock);

        job->error = password_stretch(job->password, job->salt, job->stretched);
        registers_clear();

        pthread_mutex_lock(&lock);
        result = job;
        pthread_mutex_unlock(&lock);
        uint64_t one = 1;
        if (write(finished, &one, sizeof one) != sizeof one) _exit(1);
        password_tidy();
    }
    return NULL;
}

static void finish(struct job *job, int error) {
    job->done(job->argument, error ? NULL : job->stretched, error);
    secret_wipe(job->password, strlen(job->password));
    secret_wipe(job->stretched, sizeof job->stretched);
    free(job);
}

static struct job *take_first(void) {
    struct job *job = TAILQ_FIRST(&waiting);
    if (!job) return NULL;
    TAILQ_REMOVE(&waiting, job, in_queue);
    waiting_count--;
    return job;
}

static void permit_granted(void *unused);
static void ask(void) {
    if (asked || TAILQ_EMPTY(&waiting)) return;
    asked = true;
    uplink_want_permit(permit_granted, NULL);
}

/* The permit is ours until it is said to be done; all who waited may have given up. */
static void permit_granted(void *unused) {
    (void)unused;
    struct job *job = take_first();
    if (!job) {
        asked = false;
        uplink_permit_done();
        return;
    }
    pthread_mutex_lock(&lock);
    current = job;
    pthread_cond_signal(&given);
    pthread_mutex_unlock(&lock);
}

static void job_finished(evutil_socket_t fd, short what, void *unused) {
    (void)what, (void)unused;
    uint64_t n;
    if (read(fd, &n, sizeof n) != sizeof n) return;
    pthread_mutex_lock(&lock);
    struct job *job = result;
    result = NULL;
    pthread_mutex_unlock(&lock);
    if (!job) return;
    asked = false;
    uplink_permit_done();
    ask();
    finish(job, job->error);
}

static void watch_deadline(void) {
    struct job *first = TAILQ_FIRST(&waiting);
    if (!first) return;
    int64_t left = first->deadline_ms - now_ms();
    if (left < 1) left = 1;
    struct timeval wait = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    event_add(deadline_event, &wait);
}

static void deadline(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    while (!TAILQ_EMPTY(&waiting) && TAILQ_FIRST(&waiting)->deadline_ms <= now_ms())
        finish(take_first(), ETIMEDOUT);
    watch_deadline();
}

int password_thread_submit(const char *password, const uint8_t salt[32], password_done *done, void *argument) {
    if (waiting_count >= PASSWORD_JOBS) return EAGAIN;
    size_t size = strlen(password) + 1;
    struct job *job = calloc(1, sizeof *job + size);
    if (!job) return ENOMEM;
    memcpy(job->password, password, size);
    memcpy(job->salt, salt, sizeof job->salt);
    job->done = done;
    job->argument = argument;
    job->deadline_ms = now_ms() + PASSWORD_WAIT_MS;
    bool was_empty = TAILQ_EMPTY(&waiting);
    TAILQ_INSERT_TAIL(&waiting, job, in_queue);
    waiting_count++;
    if (was_empty) watch_deadline();
    ask();
    return 0;
}

int password_thread_start(void) {
    pthread_t thread;
    finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (finished < 0) return -1;
    finished_event = event_new(self.base, finished, EV_READ | EV_PERSIST, job_finished, NULL);
    deadline_event = evtimer_new(self.base, deadline, NULL);
    if (!finished_event || !deadline_event || event_add(finished_event, NULL) < 0) {
        errno = ENOMEM;
        return -1;
    }
    errno = arena_thread(&thread, STACK, stretch_for_ever, NULL);
    return errno ? -1 : 0;
}
