/*
 * Reads a snapshot back from a folder of packs, checking every byte of it against the manifest without a key (C7, C8): for a check, for a
 * drill, and as a stream for a restore.
 */
#pragma once

#include "manifest.h"

/* The chunks of the snapshot in the order of its packs, as a stream (head, chunks, end) into `out`; -1 = only looks. The end is written
 * only when everything was right. BACKUP_MISSING, BACKUP_DAMAGED: *wrong (may be NULL) is the index of the pack. BACKUP_NO_STREAM: nobody
 * takes it. */
enum backup_result give_snapshot(int packs, const struct manifest *m, int out, uint32_t *wrong);

/* One pack: its name's hash, its form, its counts. `out` as above; `chunks` and `bytes` (may be NULL) rise by what was live. */
enum backup_result give_pack(int packs, const struct pack *p, int out, uint64_t *chunks, uint64_t *bytes);
