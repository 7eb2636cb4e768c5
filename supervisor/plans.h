/*
 * The tenants' plans for backups and archives (C7, C8, C9), what came of them last, and how long the house has run in all: STATE_DIR/plans,
 * text, replaced whole like the registry. A tenant's administrator makes a plan, in an unsealed worker; staff has no verb for it.
 *
 * The time that the house has run is counted by a clock that nobody can set, and never while it does not run: a retention lock counted
 * with it ends too late, never too early (C8).
 */
#pragma once

#include "../policy/backup.h"
#include "../policy/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLANS_ERROR_MAX = 512,
    PLANS_KEEP_MS = 600000, /* so much of the count may be lost by a crash */
    PLANS_AGAIN_MS = 10000, /* after what could not be written */
};

struct plan_row {
    uint32_t tenant; /* its number */
    uint32_t kind;   /* enum backup_kind */
    char destination[DESTINATION_NAME_MAX + 1];
    uint32_t period_minutes; /* 0: the plan is at its end, and what lies at the destination goes as soon as it may */
    uint32_t keep_hours;
    bool paused;      /* no snapshots meanwhile */
    uint64_t last_ms; /* Unix time of the newest snapshot, 0 = none */
    uint64_t number;  /* of that snapshot */
    uint8_t hash[BACKUP_HASH];
};

struct plans;

/* NULL with error: unreadable or damaged, with the line. */
struct plans *plans_open(const char *state_dir, char error[PLANS_ERROR_MAX]);
void plans_close(struct plans *plans);

/* Valid until the next change. NULL = none. */
const struct plan_row *plans_find(const struct plans *plans, uint32_t tenant, enum backup_kind kind);
/* Enters or replaces the tenant's row of that kind, on the disk. false with errno: nothing has changed. */
bool plans_put(struct plans *plans, const struct plan_row *row);
/* The same of a row that is there, with what came of it or that it ends: counts at once, and is on the disk as soon as that works. */
void plans_note(struct plans *plans, const struct plan_row *row);
bool plans_remove(struct plans *plans, uint32_t tenant, enum backup_kind kind);

/* Ms that the house has run in all. */
uint64_t plans_counted(const struct plans *plans);
/* Writes the count when PLANS_KEEP_MS have passed since it was written, or at once, and what could not be written before. */
void plans_keep(struct plans *plans, bool at_once);

/* Whether a snapshot is due: also when the clock was set back behind the last one. */
bool plan_due(const struct plan_row *row, uint64_t now_ms);
