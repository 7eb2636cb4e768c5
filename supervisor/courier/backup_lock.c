/* The locks of archives at a destination that has its own (C8): each manifest, and every pack that it names, until the snapshot's term is
 * over. A pack that later snapshots share is locked anew for each of them. */
#include "../backup/catalog.h"
#include "backup_work.h"

#include <stdlib.h>

enum { LEAST_MS = 3600000 /* of one whose term is over before it is sent at all: a date that is past is refused */ };

static uint64_t until_of(const struct work *w, const struct manifest *m) {
    uint64_t until = m->taken_ms + m->keep_ms, least = w->job.now_ms + LEAST_MS;
    return until > least ? until : least;
}

uint64_t work_lock_until(const struct destination *d, const struct work *w, uint64_t number) {
    struct manifest m;
    return destination_locks(d) && catalog_head(w->manifests, number, &m) ? until_of(w, &m) : 0;
}

uint64_t work_lock_packs_until(const struct destination *d, const struct work *w, uint64_t sent) {
    uint64_t *number, most = 0;
    size_t count;
    if (!destination_locks(d) || !catalog_list(w->manifests, &number, &count)) return 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t until = number[i] > sent ? work_lock_until(d, w, number[i]) : 0;
        if (until > most) most = until;
    }
    free(number);
    return most;
}

/* C8: before a manifest says that a snapshot is there, every part of it is locked as long as the snapshot */
enum backup_result work_hold_packs(struct destination *d, const struct work *w, uint64_t number) {
    struct manifest m;
    char name[PACK_NAME + 1], key[WORK_KEY_ROOM];
    if (!destination_locks(d)) return BACKUP_DONE;
    enum backup_result result = catalog_load(w->manifests, number, &m);
    if (result != BACKUP_DONE) return result;
    for (uint32_t i = 0; result == BACKUP_DONE && i < m.packs; i++) {
        pack_name(m.pack[i].name, name);
        work_key(w, "packs", name, key);
        result = work_result(destination_hold(d, key, until_of(w, &m)));
    }
    manifest_free(&m);
    return result;
}
