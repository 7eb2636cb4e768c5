#include "backup_work.h"

#include "../backup/catalog.h"
#include "../backup/file.h"
#include "../backup/give.h"
#include "courier.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum backup_result work_spool_failed(void) {
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? BACKUP_SPOOL_FULL : errno == ENOMEM ? BACKUP_MEMORY : BACKUP_SPOOL;
}

enum backup_result work_result(enum destination_result r) {
    if (r == DESTINATION_LOCAL) return work_spool_failed();
    static const enum backup_result result[] = {[DESTINATION_DONE] = BACKUP_DONE,
                                                [DESTINATION_EXISTS] = BACKUP_LIED,
                                                [DESTINATION_ABSENT] = BACKUP_MISSING,
                                                [DESTINATION_REFUSED] = BACKUP_REFUSED,
                                                [DESTINATION_FULL] = BACKUP_FULL,
                                                [DESTINATION_LIED] = BACKUP_LIED,
                                                [DESTINATION_UNREACHABLE] = BACKUP_UNREACHABLE,
                                                [DESTINATION_UNLOCKED] = BACKUP_UNLOCKED,
                                                [DESTINATION_LOCKED] = BACKUP_LOCKED};
    return result[r];
}

void work_key(const struct work *w, const char *folder, const char *name, char key[WORK_KEY_ROOM]) {
    snprintf(key, WORK_KEY_ROOM, "%s%s/%s", w->prefix, folder, name);
}

/* ---- the catalogue ---- */

enum backup_result work_newest(const struct work *w, struct manifest *m, uint64_t *number) {
    uint64_t *all;
    size_t count;
    *number = 0;
    if (!catalog_list(w->manifests, &all, &count)) return work_spool_failed();
    uint64_t newest = count ? all[count - 1] : 0;
    free(all);
    enum backup_result result = newest ? catalog_load(w->manifests, newest, m) : BACKUP_DONE;
    if (result == BACKUP_DONE) *number = newest;
    return result;
}

uint64_t work_sent(const struct work *w) {
    size_t size;
    uint64_t number = 0;
    char *text = (char *)file_load(w->folder, "sent", MANIFEST_NAME, &size);
    if (text && size == MANIFEST_NAME) {
        text[size] = '\0';
        manifest_name_read(text, &number);
    }
    free(text);
    return number;
}

enum backup_result work_set_sent(const struct work *w, uint64_t number) {
    char text[MANIFEST_NAME + 1];
    manifest_name(number, text);
    return file_store(w->folder, "sent", text, MANIFEST_NAME) ? BACKUP_DONE : work_spool_failed();
}

/* ---- names at the destination ---- */

static bool visit(void *context, const char *key, uint64_t size) {
    struct work_names *n = context;
    if (strlen(key) <= n->skip || strlen(key) - n->skip > PACK_NAME) return true;
    if (n->count == WORK_NAMES_MOST) {
        n->failed = DESTINATION_LIED;
        return false;
    }
    void *more = n->count % 256 ? n->name : realloc(n->name, (n->count + 256) * sizeof *n->name);
    if (!more) n->failed = DESTINATION_LOCAL;
    if (!more) return false;
    n->name = more;
    n->bytes = size > UINT64_MAX - n->bytes ? UINT64_MAX : n->bytes + size;
    snprintf(n->name[n->count++], PACK_NAME + 1, "%s", key + n->skip);
    return true;
}

enum backup_result work_list(struct destination *d, const struct work *w, const char *folder, struct work_names *n) {
    char prefix[WORK_KEY_ROOM];
    work_key(w, folder, "", prefix);
    *n = (struct work_names){.skip = strlen(prefix)};
    enum backup_result result = work_result(destination_list(d, prefix, visit, n));
    if (n->failed) result = n->failed == DESTINATION_LIED ? BACKUP_LIED : BACKUP_MEMORY;
    if (result == BACKUP_MISSING) result = BACKUP_DONE; /* nothing is there */
    if (result != BACKUP_DONE) free(n->name);
    return result;
}

