#include "lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { JOBS_MAX = 4096 };

struct lane {
    struct destination *destination;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    bool started;
    unsigned first, count; /* a ring */
    struct {
        lane_run *run;
        void *job;
    } queue[JOBS_MAX];
};

static void *work(void *context) {
    struct lane *l = context;
    pthread_mutex_lock(&l->lock);
    l->started = true;
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    for (;;) {
        pthread_mutex_lock(&l->lock);
        while (l->count == 0)
            pthread_cond_wait(&l->more, &l->lock);
        lane_run *run = l->queue[l->first].run;
        void *job = l->queue[l->first].job;
        l->first = (l->first + 1) % JOBS_MAX;
        l->count--;
        pthread_mutex_unlock(&l->lock);
        run(l->destination, job);
    }
    return NULL;
}

struct lane *lane_new(struct destination *destination) {
    struct lane *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->destination = destination;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->more, NULL);
    int error = pthread_create(&l->thread, NULL, work, l);
    if (error) {
        free(l);
        errno = error;
        return NULL;
    }
    pthread_mutex_lock(&l->lock); /* a thread's start makes calls of its own, which the wall does not let pass */
    while (!l->started)
        pthread_cond_wait(&l->more, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return l;
}

bool lane_do(struct lane *l, lane_run *run, void *job) {
    pthread_mutex_lock(&l->lock);
    bool room = l->count < JOBS_MAX;
    if (room) {
        unsigned last = (l->first + l->count++) % JOBS_MAX;
        l->queue[last].run = run;
        l->queue[last].job = job;
        pthread_cond_signal(&l->more);
    }
    pthread_mutex_unlock(&l->lock);
    return room;
}
