/* What of the machine's own layers holds, asked of the kernel: the second group of layers.def. Shown by `cloison posture`, never decided
 * on. */
#pragma once

#include <linux/capability.h>
#include <stdint.h>

/* What the supervisor keeps after its start: to become a tenant, to give away directories and sockets, to end children. */
#define POSTURE_KEPT (1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_CHOWN | 1ULL << CAP_KILL)

/* Fills the rows of the machine and of this process, leaves those of a worker LAYER_UNKNOWN. *capabilities: what this process has in any of
 * its sets, all when it cannot be read. */
void posture_observe(uint8_t layer[64], uint64_t *capabilities);

/* The judgement of each file's text, pure: enum layer_state. NULL = the file is not there. */
uint8_t posture_yama(const char *text);            /* /proc/sys/kernel/yama/ptrace_scope */
uint8_t posture_lockdown(const char *text);        /* /sys/kernel/security/lockdown */
uint8_t posture_no_swap(const char *text);         /* /proc/swaps */
uint8_t posture_no_hibernation(const char *text);  /* /sys/power/disk */
uint8_t posture_no_core_pattern(const char *text); /* /proc/sys/kernel/core_pattern */
uint8_t posture_no_ksm(const char *text);          /* /sys/kernel/mm/ksm/run */
