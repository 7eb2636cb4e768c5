/* What the kernel says about a process, and whether its walls suffice: a worker is believed only as far as this goes (H1). */
#pragma once

#include "../policy/messages.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proof { /* the lines of /proc/PID/status that matter */
    bool dead; /* a zombie: its walls are down already */
    pid_t parent;
    bool one_uid; /* real, effective, saved and file system uid are the same */
    uid_t uid;
    uint32_t seccomp; /* 2 = a filter, 3 = it is being ended by one */
    uint32_t filters; /* how many filters; 0 = the kernel does not say (before 5.9) */
    uint32_t no_new_privs;
    uint64_t capabilities; /* inheritable, permitted, effective and ambient together */
    uint64_t bounding;     /* what an exec could give, were it not for no_new_privs */
};

/* Reads the text of a status file: pure. false: a line is missing or not as it must be. */
bool proof_parse(const char *text, struct proof *proof);
/* Of a process; false with errno: none, or not readable. */
bool proof_read(pid_t pid, struct proof *proof);

/* What a child must show. */
struct proof_demand {
    pid_t parent;
    uid_t uid;
    uint32_t filters;  /* it inherits so many: it must have more */
    uint64_t bounding; /* at most these are left in its bounding set */
};

/* What does not suffice, in words; NULL = nothing. */
const char *proof_lacks(const struct proof *proof, const struct proof_demand *demand);

/* The first layer that stops a start; LAYER_COUNT = none. The fences that every kernel since 5.13 has must be on unless `allowed` (bit
 * set, 1 << enum layer) names them; mdwe and cgroup_limits may be unavailable, never off; secret_memory must be on when it is required. */
enum layer proof_missing(const uint8_t layer[64], uint64_t allowed, enum secret_memory secret_memory);

const char *layer_name(enum layer layer);
