/* A thread and its queue: one for each destination, one for the spool, one for mail, so that a slow one delays itself alone. */
#pragma once

#include <stdbool.h>

struct destination;
struct lane;

/* What is done in a lane; destination: the lane's, NULL in those that have none. It owns job. */
typedef void lane_run(struct destination *destination, void *job);

/* Before the wall: no thread can be made after it. NULL with errno. It lives as long as the process. */
struct lane *lane_new(struct destination *destination);

/* Queues run(job), in order. false: too much waits already, and the job stays the caller's. */
bool lane_do(struct lane *lane, lane_run *run, void *job);
