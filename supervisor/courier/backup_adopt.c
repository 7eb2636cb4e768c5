/* The catalogue of a spool that has none, out of what lies at the destination. */
#include "../backup/catalog.h"
#include "../backup/file.h"
#include "backup_work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* While it is there, the catalogue is not whole yet: what it does not name may still be somebody's. */
#define ADOPTING "adopting"
/* Once it is whole this is there, also when nothing lies at the destination. */
#define ADOPTED "adopted"

bool work_has_catalog(const struct work *w) {
    struct stat st;
    uint64_t *number;
    size_t count;
    if (w->job.foreign || fstatat(w->folder, ADOPTING, &st, AT_SYMLINK_NOFOLLOW) == 0) return false;
    if (fstatat(w->folder, ADOPTED, &st, AT_SYMLINK_NOFOLLOW) == 0) return true;
    bool has = catalog_list(w->manifests, &number, &count) && count > 0;
    free(number);
    return has;
}

static enum backup_result adopt_one(struct destination *d, const struct work *w, const char *name) {
    uint8_t hash[BACKUP_HASH];
    char key[WORK_KEY_ROOM];
    work_key(w, "manifests", name, key);
    enum backup_result result = work_fetch(d, w, key, MANIFEST_MAX, "fetched", hash);
    if (result == BACKUP_DONE && renameat2(w->folder, "fetched", w->manifests, name, 0) < 0) result = work_spool_failed();
    return result;
}

enum backup_result work_adopt(struct destination *d, struct work *w) {
    struct work_names n;
    uint64_t number, newest = 0;
    if (work_has_catalog(w)) return BACKUP_DONE;
    if (!file_store(w->folder, ADOPTING, "", 0)) return work_spool_failed();
    enum backup_result result = work_list(d, w, "manifests", &n);
    if (result != BACKUP_DONE) return result;
    for (size_t i = 0; result == BACKUP_DONE && i < n.count; i++) {
        if (!manifest_name_read(n.name[i], &number)) continue;
        result = adopt_one(d, w, n.name[i]);
        newest = number; /* they come in order */
    }
    free(n.name);
    unlinkat(w->folder, "fetched", 0);
    if (result == BACKUP_DONE && newest) result = work_set_sent(w, newest);
    if (result == BACKUP_DONE && !file_store(w->folder, ADOPTED, "", 0)) result = work_spool_failed();
    if (result == BACKUP_DONE && (fsync(w->manifests) < 0 || unlinkat(w->folder, ADOPTING, 0) < 0)) result = work_spool_failed();
    return result;
}
