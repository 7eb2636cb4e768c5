/* The catalogue of a spool that has none, out of what lies at the destination. A manifest's hash needs no key: whoever holds the store can
 * make one. So none is taken that could not be the tenant's own, and all of them take no more room than one snapshot of it may. */
#include "../backup/catalog.h"
#include "../backup/file.h"
#include "../clock.h"
#include "backup_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NEW "fetched"
enum { ALWAYS_ROOM = 256 << 20, AHEAD_MS = 86400000 /* between two machines' clocks */ };

uint64_t work_leaves_share = 64, work_adopt_ms = 1800000;

/* While it is there, the catalogue is not whole yet: what it does not name may still be somebody's. */
#define ADOPTING "adopting"
/* Once it is whole this is there: while nothing was sent, it may well be empty. */
#define ADOPTED "adopted"

bool work_has_catalog(const struct work *w) {
    struct stat st;
    uint64_t *number;
    size_t count;
    if (w->job.foreign || fstatat(w->folder, ADOPTING, &st, AT_SYMLINK_NOFOLLOW) == 0) return false;
    bool of_nothing = work_sent(w) == 0 && fstatat(w->folder, ADOPTED, &st, AT_SYMLINK_NOFOLLOW) == 0; /* nothing lay there */
    bool has = catalog_list(w->manifests, &number, &count) && (count > 0 || of_nothing);
    free(number);
    return has;
}

/* C7, C8: no manifest is believed that is another tenant's or kind's, from the future, or numbered so that none could follow */
static bool fits(const struct work *w, uint64_t number, const struct manifest *m) {
    const struct message_job *j = &w->job;
    return m->number == number && number < WORK_NUMBER_MOST && m->tenant == j->source && m->kind == j->kind &&
           m->taken_ms <= j->now_ms + AHEAD_MS;
}

static enum backup_result judge(const struct work *w, uint64_t number) {
    struct manifest m;
    size_t size;
    uint8_t *bytes = file_load(w->folder, NEW, MANIFEST_MAX, &size);
    if (!bytes) return work_spool_failed();
    bool parsed = manifest_parse(bytes, size, &m);
    enum backup_result result = parsed && fits(w, number, &m) ? BACKUP_DONE : !parsed && errno == ENOMEM ? BACKUP_MEMORY : BACKUP_DAMAGED;
    if (parsed) manifest_free(&m);
    free(bytes);
    return result;
}

/* C7: what a store says fills no disk */
static enum backup_result find_room(const struct work *w, uint64_t bytes) {
    struct statfs fs;
    if (bytes > (w->job.most_bytes > ALWAYS_ROOM ? w->job.most_bytes : ALWAYS_ROOM)) return BACKUP_LIED;
    if (fstatfs(w->folder, &fs) < 0) return work_spool_failed();
    uint64_t left = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize, floor = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize / work_leaves_share;
    return bytes && (left < floor || left - floor < bytes) ? BACKUP_SPOOL_FULL : BACKUP_DONE;
}

/* *left: bytes that may still come. */
static enum backup_result adopt_one(struct destination *d, const struct work *w, const char *name, uint64_t *left) {
    uint8_t hash[BACKUP_HASH];
    char key[WORK_KEY_ROOM];
    struct stat st;
    uint64_t number;
    if (!manifest_name_read(name, &number)) return BACKUP_DONE; /* none of ours */
    work_key(w, "manifests", name, key);
    enum backup_result result = work_fetch(d, w, key, *left < MANIFEST_MAX ? *left : MANIFEST_MAX, NEW, hash);
    if (result == BACKUP_DONE && fstatat(w->folder, NEW, &st, AT_SYMLINK_NOFOLLOW) < 0) return work_spool_failed();
    if (result == BACKUP_DONE) *left -= (uint64_t)st.st_size;
    if (result == BACKUP_DONE) result = judge(w, number);
    if (result == BACKUP_DONE && renameat2(w->folder, NEW, w->manifests, name, 0) < 0) result = work_spool_failed();
    return result;
}

/* A snapshot is given also where another one is damaged; anything else would take that one's packs for nobody's. */
static enum backup_result adopt_all(struct destination *d, const struct work *w, const struct work_names *n, bool *whole) {
    uint64_t left = n->bytes, until = clock_ms() + work_adopt_ms; /* as the list said: none is larger */
    enum backup_result result = find_room(w, n->bytes);
    for (size_t i = 0; result == BACKUP_DONE && i < n->count; i++) {
        result = clock_ms() < until ? adopt_one(d, w, n->name[i], &left) : BACKUP_STALLED;
        if (result != BACKUP_DAMAGED || w->job.task != TASK_GIVE) continue;
        *whole = false;
        result = BACKUP_DONE;
    }
    return result;
}

static enum backup_result end(const struct work *w) {
    uint64_t *number;
    size_t count;
    if (!catalog_list(w->manifests, &number, &count)) return work_spool_failed();
    enum backup_result result = count ? work_set_sent(w, number[count - 1]) : BACKUP_DONE;
    free(number);
    if (result == BACKUP_DONE && !file_store(w->folder, ADOPTED, "", 0)) result = work_spool_failed();
    if (result == BACKUP_DONE && (fsync(w->manifests) < 0 || unlinkat(w->folder, ADOPTING, 0) < 0)) result = work_spool_failed();
    return result;
}

enum backup_result work_adopt(struct destination *d, struct work *w) {
    struct work_names n;
    bool whole = true;
    if (work_has_catalog(w)) return BACKUP_DONE;
    if (!file_store(w->folder, ADOPTING, "", 0)) return work_spool_failed();
    enum backup_result result = work_empty(w->manifests); /* of a try before: other names each time would fill the disk, too */
    if (result == BACKUP_DONE) result = work_list(d, w, "manifests", &n);
    if (result != BACKUP_DONE) return result;
    result = adopt_all(d, w, &n, &whole);
    free(n.name);
    unlinkat(w->folder, NEW, 0);
    if (result != BACKUP_DONE) work_empty(w->manifests);
    return result == BACKUP_DONE && whole ? end(w) : result;
}
