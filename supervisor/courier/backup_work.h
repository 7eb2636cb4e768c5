/* What a job is made of: the steps between the spool's folder and the destination. */
#pragma once

#include "../../policy/messages.h"
#include "../backup/manifest.h"
#include "destination.h"

struct courier;

struct work {
    struct courier *courier;
    struct message_job job;
    int fd;                       /* the pipe; -1 = none */
    int folder, manifests, packs; /* in the spool */
    char prefix[64];              /* of its keys at the destination */
    struct message_outcome outcome;
};

/* What errno means of a spool that could not be read or written. */
enum backup_result work_spool_failed(void);

/* Is anything in the local catalogue? */
bool work_has_catalog(const struct work *w);
/* The newest manifest of the catalogue; *number 0 = none, and *m is not set. */
enum backup_result work_newest(const struct work *w, struct manifest *m, uint64_t *number);
/* The newest that is surely at the destination; 0 = unknown. */
uint64_t work_sent(const struct work *w);

/* An empty catalogue is filled with what lies at the destination: another machine's, or this one's after its spool was lost. */
enum backup_result work_adopt(struct destination *d, struct work *w);
/* Packs, then manifests, that the destination has not got. */
enum backup_result work_send(struct destination *d, struct work *w);
/* What is too old goes, the oldest first, and never the newest; all: the plan is at its end, all goes. What is locked stays (C8). */
enum backup_result work_prune(struct destination *d, struct work *w, bool all);
/* Everything that lies there against the catalogue, byte for byte. */
enum backup_result work_check(struct destination *d, struct work *w);
/* The snapshot job.snapshot into w->fd. */
enum backup_result work_give(struct destination *d, struct work *w);
