/* The walls of a process, each one call, in the order a start makes them. Errors: -1 with errno unless said otherwise; fail closed. */
#pragma once

#include "messages.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The fds every child finds; the rest are closed before exec. */
enum { JAIL_CHANNEL = 3, JAIL_COUNTERS = 4, JAIL_LOCK = 5 };

/* Closes every fd from `first` up. */
int jail_close_from(int first);
/* Gives up root for good: no supplementary groups, gid and uid in all three places. */
int jail_become(uid_t uid, gid_t gid);
/* Keeps these capabilities (bit set, 1 << CAP_x) and drops the others from every set, the bounding and ambient ones too. */
int jail_keep_capabilities(uint64_t keep);
/* An empty root: what is the directory fd's becomes "/"; the rest of the mount tree is gone. For the router and the steward: any empty dir. */
int jail_chroot_empty(void);

/* The worker's own: new user, mount, pid, net, ipc, uts and cgroup namespaces as the uid it is, then pid 1 as a sibling (CLONE_PARENT):
 * returns 0 in the new pid 1; the caller's process exits with status 0. The current directory becomes the only thing that is mounted. */
int jail_unshare(void);
int jail_enter_directory(void); /* pivots into the current directory, nosuid, nodev, noexec */

int jail_no_new_privs(void);
int jail_not_dumpable(void);
int jail_mdwe(void);                 /* ENOSYS/EINVAL: the kernel has none */
int jail_landlock(int *abi);         /* no new file may be opened or made; *abi 0: the kernel has none */
int jail_die_with_parent(void);

/* Reads what holds for the calling process from the kernel, not from what was asked. */
void jail_observe(uint8_t layer[64]);
