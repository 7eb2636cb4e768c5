#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS ((uint64_t)86400000)

/* What a person has written on the last day that it wrote. */
struct pace {
    uint32_t uid;
    unsigned lines;
    uint64_t day;
};

struct record {
    int file, reader;
    uint64_t size; /* bytes of whole lines */
    bool broken;   /* a sync failed or a piece of a line could not be cut off: nothing more is recorded */
    struct ledger_chain chain;
    struct heads heads;
    record_fold *fold;
    void *context;
    struct pace *pace;
    size_t people;
};

static struct pace *pace_of(const struct record *r, uint32_t uid) {
    for (size_t i = 0; i < r->people; i++)
        if (r->pace[i].uid == uid) return &r->pace[i];
    return NULL;
}

/* keep: as in record_fold(). */
static bool pace(struct record *r, const struct record_line *line, bool keep) {
    struct pace *p = pace_of(r, line->uid);
    if (!p) {
        p = reallocarray(r->pace, r->people + 1, sizeof *p);
        if (!p) return false;
        r->pace = p;
        p += r->people;
        r->people += keep;
        *p = (struct pace){.uid = line->uid};
    }
    uint64_t day = line->time_ms / DAY_MS;
    if (keep) *p = (struct pace){.uid = p->uid, .day = day, .lines = p->day == day ? p->lines + 1 : 1};
    return true;
}

static bool take(struct record *r, const struct record_line *line, bool keep) {
    if (!r->fold(r->context, line, keep) || !pace(r, line, keep) || !heads_room(&r->heads)) return false;
    if (keep) heads_add(&r->heads, line->hash);
    return true;
}

/* Walks what was read; how many bytes are whole lines. false: line chain.count + 1 is damaged. */
static bool walk(struct record *r, const char *bytes, size_t size, size_t *whole) {
    struct record_line line;
    size_t used;
    enum ledger_verdict verdict;
    *whole = 0;
    while ((verdict = record_next(&r->chain, bytes + *whole, size - *whole, &used, &line)) == LEDGER_LINE) {
        if (!take(r, &line, true)) return r->chain.count--, false;
        *whole += used;
    }
    /* A crash leaves a line without its newline, never a whole one that is wrong. */
    return verdict == LEDGER_MORE || !memchr(bytes + *whole, '\n', size - *whole);
}

static bool read_all(struct record *r, uint64_t size) {
    size_t done = 0, whole = 0;
    char *bytes = size > RECORD_BYTES_MAX ? NULL : malloc(size + 1);
    if (!bytes) return errno = size > RECORD_BYTES_MAX ? EFBIG : ENOMEM, false;
    for (ssize_t got; done < size; done += (size_t)got)
        if ((got = pread(r->file, bytes + done, size - done, (off_t)done)) <= 0) break;
    errno = EIO;
    bool fine = done == size;
    if (fine) {
        errno = EBADMSG;
        fine = walk(r, bytes, size, &whole);
    }
    free(bytes);
    r->size = whole;
    return fine && (whole == size || (ftruncate(r->file, (off_t)whole) == 0 && fdatasync(r->file) == 0));
}

static bool open_files(struct record *r, const char *state_dir, const char *name, uint64_t *size) {
    struct stat st;
    int directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    r->file = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
    if (r->file >= 0) r->reader = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    bool fine = r->reader >= 0 && fstat(r->file, &st) == 0 && fsync(directory) == 0;
    int why = errno;
    close(directory);
    errno = why;
    if (!fine) return false;
    *size = (uint64_t)st.st_size;
    errno = EINVAL;
    return S_ISREG(st.st_mode);
}

struct record *record_open(const char *state_dir, const char *name, record_fold *fold, void *context, char error[RECORD_ERROR_MAX]) {
    uint64_t size = 0;
    struct record *r = calloc(1, sizeof *r);
    if (r) *r = (struct record){.file = -1, .reader = -1, .fold = fold, .context = context};
    if (r && open_files(r, state_dir, name, &size) && read_all(r, size)) return r;
    if (r && errno == EBADMSG)
        snprintf(error, RECORD_ERROR_MAX, "%s/%s: line %" PRIu64 " is damaged or does not follow from the one before", state_dir, name,
                 r->chain.count + 1);
    else
        snprintf(error, RECORD_ERROR_MAX, "%s/%s: %s", state_dir, name, strerror(errno));
    record_close(r);
    return NULL;
}

void record_close(struct record *r) {
    if (!r) return;
    if (r->file >= 0) close(r->file);
    if (r->reader >= 0) close(r->reader);
    free(r->pace);
    heads_free(&r->heads);
    free(r);
}

/* The kernel forgets which pages of a failed sync are lost: a second try would lie, so there is none. */
static bool put(struct record *r, const char *text, size_t size) {
    ssize_t written = pwrite(r->file, text, size, (off_t)r->size);
    if (written == (ssize_t)size) {
        r->broken = fdatasync(r->file) < 0;
        return !r->broken;
    }
    int why = written < 0 ? errno : ENOSPC;
    if (written > 0) r->broken = ftruncate(r->file, (off_t)r->size) < 0;
    errno = why;
    return false;
}

bool record_append(struct record *r, uint64_t now_ms, uint32_t uid, const char *word, const char *fields) {
    char text[RECORD_LINE_MAX];
    struct record_line line = {.time_ms = now_ms, .uid = uid};
    snprintf(line.word, sizeof line.word, "%s", word);
    size_t size = record_line_format(&r->chain, &line, fields, text), used;
    if (r->broken || size == 0) return errno = r->broken ? EIO : EMSGSIZE, false;
    if (r->size + size > RECORD_BYTES_MAX) return errno = EFBIG, false;
    /* What cannot be read again would stop every later start: it is read before it is written. */
    struct ledger_chain chain = r->chain;
    if (record_next(&chain, text, size, &used, &line) != LEDGER_LINE || !take(r, &line, false)) return errno = EINVAL, false;
    if (!put(r, text, size)) return false;
    r->size += size;
    r->chain = chain;
    r->broken = !take(r, &line, true);
    return !r->broken;
}

bool record_may_begin(const struct record *r, uint64_t now_ms, uint32_t uid) {
    const struct pace *p = pace_of(r, uid);
    if (r->size > RECORD_BYTES_MAX / 2) return errno = EFBIG, false;
    bool much = p && p->day == now_ms / DAY_MS && p->lines >= RECORD_DAY_MAX;
    return much ? errno = EDQUOT, false : true;
}

const struct heads *record_heads(const struct record *r) { return &r->heads; }

int record_reader(const struct record *r) { return r->reader; }
