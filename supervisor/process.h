/* One child process from outside: known by pid and pidfd, believed only after a look at /proc. The process that is spawned may hand over
 * to a sibling (a worker's pid 1) and exit with 0; the sibling is ours too and becomes known when it says ready. */
#pragma once

#include "spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    uid_t uid;
    pid_t launcher; /* as spawned; 0 = gone */
    int launcher_fd;
    pid_t pid; /* the real one; 0 = not known yet, or gone */
    int fd;
    bool early;        /* one of its uid ended before the launcher did, so it may have been the real one: */
    int early_status;  /* with this status */
    uint32_t filters;  /* seccomp filters it was born under */
    uint64_t bounding; /* capabilities that may be left in its bounding set */
};

enum process_end {
    PROCESS_NOT_MINE,
    PROCESS_LAUNCHED, /* the launcher is gone, the real one is yet to say ready */
    PROCESS_GONE,
};

/* Takes the pid and the pidfd of `spawned`; the channel stays the caller's. bounding: what may be left in its bounding set: 0 for what has
 * a user namespace of its own, else ours, which no_new_privs makes worthless. */
void process_begin(struct process *process, const struct spawned *spawned, uid_t uid, uint64_t bounding);

/* This pid said ready: NULL when it is a child of ours with that uid and its walls hold, else what it lacks, in words. */
const char *process_adopt(struct process *process, pid_t pid);

/* SIGKILL to whatever there is of it; before adoption every child of ours with its uid. true: nothing is left to wait for. */
bool process_kill(struct process *process);

/* A child of ours has ended, of that uid; *status: of its exit, or -signal. What it was to this process; on PROCESS_GONE *status is the
 * real one's. */
enum process_end process_ended(struct process *process, pid_t pid, uid_t uid, int *status);

bool process_exists(const struct process *process);
/* Whether pid is its launcher or itself. */
bool process_is(const struct process *process, pid_t pid);