enum backup_result work_fetch(struct destination *d, const struct work *w, const char *key, uint64_t most, const char *name,
                              uint8_t hash[BACKUP_HASH]) {
    uint64_t size;
    int fd = openat(w->folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return work_spool_failed();
    enum backup_result result = work_result(destination_get(d, key, fd, most, &size, hash));
    if (result == BACKUP_DONE && fsync(fd) < 0) result = work_spool_failed();
    close(fd);
    return result;
}

/* ---- packs that the catalogue names ---- */

struct set {
    uint8_t (*hash)[BACKUP_HASH];
    size_t count;
};

static int by_hash(const void *a, const void *b) { return memcmp(a, b, BACKUP_HASH); }
static bool set_has(const struct set *s, const uint8_t hash[BACKUP_HASH]) {
    return s->count && bsearch(hash, s->hash, s->count, sizeof *s->hash, by_hash);
}

static bool set_add(struct set *s, const struct manifest *m) {
    void *more = realloc(s->hash, (s->count + m->packs + 1) * sizeof *s->hash);
    if (!more) return false;
    s->hash = more;
    for (uint32_t i = 0; i < m->packs; i++)
        memcpy(s->hash[s->count++], m->pack[i].name, BACKUP_HASH);
    return true;
}

/* Of all manifests. A catalogue with a damaged one names nothing: then nothing is taken for unused. */
static enum backup_result named(const struct work *w, struct set *s) {
    uint64_t *number;
    size_t count;
    struct manifest m;
    *s = (struct set){0};
    if (!catalog_list(w->manifests, &number, &count)) return work_spool_failed();
    enum backup_result result = BACKUP_DONE;
    for (size_t i = 0; result == BACKUP_DONE && i < count; i++) {
        result = catalog_load(w->manifests, number[i], &m);
        if (result != BACKUP_DONE) break;
        if (!set_add(s, &m)) result = BACKUP_MEMORY;
        manifest_free(&m);
    }
    free(number);
    if (s->count) qsort(s->hash, s->count, sizeof *s->hash, by_hash);
    if (result != BACKUP_DONE) free(s->hash);
    return result;
}

/* ---- send ---- */

static enum backup_result put_file(struct destination *d, int folder, const char *name, const char *key, const uint8_t hash[BACKUP_HASH],
                                   uint64_t until, bool *existed) {
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0) close(fd);
        return work_spool_failed();
    }
    enum destination_result put = destination_put(d, key, fd, 0, (uint64_t)st.st_size, hash, true, until);
    close(fd);
    *existed = put == DESTINATION_EXISTS;
    return *existed ? BACKUP_DONE : work_result(put);
}

