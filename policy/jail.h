/*
 * The walls of a process, each one call, in the order a start makes them. Errors: -1 with errno; a caller fails closed.
 *
 * Order of a worker's start (any other leaves a door, see README.md): exec as the tenant's uid, arena, jail_unshare_as_init(),
 * jail_enter_directory(), open what will be needed, jail_drop_rights(), self-test, wall_close().
 */
#pragma once

#include "messages.h"

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

/* The current directory becomes "/", nosuid, nodev, noexec; nothing else is mounted. After jail_unshare. */
int jail_enter_directory(void);

/* The same with an empty, read-only tmpfs: for a process that needs no file at all. */
int jail_enter_empty(void);

/* No file of it grows past `bytes`: a write there fails with EFBIG. */
int jail_limit_files(uint64_t bytes);

/* No new privileges, MDWE, no capability, not dumpable, no core, Landlock without a single right, death with the parent. Needs no
 * right. What the kernel lacks is left out and shows in jail_observe(). */
int jail_drop_rights(void);

/* What holds for the calling process, asked of the kernel. seccomp and secret_memory are left LAYER_UNKNOWN: the caller knows those.
 * *landlock_abi: 0 = none. Call after jail_drop_rights() and before wall_close(). */
void jail_observe(uint8_t layer[64], uint32_t *landlock_abi);
