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

enum { WORK_KEY_ROOM = DESTINATION_KEY_MAX + 1 };
/* The key of NAME below FOLDER, of this tenant and kind. */
void work_key(const struct work *w, const char *folder, const char *name, char key[WORK_KEY_ROOM]);
/* LOCAL is our own end, with errno: the spool's disk may be full. */
enum backup_result work_result(enum destination_result result);

/* Where the destination locks: until when the manifest of that number is locked; 0 = not. */
uint64_t work_lock_until(const struct destination *d, const struct work *w, uint64_t number);
/* The same of packs that are sent now: as long as the longest of what is behind `sent`. */
uint64_t work_lock_packs_until(const struct destination *d, const struct work *w, uint64_t sent);
/* Every pack that the snapshot names is there and locked as long as it. */
enum backup_result work_hold_packs(struct destination *d, const struct work *w, uint64_t number);

/* Names at the destination, below one folder. */
struct work_names {
    size_t skip; /* bytes of the key before the name */
    char (*name)[PACK_NAME + 1];
    size_t count;
    uint64_t bytes;                 /* of all of them, as the destination says */
    enum destination_result failed; /* LOCAL: no memory; LIED: too many */
};
/* In their order; the caller frees n->name on DONE. A folder that is not there is empty. */
enum backup_result work_list(struct destination *d, const struct work *w, const char *folder, struct work_names *n);
/* One object into a new file below the spool's folder; its hash. */
enum backup_result work_fetch(struct destination *d, const struct work *w, const char *key, uint64_t most, const char *name,
                              uint8_t hash[BACKUP_HASH]);
/* Every file of a folder of the spool goes, durably; directories stay. */
enum backup_result work_empty(int folder);

/* What errno means of a spool that could not be read or written. */
enum backup_result work_spool_failed(void);

/* Is anything in the local catalogue? */
bool work_has_catalog(const struct work *w);
/* The newest manifest of the catalogue; *number 0 = none, and *m is not set. */
enum backup_result work_newest(const struct work *w, struct manifest *m, uint64_t *number);
/* The newest that is surely at the destination; 0 = unknown. */
uint64_t work_sent(const struct work *w);
enum backup_result work_set_sent(const struct work *w, uint64_t number);

enum { WORK_NAMES_MOST = 1 << 20 };   /* objects of one tenant and kind below a folder there: more is no list */
#define WORK_NUMBER_MOST (1ULL << 40) /* of a snapshot: one a second for 30,000 years */
/* The part of the spool's disk that an adoption leaves free, one in so many, and how long it lasts at most. Tests change them. */
extern uint64_t work_leaves_share, work_adopt_ms;

/* An empty catalogue is filled with what lies at the destination: another machine's, or this one's after its spool was lost. DAMAGED: a
 * manifest there cannot be one of the tenant's; LIED: more than a tenant can have. */
enum backup_result work_adopt(struct destination *d, struct work *w);
/* Packs, then manifests, that the destination has not got. */
enum backup_result work_send(struct destination *d, struct work *w);
/* What is too old goes, the oldest first, and never the newest; all: the plan is at its end, all goes. What is locked stays (C8). */
enum backup_result work_prune(struct destination *d, struct work *w, bool all);
/* Everything that lies there against the catalogue, byte for byte. */
enum backup_result work_check(struct destination *d, struct work *w);
/* The snapshot job.snapshot into w->fd. */
enum backup_result work_give(struct destination *d, struct work *w);
