#include "ledger.h"

#include "../policy/ledger_line.h"
#include "../policy/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REFUSALS_MAX = 256, MINUTE_MS = 60000, TAIL = 4 * LEDGER_LINE_MAX };

/* A uid and a verb that was refused within the last minute. */
struct refusal {
    uint64_t until_ms; /* end of its minute; 0 = the row is free */
    uint64_t pending;  /* refusals not yet in the ledger */
    uint32_t uid;
    enum verb verb;
    uint32_t tenant; /* 0 and "": none, or more than one */
    char name[TENANT_NAME_MAX + 1];
};

struct ledger {
    int file;
    int reader;
    uint64_t size;      /* bytes of whole lines */
    uint64_t allocated; /* the file system keeps room up to here */
    bool no_reserve;    /* the file system cannot keep room */
    bool torn;          /* a failed write left bytes after `size` */
    bool broken;        /* a sync failed: what is on the disk is unknown, nothing more is recorded */
    struct ledger_chain head, synced;
    uint64_t latest_ms; /* the latest time of a line */
    uint64_t lost;      /* events and refusals since the last gap line */
    uint64_t gaps;      /* the same since the start */
    struct refusal refusal[REFUSALS_MAX];
};

/* Keeps LEDGER_RESERVE bytes of room after the next line. */
static int reserve(struct ledger *l) {
    if (l->no_reserve || l->size + LEDGER_LINE_MAX + LEDGER_RESERVE <= l->allocated) return 0;
    uint64_t end = l->size + 2 * LEDGER_RESERVE;
    if (fallocate(l->file, FALLOC_FL_KEEP_SIZE, (off_t)l->size, (off_t)(end - l->size)) == 0) {
        l->allocated = end;
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return -1;
    l->no_reserve = true;
    return 0;
}

static int sync_lines(struct ledger *l) {
    if (l->broken) return errno = EIO, -1;
    if (l->synced.count == l->head.count) return 0;
    if (fdatasync(l->file) < 0) {
        l->broken = true; /* the kernel forgets which pages failed: a second try would lie */
        return -1;
    }
    l->synced = l->head;
    return 0;
}

/* S11: the ledger is a chain of hashes: a line that is changed or missing breaks it */
/* Writes one line after the last. On an error the ledger is as before. */
static int put(struct ledger *l, struct ledger_line *line) {
    char text[LEDGER_LINE_MAX];
    if (l->broken) return errno = EIO, -1;
    line->count = l->head.count + 1;
    memcpy(line->previous, l->head.hash, LEDGER_HASH);
    size_t size = ledger_line_format(line, text);
    if (size == 0) abort(); /* the words are our own */
    if (l->torn && ftruncate(l->file, (off_t)l->size) < 0) return -1;
    if (l->torn) l->allocated = l->size;
    l->torn = false;
    ssize_t written = pwrite(l->file, text, size, (off_t)l->size);
    if (written != (ssize_t)size) {
        l->torn = written > 0;
        if (written >= 0) errno = ENOSPC;
        return -1;
    }
    l->size += size;
    if (line->time_ms > l->latest_ms) l->latest_ms = line->time_ms;
    l->head.count = line->count;
    memcpy(l->head.hash, line->hash, LEDGER_HASH);
    return 0;
}

static struct ledger_line line_of(uint64_t now_ms, const char *verb, uint32_t tenant, const char *name, const char *result) {
    bool named = name && name_is_tenant(name);
    struct ledger_line line = {.time_ms = now_ms, .tenant = named ? tenant : 0, .times = 1};
    snprintf(line.verb, sizeof line.verb, "%s", verb);
    snprintf(line.name, sizeof line.name, "%s", named ? name : "");
    snprintf(line.result, sizeof line.result, "%s", result);
    return line;
}

/* Writes the gap line that is due. */
static int put_gap(struct ledger *l, uint64_t now_ms) {
    if (!l->lost) return 0;
    struct ledger_line gap = line_of(now_ms, "gap", 0, "", "lost");
    gap.times = l->lost;
    if (reserve(l) < 0 || put(l, &gap) < 0) return -1;
    l->lost = 0;
    return 0;
}

/* Writes a line that may not touch the reserve. */
static int put_ordinary(struct ledger *l, struct ledger_line *line) {
    return put_gap(l, line->time_ms) < 0 || reserve(l) < 0 ? -1 : put(l, line);
}

static void lose(struct ledger *l, uint64_t times) {
    l->lost += times;
    l->gaps += times;
}

int ledger_act(struct ledger *l, uint64_t now_ms, uint32_t uid, enum verb verb, struct ledger_tenant tenant, const char *result) {
    struct ledger_line line = line_of(now_ms, verb_table[verb].name, tenant.number, tenant.name, result);
    line.has_uid = true;
    line.uid = uid;
    int put_it = put_ordinary(l, &line);
    if (put_it < 0 && (verb == VERB_lock || verb == VERB_stop || verb == VERB_suspend)) put_it = put(l, &line);
    return put_it < 0 ? -1 : sync_lines(l);
}

void ledger_event(struct ledger *l, uint64_t now_ms, const char *event, struct ledger_tenant tenant, const char *result) {
    struct ledger_line line = line_of(now_ms, event, tenant.number, tenant.name, result);
    if (put_ordinary(l, &line) < 0) lose(l, 1);
}

static void put_refusal(struct ledger *l, uint64_t now_ms, struct refusal *r, uint64_t times) {
    struct ledger_line line = line_of(now_ms, verb_table[r->verb].name, r->tenant, r->name, "refused");
    line.has_uid = true;
    line.uid = r->uid;
    line.times = times;
    if (put_ordinary(l, &line) < 0) lose(l, times);
    r->until_ms = now_ms + MINUTE_MS;
    r->pending = 0;
}

/* Over too when the clock was set back. */
static bool is_over(const struct refusal *r, uint64_t now_ms) { return r->until_ms <= now_ms || r->until_ms > now_ms + MINUTE_MS; }

static void close_minutes(struct ledger *l, uint64_t now_ms, bool all) {
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *r = &l->refusal[i];
        if (!r->until_ms || (!all && !is_over(r, now_ms))) continue;
        if (r->pending)
            put_refusal(l, now_ms, r, r->pending);
        else
            r->until_ms = 0;
    }
}

