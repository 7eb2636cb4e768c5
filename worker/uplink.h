/*
 * The worker's side of its channel. Upward go enums, integers and fds, nothing else (S2, S4); each call below is one of them.
 * A channel that fails or closes ends the process: a worker without a supervisor has nothing to do.
 */
#pragma once

#include "../policy/backup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Waits for the first message, WORKER_START, into self.profile. Before the arena exists: nothing in it is secret. Dies without it. */
void uplink_wait_start(void);

/* Registers the channel with self.base. After this the supervisor's messages are served. */
void uplink_start(void);

/* Says ready: `layer` as jail_observe() gave it. */
void uplink_ready(const uint8_t layer[64], uint32_t landlock_abi, uint32_t syscalls, const uint8_t filter_hash[32], uint64_t arena_bytes);

void uplink_state(void); /* sealed or serving, as self.keys says */
void uplink_enrolled(void);
void uplink_references(uint64_t bits);    /* what the tenant may be cited with now, enum reference */
void uplink_regions(uint64_t bits);       /* where copies may be: REGIONS_ bits of the destinations offered last */
void uplink_notice_read(uint32_t number); /* an administrator has acknowledged it */
/* After each turn of the loop: says what had to wait, and uplink_capsule(). */
void uplink_turn(void);
/* Tells the staff how many ways in there are, and hands the capsule up when it has changed and copies are
 * wanted. */
void uplink_capsule(void);
/* The end, once the places of copies have what the capsule holds now. */
void uplink_leave(void);
void uplink_plan(uint64_t packed);         /* an administrator's plan, or its end (C9) */
void uplink_backup(enum backup_kind kind); /* one is wanted now */
void uplink_leaving(uint64_t word);        /* an enum leaving (S14) */
void uplink_plain(bool wanted);            /* the tenant switched web/NAME.sock on or off (C4) */
/* A message to the support, sealed, at most SUPPORT_SEALED_MAX bytes; not before the last one was told of (support_told()). */
void uplink_support(uint64_t reference, const void *sealed, size_t size);
void uplink_support_ask(void); /* tell me of all of them */

/* One password KDF at a time is asked for: granted(argument) is called when it may run, uplink_permit_done() must follow. */
void uplink_want_permit(void (*granted)(void *), void *argument);
void uplink_permit_done(void);

/* The tenant's own lines of the provider's ledger, from that one on, to the one with that COUNT (0 = the newest): lines_came() gets them.
 */
void uplink_want_ledger(uint64_t from, uint64_t last);
