/*
 * The walls of a process, each one call, in the order a start makes them. Errors: -1 with errno; a caller fails closed.
 *
 * Order of a worker's start (any other leaves a door, see README.md): exec as the tenant's uid, arena, jail_unshare_as_init(),
 * jail_enter_directory(), open what will be needed, jail_drop_rights(), self-test, wall_close().
 */
#pragma once

#include "messages.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The fds every child finds; the rest are closed before exec. */
enum { JAIL_CHANNEL = 3, JAIL_COUNTERS = 4, JAIL_LOCK = 5 };

/* Closes every fd from `first` up. */
int jail_close_from(int first);

/* Gives up root for good: no supplementary groups; gid and uid real, effective and saved. */
int jail_become(uid_t uid, gid_t gid);

/* Keeps these capabilities (bits 1 << CAP_x; those not held are left out) and drops all others from every set, the bounding and ambient
 * ones too, before that locks securebits so that uid 0 regains none by exec. */
int jail_keep_capabilities(uint64_t keep);

/* New user, mount, net, ipc, uts and cgroup namespaces as the uid it is, for a process of one thread. */
int jail_unshare(void);
/* The same and a pid namespace: returns in its new pid 1, a sibling of the caller, whose process exits with status 0. */
int jail_unshare_as_init(void);

/* As jail_unshare but for the net namespace: for a process that must reach the network. */
int jail_unshare_networked(void);

/* The current directory becomes "/", nosuid, nodev, noexec; nothing else is mounted. After jail_unshare. */
int jail_enter_directory(void);

/* The same with an empty, read-only tmpfs: for a process that needs no file at all. */
int jail_enter_empty(void);

/* The same with these directories in it, at their own paths, read-only; one that does not exist is left out. */
int jail_enter_only(const char *const path[], size_t count);

/* No file of it grows past `bytes`: a write there fails with EFBIG. */
int jail_limit_files(uint64_t bytes);

/* No new privileges, MDWE, no capability, not dumpable, no core, Landlock without a single right, death with the parent. Needs no
 * right. What the kernel lacks is left out and shows in jail_observe(). */
int jail_drop_rights(void);

/* What jail_drop_rights_but() leaves: files beneath directories and connections to ports. */
struct jail_opening {
    const int *directory; /* fds: everything but executing and making devices is allowed beneath */
    size_t directories;
    const char *const *readable; /* paths of directories beneath which files may be read; one that does not exist is left out */
    size_t readables;
    const uint16_t *port; /* TCP ports to connect to; a kernel before Landlock's ABI 4 bounds none */
    size_t ports;
};
int jail_drop_rights_but(const struct jail_opening *opening);

/* What holds for the calling process, asked of the kernel. seccomp and secret_memory are left LAYER_UNKNOWN: the caller knows those.
 * *landlock_abi: 0 = none. Call after jail_drop_rights() and before wall_close(). */
void jail_observe(uint8_t layer[64], uint32_t *landlock_abi);
