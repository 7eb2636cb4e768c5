#include "copies.h"

#include "clock.h"
#include "errand.h"
#include "log.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "text.h"
#include "wishes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUFFIX = 16, FILE_ROOM = TENANT_NAME_MAX + SUFFIX };

const struct config_place *copies_place(const struct config *config, const char *name) {
    for (uint32_t i = 0; i < config->place_count; i++)
        if (strcmp(config->place[i].name, name) == 0) return &config->place[i];
    return NULL;
}

bool copies_excluded(const struct tenant *t, const char *name) {
    const struct config_place *place = copies_place(&t->house->config, name);
    return !wishes_allow(t, place ? place->region : "");
}

int copies_find(const struct tenant *t, const char *place) {
    for (uint32_t i = 0; i < t->entry->place_count; i++)
        if (strcmp(t->entry->place[i], place) == 0) return (int)i;
    return -1;
}

/* The directory of a listed place; -1 with *why. */
static int open_place(const struct tenant *t, int i, enum copy_result *why) {
    const struct config_place *listed = copies_place(&t->house->config, t->entry->place[i]);
    struct stat st;
    *why = COPY_NO_PLACE;
    if (!listed) return -1;
    int place = open(listed->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *why = COPY_NOT_WRITTEN;
    if (place >= 0 && fstat(place, &st) == 0) {
        if (st.st_uid == 0 && !(st.st_mode & 077)) return place;
        *why = COPY_PLACE_OPEN;
    }
    if (place >= 0) close(place);
    return -1;
}

static void file_of(const struct tenant *t, const char *suffix, char name[FILE_ROOM]) {
    snprintf(name, FILE_ROOM, "%s.capsule%s", t->entry->name, suffix);
}

static bool write_all(int fd, const uint8_t *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, bytes + done, size - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        done += (size_t)written;
    }
    return fsync(fd) == 0;
}

/* Zeros over a file's bytes, in place, on the disk. */
static bool overwrite(int fd) {
    static const uint8_t zeros[CAPSULE_BYTES];
    struct stat st;
    if (fstat(fd, &st) < 0) return false;
    return write_all(fd, zeros, st.st_size < CAPSULE_BYTES ? (size_t)st.st_size : CAPSULE_BYTES);
}

