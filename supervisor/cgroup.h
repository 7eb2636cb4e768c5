/*
 * Limits of one tenant by cgroup v2, where a subtree of it is delegated to the supervisor:
 *   DELEGATED/supervisor       the supervisor, the router and the steward
 *   DELEGATED/tenant-NAME      one worker; memory.max, memory.swap.max 0, pids.max, cpu.weight, io.weight
 * Elsewhere cgroup_open() says unavailable and everything else goes on; the posture shows it. All files are root's: no capability is used.
 */
#pragma once

#include "../policy/limits.h"
#include "config.h"

#include <stdbool.h>
#include <stdint.h>

struct cgroup {
    int directory; /* of the delegated subtree, or -1: unavailable */
    bool cpu, io;  /* these controllers are there; memory and pids always are */
    char why[160]; /* when unavailable, in words */
};

/* Takes the delegated subtree: moves this process into its leaf `supervisor` and switches the controllers on.
 * where: "auto" (the supervisor's own cgroup), "off", or the absolute path of a cgroup v2 directory.
 * true: available, or unavailable where that is no error ("off", or "auto" without delegation). false: the path named does not work. */
bool cgroup_open(struct cgroup *cgroup, const char *where);
void cgroup_close(struct cgroup *cgroup);

/* Makes (or finds) a tenant's cgroup and sets its limits. Returns its directory's fd (CLOEXEC, for CLONE_INTO_CGROUP; the caller closes
 * it), or -1 with errno: a limit was not taken, ENOTSUP = unavailable. */
int cgroup_tenant(const struct cgroup *cgroup, const char *name, const struct config_limits *limits);

/* Sets the limits again, e.g. after a reload. 0 or -1 with errno. */
int cgroup_limit(const struct cgroup *cgroup, int tenant, const struct config_limits *limits);

/* The number in one file of a tenant's cgroup, such as memory.current; 0 = unknown, or `max`. */
uint64_t cgroup_number(int tenant, const char *file);

/* How many times the kernel killed a process of this cgroup for its memory limit; 0 = none or unknown. */
uint64_t cgroup_oom_kills(int tenant);

/* Removes a tenant's cgroup. 0 also when there is none; -1 with errno, EBUSY while a process is in it. */
int cgroup_remove(const struct cgroup *cgroup, const char *name);
