#include "catalog.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool gather(DIR *list, uint64_t **numbers, size_t *count) {
    uint64_t number;
    errno = 0;
    for (struct dirent *e; (e = readdir(list));) {
        if (!manifest_name_read(e->d_name, &number)) continue;
        uint64_t *more = *count % 64 ? *numbers : realloc(*numbers, (*count + 64) * sizeof *more);
        if (!more) return false;
        *numbers = more;
        more[(*count)++] = number;
    }
    return errno == 0;
}

bool catalog_list(int manifests, uint64_t **numbers, size_t *count) {
    *numbers = NULL;
    *count = 0;
    int fd = openat(manifests, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list && fd >= 0) close(fd);
    bool fine = list && gather(list, numbers, count);
    int why = errno;
    if (list) closedir(list);
    if (*count) qsort(*numbers, *count, sizeof **numbers, by_number);
    if (!fine) {
        free(*numbers);
        *numbers = NULL;
        *count = 0;
    }
    errno = why;
    return fine;
}

enum backup_result catalog_load(int manifests, uint64_t number, struct manifest *m) {
    char name[MANIFEST_NAME + 1];
    size_t size;
    manifest_name(number, name);
    uint8_t *bytes = file_load(manifests, name, MANIFEST_MAX, &size);
    if (!bytes) return errno == ENOENT ? BACKUP_ABSENT : errno == ENOMEM ? BACKUP_MEMORY : BACKUP_DAMAGED;
    bool fine = manifest_parse(bytes, size, m);
    enum backup_result result = fine ? BACKUP_DONE : errno == ENOMEM ? BACKUP_MEMORY : BACKUP_DAMAGED;
    free(bytes);
    if (fine && m->number != number) {
        manifest_free(m);
        return BACKUP_DAMAGED;
    }
    return result;
}

bool catalog_head(int manifests, uint64_t number, struct manifest *m) {
    uint8_t head[MANIFEST_HEAD];
    char name[MANIFEST_NAME + 1];
    struct stat st;
    manifest_name(number, name);
    int fd = openat(manifests, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool fine = fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= MANIFEST_HEAD + BACKUP_HASH && file_read(fd, head, sizeof head, 0) &&
                manifest_head(head, m) && file_read(fd, m->hash, BACKUP_HASH, (uint64_t)st.st_size - BACKUP_HASH);
    if (fd >= 0) close(fd);
    return fine && m->number == number;
}

/* ---- the check ---- */

struct checking {
    catalog_look *look;
    void *context;
    struct catalog_verdict *verdict;
    uint8_t (*seen)[BACKUP_HASH]; /* packs that are right, sorted */
    size_t count, room;
};

/* Where the hash is, or belongs. */
static size_t position(const struct checking *c, const uint8_t hash[BACKUP_HASH]) {
    size_t from = 0, to = c->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (memcmp(c->seen[middle], hash, BACKUP_HASH) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool remember(struct checking *c, size_t at, const uint8_t hash[BACKUP_HASH]) {
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 256;
        void *more = realloc(c->seen, room * sizeof *c->seen);
        if (!more) return false;
        c->seen = more;
        c->room = room;
    }
    memmove(c->seen + at + 1, c->seen + at, (c->count - at) * sizeof *c->seen);
    memcpy(c->seen[at], hash, BACKUP_HASH);
    c->count++;
    return true;
}

static enum backup_result check_pack(struct checking *c, const struct pack *p) {
    size_t at = position(c, p->name);
    if (at < c->count && memcmp(c->seen[at], p->name, BACKUP_HASH) == 0) return BACKUP_DONE;
    enum backup_result result = c->look(c->context, p);
    if (result == BACKUP_DONE && !remember(c, at, p->name)) result = BACKUP_MEMORY;
    if (result == BACKUP_DONE) {
        c->verdict->packs++;
        c->verdict->pack_bytes += p->bytes;
        return result;
    }
    c->verdict->wrong_is_pack = true;
    memcpy(c->verdict->wrong_pack, p->name, BACKUP_HASH);
    return result;
}

static enum backup_result check_one(struct checking *c, int manifests, uint64_t number) {
    struct catalog_verdict *v = c->verdict;
    struct manifest m;
    enum backup_result result = catalog_load(manifests, number, &m);
    if (result != BACKUP_DONE) return result;
    if (v->snapshots && memcmp(m.previous, v->hash, BACKUP_HASH) != 0) result = BACKUP_ROLLED_BACK;
    for (uint32_t i = 0; c->look && result == BACKUP_DONE && i < m.packs; i++)
        result = check_pack(c, &m.pack[i]);
    if (result == BACKUP_DONE) {
        v->snapshots++;
        v->newest = number;
        if (!v->oldest) v->oldest = number;
        memcpy(v->hash, m.hash, BACKUP_HASH);
    }
    manifest_free(&m);
    return result;
}

/* C7, C8: a flipped bit, a missing part or an older manifest is found without the key */
static enum backup_result check_all(struct checking *c, int manifests, const uint64_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        enum backup_result result = BACKUP_MISSING;
        c->verdict->wrong_number = numbers[i];
        if (i > 0 && numbers[i] != numbers[i - 1] + 1)
            c->verdict->wrong_number = numbers[i - 1] + 1;
        else
            result = check_one(c, manifests, numbers[i]);
        if (result != BACKUP_DONE) return result;
    }
    c->verdict->wrong_number = 0;
    return BACKUP_DONE;
}

enum backup_result catalog_check(int manifests, uint64_t newest, const uint8_t hash[BACKUP_HASH], catalog_look *look, void *context,
                                 struct catalog_verdict *verdict) {
    struct checking c = {.look = look, .context = context, .verdict = verdict};
    uint64_t *numbers;
    size_t count;
    *verdict = (struct catalog_verdict){0};
    if (!catalog_list(manifests, &numbers, &count)) return BACKUP_DAMAGED;
    enum backup_result result = count ? check_all(&c, manifests, numbers, count) : BACKUP_ABSENT;
    if (result == BACKUP_DONE && newest && (verdict->newest != newest || memcmp(verdict->hash, hash, BACKUP_HASH) != 0)) {
        verdict->wrong_number = newest;
        result = BACKUP_ROLLED_BACK;
    }
    free(numbers);
    free(c.seen);
    return result;
}
