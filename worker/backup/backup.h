/*
 * Backups and archives from the tenant's side (C7, C8, C9): its plans, and the snapshots of its store. A plan states seven things: where,
 * protection, purpose, duration, mechanism, frequency and erasure; it is refused without one. An administrator makes it, in an unsealed
 * tenant; upward go its destination, frequency and duration as one number, and the supervisor keeps to them also while the tenant is sealed
 * or stopped. The snapshot itself is the store as it lies there: sealed values under blind keys, without the key capsule.
 *
 * A destination in a region that the tenant excludes takes no plan: 409 `region-excluded`; a plan that was made before is paused.
 * What else stays under which wall: a plan that was made is paused while its function is off, and goes on when it is on again.
 *
 *   GET    /api/v1/plans             200 {backup: plan | null, archive: plan | null, destinations: [{name, region, archive, allowed}]}
 * admin PUT    /api/v1/plans/backup      200 plan   {where, protection, purpose, duration_hours, mechanism, frequency_minutes, erasure} PUT
 * /api/v1/plans/archive     the same; 409 `elsewhere`: what is kept lies at another destination                 admin, logged in DELETE
 * /api/v1/plans/backup, /api/v1/plans/archive   202: what is kept is erased, an archive as its locks run out admin, logged in GET
 * /api/v1/backups           200 {items: [snapshot]}, the newest first                                           any session POST
 * /api/v1/backups, /archives   202: one now; 409 `no-plan`                                                      any session
 */
#pragma once

#include "../../policy/messages.h"
#include "../web/http.h"

/* The supervisor's messages. pipe, rows: taken over. */
void backup_snapshot(int pipe);
void backup_offer(const struct message_offer *offer);
void backup_plans(const struct message_plans *plans);
void backup_rows(enum backup_kind kind, int rows);

/* Where copies may go, as told last; *count of them. */
const struct message_offer *backup_offers(uint32_t *count);
/* As in the answers to GET plans and GET backups. New values; NULL: out of memory. */
json_t *backup_plans_json(void);
json_t *backup_rows_json(void);

/* After each turn of the loop. */
void backup_turn(void);
/* The store is sealed under another key from here on: what was kept before opens with the one before, so the next snapshot does not wait.
 */
void backup_key_changed(void);

extern const struct route backup_routes[];