/* The file as a whole takes the old one's place; then the old one's bytes go, which no name leads to any more. */
static bool replace(int place, const char *name, const char *fresh, const uint8_t bytes[CAPSULE_BYTES]) {
    int fd = openat(place, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool fine = write_all(fd, bytes, CAPSULE_BYTES);
    close(fd);
    int old = openat(place, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    fine = fine && renameat(place, fresh, place, name) == 0 && fsync(place) == 0;
    if (old >= 0) {
        fine = fine && overwrite(old);
        close(old);
    }
    return fine;
}

/* S14: what a copy was is overwritten */
/* 0: it is gone, or never was. */
static int destroy(int place, const char *name) {
    int fd = openat(place, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? 0 : -1;
    bool fine = overwrite(fd);
    close(fd);
    return fine ? unlinkat(place, name, 0) : -1;
}

enum copy_result copies_destroy(struct tenant *t, int i) {
    char name[FILE_ROOM], fresh[FILE_ROOM];
    enum copy_result why;
    int place = open_place(t, i, &why);
    if (place < 0) return why;
    file_of(t, "", name);
    file_of(t, ".new", fresh);
    bool gone = destroy(place, name) == 0 && destroy(place, fresh) == 0 && fsync(place) == 0;
    if (!gone) log_errno("tenant %s: the copy at %s", t->entry->name, t->entry->place[i]);
    close(place);
    if (gone) t->copy[i] = (struct copy){0};
    return gone ? COPY_DONE : COPY_NOT_WRITTEN;
}

/* What lies at an excluded place may not be renewed and must not grow old: it goes. */
static enum copy_result drop_copy(struct tenant *t, int i) {
    bool there = t->copy[i].written_ms;
    enum copy_result result = copies_destroy(t, i);
    t->copy[i].current = false;
    if (there)
        ledger_event(t->house->ledger, clock_unix_ms(), "capsule_excluded", supervisor_about(t->entry),
                     result == COPY_DONE ? "destroyed" : "failed");
    return COPY_EXCLUDED;
}

static enum copy_result write_copy(struct tenant *t, int i, const uint8_t bytes[CAPSULE_BYTES]) {
    char name[FILE_ROOM], fresh[FILE_ROOM];
    enum copy_result why;
    /* S8: no copy of the capsule is written where the tenant excludes the region */
    if (copies_excluded(t, t->entry->place[i])) return drop_copy(t, i);
    int place = open_place(t, i, &why);
    if (place >= 0) {
        file_of(t, "", name);
        file_of(t, ".new", fresh);
        why = replace(place, name, fresh, bytes) ? COPY_DONE : COPY_NOT_WRITTEN;
        if (why != COPY_DONE) log_errno("tenant %s: the copy at %s", t->entry->name, t->entry->place[i]);
        close(place);
    }
    t->copy[i].current = why == COPY_DONE;
    if (why == COPY_DONE) t->copy[i].written_ms = clock_unix_ms();
    return why;
}

enum copy_result copies_forget(struct tenant *t, int i) {
    enum copy_result result = copies_destroy(t, i);
    if (result != COPY_DONE) return result;
    struct registry_tenant wanted = *t->entry;
    wanted.place_count--;
    for (uint32_t j = (uint32_t)i; j < wanted.place_count; j++)
        memcpy(wanted.place[j], wanted.place[j + 1], sizeof wanted.place[j]);
    memset(wanted.place[wanted.place_count], 0, sizeof wanted.place[wanted.place_count]);
    if (registry_update(t->house->registry, &wanted) != REGISTRY_DONE) return COPY_NOT_WRITTEN;
    for (uint32_t j = (uint32_t)i; j < wanted.place_count; j++)
        t->copy[j] = t->copy[j + 1];
    t->copy[wanted.place_count] = (struct copy){0};
    if (!wanted.place_count && life_ready(&t->life)) tenant_say(t, MESSAGE_WORKER_CAPSULE, 0, -1);
    tell_tenant(t);
    return COPY_DONE;
}

void copies_look(struct tenant *t) {
    for (uint32_t i = 0; i < t->entry->place_count; i++) {
        char name[FILE_ROOM];
        enum copy_result why;
        struct stat st;
        int place = open_place(t, (int)i, &why);
        if (place < 0) continue;
        file_of(t, "", name);
        if (fstatat(place, name, &st, AT_SYMLINK_NOFOLLOW) == 0) t->copy[i].written_ms = (uint64_t)st.st_mtim.tv_sec * 1000;
        close(place);
    }
}

bool copies_list(struct tenant *t, const char *place) {
    if (copies_find(t, place) >= 0) return true;
    struct registry_tenant wanted = *t->entry;
    errno = ENOSPC;
    if (wanted.place_count == COPIES_MAX) return false;
    TEXT_COPY(wanted.place[wanted.place_count], place);
    wanted.place_count++;
    if (registry_update(t->house->registry, &wanted) != REGISTRY_DONE) return false;
    t->copy[t->entry->place_count - 1] = (struct copy){0};
    tell_tenant(t);
    return true;
}

void copies_want(struct tenant *t) {
    if (t->entry->place_count) tenant_say(t, MESSAGE_WORKER_CAPSULE, 1, -1);
}

/* A memfd of exactly this size that cannot shrink under the reader. */
static bool read_capsule(int fd, uint8_t bytes[CAPSULE_BYTES]) {
    struct stat st;
    int wanted = F_SEAL_SHRINK | F_SEAL_GROW, seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 || st.st_size != CAPSULE_BYTES) return false;
    return pread(fd, bytes, CAPSULE_BYTES, 0) == CAPSULE_BYTES;
}

const char *copies_take(struct tenant *t, int fd) {
    static uint8_t bytes[CAPSULE_BYTES];
    enum copy_result result[COPIES_MAX] = {COPY_DONE};
    if (t->capsule_taken_at) return "handed its capsule up before the last was copied";
    if (!read_capsule(fd, bytes)) return "passed what is no capsule";
    t->capsule_taken_at = clock_ms() + COPIES_PAUSE_MS;
    for (uint32_t i = 0; i < t->entry->place_count; i++)
        result[i] = write_copy(t, (int)i, bytes);
    explicit_bzero(bytes, sizeof bytes);
    tell_tenant(t);
    for (const struct errand *e; (e = errand_asked(t, VERB_capsule_copy));) {
        int i = copies_find(t, e->place);
        enum copy_result is = i < 0 ? COPY_NO_PLACE : result[i];
        errand_answered(t, VERB_capsule_copy, &(struct answer){.result = is == COPY_DONE ? ACT_DONE : ACT_FAILED, .detail = is, .fd = -1});
    }
    copies_taken(t, clock_ms(), t->life.state == LIFE_DRAINING);
    return NULL;
}

/* S14: copies of the key capsule follow it, and nowhere else than the registry says */
void copies_taken(struct tenant *t, uint64_t now, bool at_once) {
    if (!t->capsule_taken_at || (!at_once && now < t->capsule_taken_at)) return;
    t->capsule_taken_at = 0;
    tenant_say(t, MESSAGE_WORKER_CAPSULE_TAKEN, 0, -1);
}
