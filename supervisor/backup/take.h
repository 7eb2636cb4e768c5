/*
 * Takes a worker's snapshot from its pipe into a folder: packs of the chunks that are new, then the table, then the manifest, each durable
 * before the next (C7). One that fails removes the packs that it made. One that is killed leaves packs that no manifest names: the next one
 * makes them anew or the courier removes them.
 *
 * The folder: packs/HASH, manifests/NUMBER and table (of the newest manifest).
 */
#pragma once

#include "manifest.h"

enum {
    TAKE_PATIENCE_MS = 20000, /* a worker that gives nothing for so long gives no snapshot, */
    TAKE_SLACK_MS = 60000,    /* nor one that gives less than TAKE_SLOWEST from then on, */
    TAKE_SLOWEST = 1 << 20,   /* bytes a second, */
    TAKE_MOST_MS = 3600000,   /* nor one that is not done by then */
};

struct take {
    int stream;                    /* the pipe's read end, borrowed */
    int folder;                    /* borrowed */
    const struct manifest *before; /* the newest snapshot there is; NULL = none: everything is new */
    uint64_t tenant, number, taken_ms, keep_ms, counted_ms;
    enum backup_kind kind;
    uint64_t most_bytes; /* of the chunks in the stream: more is no snapshot */
    uint64_t slack_ms;   /* before its speed is looked at */
    uint64_t most_ms;    /* for the whole stream */
};

/* *made: the new manifest, the caller's to free. *fresh: bytes of the packs that were written for it. */
enum backup_result take_snapshot(const struct take *t, struct manifest *made, uint64_t *fresh);
