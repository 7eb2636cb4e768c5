/*
 * Rotation of the tenant's master key: everything is sealed anew under another TMK into the second data file, in the background while the
 * tenant is served, and then one write of the capsule changes key and file for all slots at once. So a kill at any moment leaves exactly
 * the old or exactly the new. The second file begins empty: a rotation is the store's compaction, too.
 *
 * The wish lies in the capsule. A rotation that was cut short begins anew at the next unsealing, from an empty file; one that cannot go on
 * (quota, disk, damage) stops, says why, and is tried again when asked for again or at the next unsealing. What was left in the file that
 * is not in use stays on the disk, sealed under a key that opens nothing else, until the next start empties it or the next rotation
 * overwrites it.
 *
 * The old TMK is kept, sealed in the capsule: copies of the data file that were made before need it, and open with it (tenant_unseal()).
 * An administrator drops it; who asked for a rotation since somebody else may have the old key drops it at once, since with it that
 * somebody could put a file of his own making back.
 *
 *   GET    /api/v1/rotation            200 {state, reason, copied, total, key_created, kept: [{id, created, retired}]}     admin
 *   POST   /api/v1/rotation            202 the same; asks for one, or for another try; takes a log-in, not a token         admin
 *   DELETE /api/v1/rotation/keys/{id}  204; takes a log-in. What needs that key is lost then; 409 `key-in-use` while the store does   admin
 *
 * state: "idle", "waiting" (asked for, not begun), "copying" or "stopped"; reason says why: "full", "damaged", "out-of-memory", "disk",
 * "too-many" (kept keys), else null. copied of total is in records and index entries. A listing's cursor stays good; an export that streams
 * when the key changes breaks off, since its order is gone.
 */
#pragma once

#include "../web/http.h"

/* The store was unsealed: a rotation that is wanted goes on. */
void rotation_unsealed(void);

/* Asks for one, or for another try; a line of the journal tells who (NULL = nobody). 0 or an errno value: the wish could not be kept. */
int rotation_ask(const uint8_t *user);

/* After web_turn_end(), when nothing waits for a commit: does its share. */
void rotation_turn(void);

extern const struct route rotation_routes[];