/* A pack that is there already is the same by its name; only its size is asked for: a check reads the bytes. */
static enum backup_result send_pack(struct destination *d, const struct work *w, const char *name, const uint8_t hash[BACKUP_HASH],
                                    uint64_t until) {
    char key[WORK_KEY_ROOM];
    struct stat st;
    uint64_t size = 0;
    bool existed;
    work_key(w, "packs", name, key);
    enum backup_result result = put_file(d, w->packs, name, key, hash, until, &existed);
    if (result != BACKUP_DONE) return result;
    if (existed && fstatat(w->packs, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        result = work_result(destination_size(d, key, &size));
        if (result == BACKUP_DONE && size != (uint64_t)st.st_size) result = BACKUP_LIED;
    }
    if (result == BACKUP_DONE && unlinkat(w->packs, name, 0) < 0) result = work_spool_failed();
    return result;
}

static enum backup_result send_packs(struct destination *d, const struct work *w, const struct set *s, uint64_t until) {
    uint8_t hash[BACKUP_HASH];
    enum backup_result result = BACKUP_DONE;
    int fd = openat(w->packs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = fd < 0 ? NULL : fdopendir(fd);
    if (!all) return work_spool_failed();
    for (struct dirent *e; result == BACKUP_DONE && (e = readdir(all));) {
        if (e->d_name[0] == '.') continue;
        if (pack_name_read(e->d_name, hash) && set_has(s, hash))
            result = send_pack(d, w, e->d_name, hash, until);
        else
            unlinkat(w->packs, e->d_name, 0); /* of a snapshot that did not come about */
    }
    closedir(all);
    return result;
}

static enum backup_result file_hash(int folder, const char *name, uint8_t hash[BACKUP_HASH]) {
    size_t size;
    uint8_t *bytes = file_load(folder, name, MANIFEST_MAX, &size);
    if (!bytes) return work_spool_failed();
    file_sha256(bytes, size, hash);
    free(bytes);
    return BACKUP_DONE;
}

/* What is there under the number must be this very manifest. */
static enum backup_result compare_manifest(struct destination *d, const struct work *w, const char *name, const uint8_t hash[BACKUP_HASH]) {
    char key[WORK_KEY_ROOM];
    uint8_t there[BACKUP_HASH];
    work_key(w, "manifests", name, key);
    enum backup_result result = work_fetch(d, w, key, MANIFEST_MAX, "fetched", there);
    if (result == BACKUP_DONE && memcmp(there, hash, BACKUP_HASH) != 0) result = BACKUP_DAMAGED;
    return result;
}

static enum backup_result send_manifest(struct destination *d, const struct work *w, uint64_t number) {
    char name[MANIFEST_NAME + 1], key[WORK_KEY_ROOM];
    uint8_t hash[BACKUP_HASH];
    bool existed = false;
    manifest_name(number, name);
    work_key(w, "manifests", name, key);
    uint64_t until = work_lock_until(d, w, number);
    enum backup_result result = work_hold_packs(d, w, number);
    if (result == BACKUP_DONE) result = file_hash(w->manifests, name, hash);
    if (result == BACKUP_DONE) result = put_file(d, w->manifests, name, key, hash, until, &existed);
    if (result == BACKUP_DONE && existed) result = compare_manifest(d, w, name, hash);
    if (result == BACKUP_DONE && existed) result = work_result(destination_hold(d, key, until));
    unlinkat(w->folder, "fetched", 0);
    return result == BACKUP_DAMAGED ? BACKUP_LIED : result == BACKUP_DONE ? work_set_sent(w, number) : result;
}

enum backup_result work_send(struct destination *d, struct work *w) {
    struct set s;
    uint64_t *number, sent = work_sent(w);
    size_t count;
    enum backup_result result = named(w, &s);
    if (result != BACKUP_DONE) return result;
    result = send_packs(d, w, &s, work_lock_packs_until(d, w, sent));
    free(s.hash);
    if (result != BACKUP_DONE) return result;
    if (!catalog_list(w->manifests, &number, &count)) return work_spool_failed();
    for (size_t i = 0; result == BACKUP_DONE && i < count; i++)
        if (number[i] > sent) result = send_manifest(d, w, number[i]);
    free(number);
    return result;
}

/* ---- prune ---- */

static bool elapsed(uint64_t from, uint64_t to, uint64_t ms) { return to >= from && to - from >= ms; }

/* C8: what an archive holds stays until its lock is over, whatever became of the plan */
/* Its term is over: an archive's by the clock *and* by the time that the house has run, so that a clock set forward ends no lock. */
static bool may_go(const struct work *w, const struct manifest *m, bool all) {
    const struct message_job *j = &w->job;
    if (m->kind == BACKUP_ARCHIVE) return elapsed(m->taken_ms, j->now_ms, m->keep_ms) && elapsed(m->counted_ms, j->counted_ms, m->keep_ms);
    return all || elapsed(m->taken_ms, j->now_ms, j->keep_ms);
}

static enum backup_result remove_manifest(struct destination *d, const struct work *w, uint64_t number) {
    char name[MANIFEST_NAME + 1], key[WORK_KEY_ROOM];
    manifest_name(number, name);
    work_key(w, "manifests", name, key);
    enum destination_result gone = destination_delete(d, key);
    if (gone != DESTINATION_DONE && gone != DESTINATION_ABSENT) return work_result(gone);
    return unlinkat(w->manifests, name, 0) == 0 ? BACKUP_DONE : work_spool_failed();
}

/* Packs that no manifest names any more. */
static enum backup_result sweep(struct destination *d, const struct work *w, bool *locked) {
    struct work_names n;
    struct set s;
    uint8_t hash[BACKUP_HASH];
    char key[WORK_KEY_ROOM];
    enum backup_result result = named(w, &s);
    if (result != BACKUP_DONE) return result;
    result = work_list(d, w, "packs", &n);
    if (result == BACKUP_DONE) {
        for (size_t i = 0; result == BACKUP_DONE && i < n.count; i++) {
            if (!pack_name_read(n.name[i], hash) || set_has(&s, hash)) continue;
            work_key(w, "packs", n.name[i], key);
            enum destination_result gone = destination_delete(d, key);
            if (gone == DESTINATION_LOCKED)
                *locked = true; /* by the store's own clock: the next time */
            else if (gone != DESTINATION_ABSENT)
                result = work_result(gone);
        }
        free(n.name);
    }
    free(s.hash);
    return result;
}

static enum backup_result prune_some(struct destination *d, struct work *w, const uint64_t *number, size_t count, bool all) {
    struct manifest m;
    for (size_t i = 0; i + !all < count; i++) {
        if (!catalog_head(w->manifests, number[i], &m)) return BACKUP_DAMAGED;
        if (!may_go(w, &m, all)) return all ? BACKUP_LOCKED : BACKUP_DONE;
        enum backup_result result = remove_manifest(d, w, number[i]);
        if (result == BACKUP_LOCKED && !all) return BACKUP_DONE; /* by the store's own clock: the next time */
        if (result != BACKUP_DONE) return result;
        w->outcome.pruned++;
    }
    return BACKUP_DONE;
}

enum backup_result work_empty(int folder) {
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    bool fine = names;
    if (!names && fd >= 0) close(fd);
    if (fine) errno = 0;
    for (struct dirent *e; fine && (e = readdir(names)); errno = fine ? 0 : errno)
        fine = unlinkat(folder, e->d_name, 0) == 0 || errno == EISDIR;
    fine = fine && errno == 0 && fsync(folder) == 0;
    enum backup_result result = fine ? BACKUP_DONE : work_spool_failed();
    if (names) closedir(names);
    return result;
}

enum backup_result work_prune(struct destination *d, struct work *w, bool all) {
    uint64_t *number;
    size_t count;
    if (!catalog_list(w->manifests, &number, &count)) return work_spool_failed();
    enum backup_result result = prune_some(d, w, number, count, all);
    free(number);
    if (w->outcome.pruned || all) {
        bool locked = false;
        enum backup_result swept = sweep(d, w, &locked);
        if (swept == BACKUP_DONE && locked && all) swept = BACKUP_LOCKED;
        if (result == BACKUP_DONE) result = swept;
    }
    if (all && result == BACKUP_DONE) result = work_empty(w->packs); /* what was taken and never sent is the tenant's, too */
    if (all && result == BACKUP_DONE) result = work_empty(w->folder);
    return result;
}

/* ---- check and give ---- */

struct looking {
    struct destination *d;
    struct work *w;
    int out;
    uint64_t chunks, bytes;
};

/* Out of the spool when it is not sent yet, else fetched, looked at and dropped. */
static enum backup_result look(void *context, const struct pack *p) {
    struct looking *l = context;
    char name[PACK_NAME + 1], key[WORK_KEY_ROOM];
    uint8_t hash[BACKUP_HASH];
    enum backup_result result = give_pack(l->w->packs, p, l->out, &l->chunks, &l->bytes);
    if (result != BACKUP_MISSING) return result;
    pack_name(p->name, name);
    work_key(l->w, "packs", name, key);
    result = work_fetch(l->d, l->w, key, p->bytes, name, hash);
    if (result == BACKUP_LIED) result = BACKUP_DAMAGED; /* more bytes than it had */
    if (result == BACKUP_DONE) result = give_pack(l->w->folder, p, l->out, &l->chunks, &l->bytes);
    unlinkat(l->w->folder, name, 0);
    return result;
}

/* The manifests there are those of the catalogue. */
static enum backup_result check_manifests(struct destination *d, struct work *w) {
    uint64_t *number, sent = work_sent(w);
    size_t count;
    uint8_t hash[BACKUP_HASH];
    char name[MANIFEST_NAME + 1];
    if (!catalog_list(w->manifests, &number, &count)) return work_spool_failed();
    enum backup_result result = BACKUP_DONE;
    for (size_t i = 0; result == BACKUP_DONE && i < count && number[i] <= sent; i++) {
        manifest_name(number[i], name);
        w->outcome.wrong_number = number[i];
        result = file_hash(w->manifests, name, hash);
        if (result == BACKUP_DONE) result = compare_manifest(d, w, name, hash);
        if (result == BACKUP_LIED) result = BACKUP_DAMAGED;
    }
    if (result == BACKUP_DONE) w->outcome.wrong_number = 0;
    unlinkat(w->folder, "fetched", 0);
    free(number);
    return result;
}

enum backup_result work_check(struct destination *d, struct work *w) {
    struct looking l = {.d = d, .w = w, .out = -1};
    struct catalog_verdict v;
    struct message_outcome *o = &w->outcome;
    enum backup_result result = check_manifests(d, w);
    if (result != BACKUP_DONE) return result;
    result = catalog_check(w->manifests, w->job.known, w->job.hash, look, &l, &v);
    o->packs = v.packs;
    o->pack_bytes = v.pack_bytes;
    o->wrong_number = v.wrong_number;
    o->wrong_is_pack = v.wrong_is_pack;
    memcpy(o->wrong_pack, v.wrong_pack, BACKUP_HASH);
    return result;
}

static enum backup_result give(struct looking *l, const struct manifest *m) {
    uint8_t first[STREAM_HEAD], last[STREAM_END];
    stream_head_write(&(struct stream_head){.commit = m->commit, .key_created = m->key_created}, first);
    if (!file_write(l->out, first, sizeof first)) return BACKUP_NO_STREAM;
    for (uint32_t i = 0; i < m->packs; i++) {
        enum backup_result result = look(l, &m->pack[i]);
        if (result != BACKUP_DONE) return result;
    }
    if (l->chunks != m->chunks || l->bytes != m->bytes) return BACKUP_DAMAGED;
    stream_end_write(l->chunks, l->bytes, last);
    return file_write(l->out, last, sizeof last) ? BACKUP_DONE : BACKUP_NO_STREAM;
}

enum backup_result work_give(struct destination *d, struct work *w) {
    struct looking l = {.d = d, .w = w, .out = w->fd};
    struct manifest m;
    uint64_t number = w->job.snapshot;
    enum backup_result result = number ? catalog_load(w->manifests, number, &m) : work_newest(w, &m, &number);
    if (result != BACKUP_DONE) return result;
    if (!number) return BACKUP_ABSENT;
    result = give(&l, &m);
    struct snapshot_row *row = &w->outcome.newest;
    *row =
        (struct snapshot_row){.number = number, .taken_ms = m.taken_ms, .key_created = m.key_created, .commit = m.commit, .kind = m.kind};
    row->chunks = m.chunks;
    row->bytes = m.bytes;
    memcpy(row->hash, m.hash, BACKUP_HASH);
    manifest_free(&m);
    return result;
}
