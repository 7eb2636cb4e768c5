/* Births: fork, become somebody else, exec. Decides nothing: lifecycle.h says whether. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawned {
    pid_t pid;   /* the process forked; for a worker it exits with 0 once the real one runs, whose pid comes with WORKER_READY */
    int pidfd;   /* of that process; the caller closes it */
    int channel; /* the supervisor's end; the caller closes it */
};

/* The router or the steward. binary: absolute path. uid, gid: who it becomes. 0, or -1 with errno and nothing started. */
int spawn_service(const char *binary, uid_t uid, gid_t gid, struct spawned *out);

/* A tenant's worker: becomes `uid`, enters `directory`, takes the lock on it (waits there: an orphan may still hold it), execs. cgroup: fd
 * of its cgroup v2 directory or -1. counters: fd of its page. title: what ps shows. */
int spawn_worker(const char *binary, const char *title, uid_t uid, const char *directory, int cgroup, int counters, struct spawned *out);

/* Starts the loader with that uid in that directory: it reads `stream` (borrowed) and makes a data file of `quota` bytes at most.
 * by_capsule: under the name that the key capsule there says, else "data.mdb". Its pid, or -1 with errno; the exit status is 0 or an errno
 * value. */
pid_t spawn_loader(const char *binary, uid_t uid, const char *directory, int stream, uint64_t quota, bool by_capsule);

/* Starts a child that becomes `uid`, overwrites the capsule and the identity in `directory` and removes every file there; its exit status
 * is 0 when all is gone and on the disk. It waits for no lock and ends with us. Its pid, or -1 with errno. */
pid_t spawn_emptier(uid_t uid, const char *directory);

/* Makes a tenant's directory, mode 0700, owned by uid; its parent must be root's. EEXIST when it is there. */
int spawn_make_directory(uid_t uid, const char *directory);