static void name_tenant(struct refusal *r, struct ledger_tenant tenant) {
    r->tenant = tenant.number;
    snprintf(r->name, sizeof r->name, "%s", tenant.name);
}

void ledger_refused(struct ledger *l, uint64_t now_ms, uint32_t uid, enum verb verb, struct ledger_tenant tenant) {
    struct refusal *row = NULL;
    if (!tenant.name) tenant.name = "";
    close_minutes(l, now_ms, false);
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *r = &l->refusal[i];
        if (r->until_ms && r->uid == uid && r->verb == verb) {
            if (r->pending++ == 0) {
                name_tenant(r, tenant);
            } else if (r->tenant != tenant.number || strcmp(r->name, tenant.name) != 0) {
                name_tenant(r, (struct ledger_tenant){.name = ""});
            }
            return;
        }
        if (!r->until_ms && !row) row = r;
    }
    if (!row) {
        lose(l, 1);
        return;
    }
    *row = (struct refusal){.uid = uid, .verb = verb};
    name_tenant(row, tenant);
    put_refusal(l, now_ms, row, 1);
}

void ledger_tick(struct ledger *l, uint64_t now_ms) {
    close_minutes(l, now_ms, false);
    put_gap(l, now_ms);
    sync_lines(l);
}

void ledger_flush(struct ledger *l, uint64_t now_ms) {
    close_minutes(l, now_ms, true);
    put_gap(l, now_ms);
    sync_lines(l);
}

void ledger_head(struct ledger *l, uint64_t *count, uint8_t hash[LEDGER_HASH]) {
    sync_lines(l);
    *count = l->synced.count;
    memcpy(hash, l->synced.hash, LEDGER_HASH);
}

bool ledger_clock_behind(const struct ledger *l, uint64_t now_ms) { return now_ms + LEDGER_CLOCK_MS < l->latest_ms; }

uint64_t ledger_gaps(const struct ledger *l) { return l->gaps; }

int ledger_reader(const struct ledger *l) { return l->reader; }

