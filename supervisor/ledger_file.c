#include "ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 256 << 10, NAME_ROOM = 32 };

/* ---- the ends of the tenants' chains ---- */

static struct ledger_tail *tail_of(const struct ledger_file *f, uint32_t tenant) {
    for (size_t i = 0; i < f->own_count; i++)
        if (f->own[i].tenant == tenant) return &f->own[i];
    return NULL;
}

/* The same, made when there is none; NULL: no memory. */
static struct ledger_tail *tail_for(struct ledger_file *f, const struct ledger_line *line) {
    struct ledger_tail *tail = tail_of(f, line->tenant);
    if (tail) return tail;
    struct ledger_tail *more = reallocarray(f->own, f->own_count + 1, sizeof *more);
    if (!more) return NULL;
    f->own = more;
    tail = &more[f->own_count++];
    *tail = (struct ledger_tail){.tenant = line->tenant};
    memcpy(tail->name, line->name, sizeof tail->name);
    return tail;
}

struct ledger_own ledger_file_own(const struct ledger_file *f, uint32_t tenant) {
    const struct ledger_tail *tail = tail_of(f, tenant);
    return tail ? tail->synced : (struct ledger_own){0};
}

/* ---- writing ---- */

int ledger_file_reserve(struct ledger_file *f) {
    if (f->no_reserve || f->size + LEDGER_LINE_MAX + LEDGER_RESERVE <= f->allocated) return 0;
    uint64_t end = f->size + 2 * LEDGER_RESERVE;
    if (fallocate(f->file, FALLOC_FL_KEEP_SIZE, (off_t)f->size, (off_t)(end - f->size)) == 0) {
        f->allocated = end;
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return -1;
    f->no_reserve = true;
    return 0;
}

int ledger_file_sync(struct ledger_file *f) {
    if (f->broken) return errno = EIO, -1;
    if (f->synced.count == f->head.count) return 0;
    if (fdatasync(f->file) < 0) {
        f->broken = true; /* the kernel forgets which pages failed: a second try would lie */
        return -1;
    }
    f->synced = f->head;
    for (size_t i = 0; i < f->own_count; i++)
        f->own[i].synced = f->own[i].now;
    return 0;
}

static int put_text(struct ledger_file *f, const char *text, size_t size) {
    if (f->torn && ftruncate(f->file, (off_t)f->size) < 0) return -1;
    if (f->torn) f->allocated = f->size;
    f->torn = false;
    ssize_t written = pwrite(f->file, text, size, (off_t)f->size);
    if (written == (ssize_t)size) return 0;
    f->torn = written > 0;
    if (written >= 0) errno = ENOSPC;
    return -1;
}

/* S11: the ledger is a chain of hashes: a line that is changed or missing breaks it */
int ledger_file_put(struct ledger_file *f, struct ledger_line *line) {
    char text[LEDGER_LINE_MAX];
    struct ledger_tail *tail = line->tenant ? tail_for(f, line) : NULL;
    if (f->broken || (line->tenant && !tail)) return errno = f->broken ? EIO : ENOMEM, -1;
    line->count = f->head.count + 1;
    memcpy(line->previous, f->head.hash, LEDGER_HASH);
    if (tail) {
        line->own_count = tail->now.count + 1;
        line->own_last = tail->now.at;
        memcpy(line->own_previous, tail->now.hash, LEDGER_HASH);
    }
    size_t size = ledger_line_format(line, text);
    if (size == 0) abort(); /* the words are our own */
    if (put_text(f, text, size) < 0) return -1;
    if (f->size == 0) f->first = line->count;
    f->size += size;
    if (line->time_ms > f->latest_ms) f->latest_ms = line->time_ms;
    f->head.count = line->count;
    memcpy(f->head.hash, line->hash, LEDGER_HASH);
    if (tail) ledger_own_next(&tail->now, line);
    return 0;
}

/* ---- reading at the start ---- */

/* One line of the newest file. false: it does not follow. */
static bool follow(struct ledger_file *f, const struct ledger_line *line) {
    if (line->time_ms > f->latest_ms) f->latest_ms = line->time_ms;
    if (!line->own_count) return true;
    struct ledger_tail *tail = tail_for(f, line);
    if (!tail) return false;
    /* The first of a file that was begun by a rotation carries the chain on from the file before. */
    if (tail->now.count == 0 && line->own_count > 1 && strcmp(line->verb, "carried") == 0) {
        tail->now = (struct ledger_own){.count = line->own_count - 1, .at = line->own_last};
        memcpy(tail->now.hash, line->own_previous, LEDGER_HASH);
    }
    return ledger_own_next(&tail->now, line);
}

/* What a crash leaves: a line without its newline or, where blocks came late, one with NULs in it. */
static bool is_unfinished(const char *rest, size_t size) {
    const char *newline = memchr(rest, '\n', size);
    if (size >= LEDGER_LINE_MAX) return false;
    return !newline || (newline == rest + size - 1 && memchr(rest, '\0', size));
}

/* Walks [0, size) of the newest file; f->size = bytes of whole lines. false: line head.count + 1 is damaged. */
static bool walk(struct ledger_file *f, uint64_t size, char *piece) {
    for (;;) {
        struct ledger_line line;
        size_t want = size - f->size < PIECE ? (size_t)(size - f->size) : PIECE, done = 0, used;
        enum ledger_verdict verdict = LEDGER_MORE;
        if (pread(f->file, piece, want, (off_t)f->size) != (ssize_t)want) return false;
        while ((verdict = ledger_chain_next(&f->head, piece + done, want - done, &used, &line)) == LEDGER_LINE) {
            if (!follow(f, &line)) return f->head.count--, false;
            done += used;
        }
        f->size += done;
        if (f->size == size) return true;
        if (verdict == LEDGER_BROKEN || done == 0) return f->size + want - done == size && is_unfinished(piece + done, want - done);
    }
}

/* The first and the last line of a file. */
static bool first_line(int fd, struct ledger_line *line) {
    char text[LEDGER_LINE_MAX];
    ssize_t got = pread(fd, text, sizeof text, 0);
    const char *end = got > 0 ? memchr(text, '\n', (size_t)got) : NULL;
    return end && ledger_line_parse(text, (size_t)(end - text), line);
}

static bool last_line(int fd, struct ledger_line *line) {
    struct stat st;
    char text[LEDGER_LINE_MAX + 1];
    if (fstat(fd, &st) < 0 || st.st_size == 0) return false;
    size_t size = (size_t)st.st_size < sizeof text ? (size_t)st.st_size : sizeof text;
    if (pread(fd, text, size, st.st_size - (off_t)size) != (ssize_t)size || text[size - 1] != '\n') return false;
    const char *before = memrchr(text, '\n', size - 1), *from = before ? before + 1 : text;
    return ledger_line_parse(from, (size_t)(text + size - 1 - from), line);
}

static void name_of(uint64_t first, char name[NAME_ROOM]) { snprintf(name, NAME_ROOM, "ledger-%020" PRIu64, first); }

/* Opens the files before one whose first line is `line`, each of which must end where the next begins. false: the first of them does not.
 */
static bool open_older(struct ledger_file *f, struct ledger_line line) {
    for (bool newest = true; line.count > 1 && f->readers < LEDGER_FILES_MAX; newest = false) {
        char name[NAME_ROOM];
        struct ledger_line last;
        name_of(line.number, name);
        int fd = strcmp(line.verb, "rotated") == 0 ? openat(f->directory, name, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC) : -1;
        bool fits = fd >= 0 && last_line(fd, &last) && last.count == line.count - 1 && memcmp(last.hash, line.previous, LEDGER_HASH) == 0;
        if (fits) f->reader[f->readers++] = fd;
        if (!fits && fd >= 0) close(fd);
        if (!fits || !first_line(fd, &line)) return !newest; /* further back it is for the auditor to see */
    }
    return true;
}

static const char *read_files(struct ledger_file *f, uint64_t size, uint64_t *cut, char why[128]) {
    struct ledger_line first = {0};
    *cut = 0;
    if (size && first_line(f->file, &first) && first.count > 1) {
        if (!open_older(f, first)) return "the file before it is missing or does not end where this one begins";
        f->head.count = first.count - 1;
        memcpy(f->head.hash, first.previous, LEDGER_HASH);
    }
    char *piece = malloc(PIECE);
    bool fine = piece && walk(f, size, piece);
    free(piece);
    if (!fine) {
        snprintf(why, 128, "line %" PRIu64 " is damaged or does not follow from the one before", f->head.count + 1);
        return why;
    }
    f->first = f->size ? first.count : 0;
    f->began = f->size;
    f->allocated = f->size;
    f->synced = f->head;
    for (size_t i = 0; i < f->own_count; i++)
        f->own[i].synced = f->own[i].now;
    *cut = size - f->size;
    if (*cut == 0 || (ftruncate(f->file, (off_t)f->size) == 0 && fdatasync(f->file) == 0)) return NULL;
    return "an unfinished line cannot be cut off";
}

static int open_reader(const struct ledger_file *f) { return openat(f->directory, "ledger", O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC); }

const char *ledger_file_open(struct ledger_file *f, const char *state_dir, uint64_t *cut, char why[128]) {
    struct stat st;
    *f = (struct ledger_file){.file = -1};
    f->directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->directory >= 0) f->file = openat(f->directory, "ledger", O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
    int reader = f->file >= 0 ? open_reader(f) : -1;
    if (reader >= 0) f->reader[f->readers++] = reader;
    if (reader < 0 || fstat(f->file, &st) < 0 || fsync(f->directory) < 0) return strerror(errno);
    if (!S_ISREG(st.st_mode)) return "it is not a regular file";
    if (flock(f->file, LOCK_EX | LOCK_NB) < 0) return "another supervisor holds it";
    return read_files(f, (uint64_t)st.st_size, cut, why);
}

void ledger_file_close(struct ledger_file *f) {
    if (f->directory >= 0) close(f->directory);
    if (f->file >= 0) close(f->file);
    for (size_t i = 0; i < f->readers; i++)
        close(f->reader[i]);
    free(f->own);
}

/* ---- a new file ---- */

static int put_carried(struct ledger_file *next, uint64_t now_ms, uint64_t before) {
    struct ledger_line line = {.time_ms = now_ms, .verb = "rotated", .result = "done", .times = 1, .number = before};
    if (ledger_file_reserve(next) < 0 || ledger_file_put(next, &line) < 0) return -1;
    for (size_t i = 0; i < next->own_count; i++) {
        struct ledger_line carried = {.time_ms = now_ms, .verb = "carried", .tenant = next->own[i].tenant, .result = "done", .times = 1};
        memcpy(carried.name, next->own[i].name, sizeof carried.name);
        if (ledger_file_put(next, &carried) < 0) return -1;
    }
    return ledger_file_sync(next);
}

/* The old file under its own name, the new one in its place. A crash in between leaves the old one under both. */
static int exchange(const struct ledger_file *f) {
    struct stat old, named;
    char name[NAME_ROOM];
    name_of(f->first, name);
    if (linkat(f->directory, "ledger", f->directory, name, 0) < 0) {
        if (errno != EEXIST || fstat(f->file, &old) < 0 || fstatat(f->directory, name, &named, AT_SYMLINK_NOFOLLOW) < 0) return -1;
        if (old.st_ino != named.st_ino) return errno = EEXIST, -1;
    }
    if (renameat(f->directory, "ledger.new", f->directory, "ledger") < 0) return -1;
    fsync(f->directory);
    return 0;
}

static void take_next(struct ledger_file *f, struct ledger_file *next) {
    memcpy(next->reader + 1, f->reader, f->readers * sizeof *f->reader);
    next->readers = f->readers + 1;
    next->began = next->size;
    close(f->file);
    free(f->own);
    *f = *next;
}

int ledger_file_rotate(struct ledger_file *f, uint64_t now_ms) {
    if (f->readers == LEDGER_FILES_MAX) return errno = EMFILE, -1;
    if (f->size == 0 || ledger_file_sync(f) < 0) return -1;
    struct ledger_file next = *f;
    next.size = next.allocated = 0;
    next.own = malloc((f->own_count + 1) * sizeof *f->own);
    if (next.own) memcpy(next.own, f->own, f->own_count * sizeof *f->own);
    next.file = openat(f->directory, "ledger.new", O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
    next.reader[0] = next.file < 0 ? -1 : openat(f->directory, "ledger.new", O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    bool fine = next.own && next.reader[0] >= 0 && flock(next.file, LOCK_EX | LOCK_NB) == 0;
    if (fine && put_carried(&next, now_ms, f->first) == 0 && exchange(f) == 0) {
        take_next(f, &next);
        return 0;
    }
    int why = errno;
    if (next.reader[0] >= 0) close(next.reader[0]);
    if (next.file >= 0) {
        close(next.file);
        unlinkat(f->directory, "ledger.new", 0);
    }
    free(next.own);
    errno = why;
    return -1;
}