/* Walks the last lines, bytes[0..size), which end with a newline; whole: the first of them is the ledger's first. */
static bool walk_tail(struct ledger *l, const char *bytes, size_t size, bool whole) {
    struct ledger_line line;
    size_t at = 0, used;
    if (!whole) {
        const char *newline = memchr(bytes, '\n', size);
        size_t first = newline ? (size_t)(newline - bytes) + 1 : size;
        const char *end = memchr(bytes + first, '\n', size - first);
        if (!end || !ledger_line_parse(bytes + first, (size_t)(end - bytes) - first, &line)) return false;
        l->head.count = line.count;
        memcpy(l->head.hash, line.hash, LEDGER_HASH);
        l->latest_ms = line.time_ms;
        at = (size_t)(end - bytes) + 1;
    }
    while (ledger_chain_next(&l->head, bytes + at, size - at, &used, &line) == LEDGER_LINE) {
        if (line.time_ms > l->latest_ms) l->latest_ms = line.time_ms;
        at += used;
    }
    return at == size;
}

/* Where the whole lines end. A crash leaves a line without its newline or, where blocks came late, one with NULs in it. */
static size_t end_of_lines(const char *bytes, size_t size) {
    const char *last = memrchr(bytes, '\n', size);
    size_t end = last ? (size_t)(last - bytes) + 1 : 0;
    const char *before = end > 1 ? memrchr(bytes, '\n', end - 1) : NULL;
    size_t start = before ? (size_t)(before - bytes) + 1 : 0;
    return memchr(bytes + start, '\0', end - start) ? start : end;
}

/* Verifies the last lines and finds the end; *cut: bytes of an unfinished line, cut off. */
static bool read_tail(struct ledger *l, uint64_t size, uint64_t *cut, const char **why) {
    char tail[TAIL];
    size_t n = size < TAIL ? (size_t)size : TAIL;
    uint64_t from = size - n;
    *why = strerror(EIO);
    if (pread(l->file, tail, n, (off_t)from) != (ssize_t)n) return false;
    size_t end = end_of_lines(tail, n);
    *why = "its last lines are damaged";
    if (n - end >= 2 * LEDGER_LINE_MAX || (end && !walk_tail(l, tail, end, from == 0))) return false;
    if (end == 0 && from) return false;
    l->synced = l->head;
    l->size = l->allocated = from + end;
    *cut = n - end;
    *why = "an unfinished line cannot be cut off";
    return *cut == 0 || (ftruncate(l->file, (off_t)l->size) == 0 && fdatasync(l->file) == 0);
}

/* Opens both ends and takes the lock. */
static bool open_files(struct ledger *l, const char *state_dir, uint64_t *size, const char **why) {
    struct stat st;
    int directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        l->file = openat(directory, "ledger", O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
        if (l->file >= 0) l->reader = openat(directory, "ledger", O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    }
    bool fine = l->reader >= 0 && fstat(l->file, &st) == 0 && fsync(directory) == 0;
    *why = strerror(errno);
    if (directory >= 0) close(directory);
    if (!fine) return false;
    *why = "it is not a regular file";
    if (!S_ISREG(st.st_mode)) return false;
    *size = (uint64_t)st.st_size;
    *why = "another supervisor holds it";
    return flock(l->file, LOCK_EX | LOCK_NB) == 0;
}

/* What was found at the start. */
static void note(struct ledger *l, uint64_t now_ms, const char *event, const char *result, uint64_t times) {
    struct ledger_line line = line_of(now_ms, event, 0, "", result);
    line.times = times;
    if (put_ordinary(l, &line) < 0) lose(l, 1);
    sync_lines(l);
}

struct ledger *ledger_open(const char *state_dir, uint64_t now_ms, char error[LEDGER_ERROR_MAX]) {
    uint64_t size = 0, cut = 0;
    const char *why = strerror(ENOMEM);
    struct ledger *l = calloc(1, sizeof *l);
    if (l) l->file = l->reader = -1;
    if (!l || !open_files(l, state_dir, &size, &why) || !read_tail(l, size, &cut, &why)) {
        snprintf(error, LEDGER_ERROR_MAX, "%s/ledger: %s", state_dir, why);
        ledger_close(l);
        return NULL;
    }
    reserve(l); /* on a full disk the supervisor starts all the same */
    if (cut) note(l, now_ms, "recovered", "cut", cut);
    if (ledger_clock_behind(l, now_ms)) {
        uint64_t seconds = (l->latest_ms - now_ms) / 1000;
        l->latest_ms = now_ms;
        note(l, now_ms, "clock_back", "taken", seconds);
    }
    return l;
}

void ledger_close(struct ledger *l) {
    if (!l) return;
    if (l->file >= 0) close(l->file);
    if (l->reader >= 0) close(l->reader);
    free(l);
}
