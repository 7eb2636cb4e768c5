#include "notices.h"

#include "../policy/hex.h"
#include "../policy/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_ROOM = 512, NAME_ROOM = 32, TRACES_FIRST = 64 };

struct trace {
    uint32_t notice, tenant; /* 0, 0: free */
    struct notice_trace is;
    uint64_t tried_at; /* ms of the clock: a letter; 0 = never */
    bool away;         /* the courier has it */
};

/* By the hash of notice and tenant, each there or at the next free place behind it. */
struct traces {
    size_t count, room; /* room: 0, or a power of two, at least twice as many */
    struct trace *row;
};

struct notices {
    int directory, record;
    off_t size; /* of the record */
    struct heads heads;
    size_t count;
    struct notice notice[NOTICES_MAX];
    uint32_t last; /* number given */
    struct traces traces;
};

size_t notices_count(const struct notices *n) { return n->count; }
const struct notice *notices_at(const struct notices *n, size_t i) { return &n->notice[i]; }

bool notices_had(const struct notices *n, uint32_t number) { return number > 0 && number <= n->last; }

const struct notice *notices_find(const struct notices *n, uint32_t number) {
    for (size_t i = 0; i < n->count; i++)
        if (n->notice[i].number == number) return &n->notice[i];
    return NULL;
}

/* Its place, or the one that it would take. NULL: there is no room at all. */
static struct trace *place_of(const struct traces *all, uint32_t notice, uint32_t tenant) {
    uint64_t hash = ((uint64_t)notice << 32 | tenant) * 0x9e3779b97f4a7c15;
    for (size_t i = (size_t)(hash >> 32); all->room; i++) {
        struct trace *t = &all->row[i & (all->room - 1)];
        if (!t->notice || (t->notice == notice && t->tenant == tenant)) return t;
    }
    return NULL;
}

struct notice_trace notices_trace(const struct notices *n, uint32_t notice, uint32_t tenant) {
    const struct trace *t = place_of(&n->traces, notice, tenant);
    return t ? t->is : (struct notice_trace){0};
}

static bool make_room(struct traces *all) {
    struct traces wider = {.count = all->count, .room = all->room ? 2 * all->room : TRACES_FIRST};
    if (2 * all->count < all->room) return true;
    wider.row = calloc(wider.room, sizeof *wider.row);
    if (!wider.row) return false;
    for (size_t i = 0; i < all->room; i++)
        if (all->row[i].notice) *place_of(&wider, all->row[i].notice, all->row[i].tenant) = all->row[i];
    free(all->row);
    *all = wider;
    return true;
}

static struct trace *make_trace(struct notices *n, uint32_t notice, uint32_t tenant) {
    struct trace *t = place_of(&n->traces, notice, tenant);
    if (t && t->notice) return t;
    if (!make_room(&n->traces)) return NULL;
    t = place_of(&n->traces, notice, tenant);
    *t = (struct trace){.notice = notice, .tenant = tenant};
    n->traces.count++;
    return t;
}

/* ---- what the ledger knows of it ---- */

const struct heads *notices_heads(const struct notices *n) { return &n->heads; }

void notices_note(const struct notice *notice, char note[NOTE_MAX + 1]) {
    char day[16];
    time_t effective = (time_t)(notice->effective_ms / 1000);
    struct tm tm;
    if (!gmtime_r(&effective, &tm) || !strftime(day, sizeof day, "%Y-%m-%d", &tm)) day[0] = '\0';
    snprintf(note, NOTE_MAX + 1, "notice %" PRIu32 " of %s; SHA-256: %s", notice->number, day, notice->hash);
}

/* A line without its newline. There is room. */
static void chain(struct heads *heads, const char *line, size_t size) {
    uint8_t hash[LEDGER_HASH] = {0};
    SHA256_CTX context;
    if (heads->count) memcpy(hash, heads->hash[heads->count - 1], LEDGER_HASH);
    SHA256_Init(&context);
    SHA256_Update(&context, hash, LEDGER_HASH);
    SHA256_Update(&context, (const uint8_t *)line, size);
    SHA256_Final(hash, &context);
    heads_add(heads, hash);
}

/* ---- texts ---- */

static void text_name(uint32_t number, char name[NAME_ROOM]) { snprintf(name, NAME_ROOM, "%" PRIu32 ".text", number); }

/* A file's bytes in a memfd that nobody changes any more. -1 with errno. */
static int sealed_copy(int file, struct notice *of) {
    static char text[NOTICE_BYTES + 1];
    ssize_t size = pread(file, text, sizeof text, 0);
    if (size <= 0 || size > NOTICE_BYTES) {
        if (size >= 0) errno = EINVAL;
        return -1;
    }
    int fd = memfd_create("notice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (write(fd, text, (size_t)size) == size && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0) {
        uint8_t hash[LEDGER_HASH];
        SHA256_CTX context;
        SHA256_Init(&context);
        SHA256_Update(&context, (const uint8_t *)text, (size_t)size);
        SHA256_Final(hash, &context);
        hex_write(hash, sizeof hash, of->hash);
        of->bytes = (uint32_t)size;
        return fd;
    }
    close(fd);
    return -1;
}

static bool keep_text(struct notices *n, uint32_t number, int text) {
    char name[NAME_ROOM], bytes[4096];
    text_name(number, name);
    int fd = openat(n->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool fine = true;
    off_t at = 0;
    for (ssize_t size; fine && (size = pread(text, bytes, sizeof bytes, at)) != 0; at += size)
        fine = size > 0 && write(fd, bytes, (size_t)size) == size;
    fine = fine && fsync(fd) == 0 && fsync(n->directory) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return fine;
}

/* ---- the record ---- */

/* The whole line or nothing of it. */
static int append(struct notices *n, const char *line) {
    size_t size = strlen(line);
    if (!heads_room(&n->heads)) return -1;
    if (pwrite(n->record, line, size, n->size) == (ssize_t)size && fdatasync(n->record) == 0) {
        n->size += (off_t)size;
        chain(&n->heads, line, size - 1);
        return 0;
    }
    int error = errno ? errno : EIO;
    if (ftruncate(n->record, n->size) < 0) error = EIO; /* the next start cuts it off */
    errno = error;
    return -1;
}

static void set_trace(struct trace *t, bool acknowledged, uint64_t time, uint64_t counted) {
    *(acknowledged ? &t->is.acknowledged_ms : &t->is.mailed_ms) = time;
    *(acknowledged ? &t->is.acknowledged_counted : &t->is.mailed_counted) = counted;
}

static int note(struct notices *n, bool acknowledged, uint32_t number, uint32_t tenant, uint64_t now, uint64_t counted) {
    char line[LINE_ROOM];
    struct trace *t = make_trace(n, number, tenant);
    if (!t) return -1;
    if (acknowledged ? t->is.acknowledged_ms : t->is.mailed_ms) return 0;
    snprintf(line, sizeof line, "%s\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\n", acknowledged ? "acknowledged" : "mailed",
             number, tenant, now, counted);
    if (append(n, line) < 0) return -1;
    set_trace(t, acknowledged, now, counted);
    return 0;
}

int notices_acknowledged(struct notices *n, uint32_t number, uint32_t tenant, uint64_t now, uint64_t counted) {
    return note(n, true, number, tenant, now, counted);
}

int notices_mailed(struct notices *n, uint32_t number, uint32_t tenant, uint64_t now, uint64_t counted) {
    return note(n, false, number, tenant, now, counted);
}

bool notices_letter_due(struct notices *n, uint32_t number, uint32_t tenant, uint64_t clock) {
    struct trace *t = make_trace(n, number, tenant);
    if (!t || t->is.acknowledged_ms || t->is.mailed_ms || (t->tried_at && clock - t->tried_at < NOTICES_AGAIN_MS)) return false;
    t->tried_at = clock;
    t->away = true;
    return true;
}

bool notices_letter_back(struct notices *n, uint32_t number, uint32_t tenant) {
    struct trace *t = place_of(&n->traces, number, tenant);
    bool away = t && t->notice && t->away;
    if (away) t->away = false;
    return away;
}

const struct notice *notices_publish(struct notices *n, const struct notice *wanted, int text) {
    char line[LINE_ROOM];
    if (n->count == NOTICES_MAX) {
        errno = ENOSPC;
        return NULL;
    }
    struct notice *made = &n->notice[n->count];
    *made = *wanted;
    made->number = n->last + 1;
    made->text = sealed_copy(text, made);
    if (made->text < 0) return NULL;
    snprintf(line, sizeof line, "notice\t%" PRIu32 "\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu32 "\t%" PRIu32 "\t%s\t%s\n", made->number,
             notice_table[made->kind].name, made->published_ms, made->effective_ms, made->tenant, made->uid, made->entity, made->hash);
    if (keep_text(n, made->number, made->text) && append(n, line) == 0) {
        n->count++;
        n->last = made->number;
        return made;
    }
    int error = errno;
    close(made->text);
    errno = error;
    return NULL;
}

static bool take_out(struct notices *n, uint32_t number) {
    for (size_t i = 0; i < n->count; i++) {
        if (n->notice[i].number != number) continue;
        if (n->notice[i].text >= 0) close(n->notice[i].text);
        memmove(&n->notice[i], &n->notice[i + 1], (--n->count - i) * sizeof *n->notice);
        return true;
    }
    return false;
}

int notices_remove(struct notices *n, uint32_t number) {
    char line[LINE_ROOM], name[NAME_ROOM];
    snprintf(line, sizeof line, "removed\t%" PRIu32 "\n", number);
    if (append(n, line) < 0) return -1;
    text_name(number, name);
    unlinkat(n->directory, name, 0);
    take_out(n, number);
    return 0;
}

/* ---- reading ---- */

static bool take_number(char **p, uint64_t most, uint64_t *out) {
    char *field = strsep(p, "\t"), *end;
    if (!field || *field < '0' || *field > '9') return false;
    errno = 0;
    *out = strtoull(field, &end, 10);
    return !errno && !*end && *out <= most;
}

static bool read_notice(struct notices *n, char *p) {
    struct notice *made = &n->notice[n->count];
    uint64_t number, tenant, uid;
    if (n->count == NOTICES_MAX || !take_number(&p, UINT32_MAX, &number)) return false;
    const char *kind = strsep(&p, "\t");
    *made = (struct notice){.number = (uint32_t)number, .text = -1, .kind = kind ? notice_find(kind, strlen(kind)) : NOTICE_NONE};
    if (!made->kind || !take_number(&p, UINT64_MAX, &made->published_ms) || !take_number(&p, UINT64_MAX, &made->effective_ms)) return false;
    if (!take_number(&p, UINT32_MAX, &tenant) || !take_number(&p, UINT32_MAX, &uid)) return false;
    made->tenant = (uint32_t)tenant;
    made->uid = (uint32_t)uid;
    const char *entity = strsep(&p, "\t");
    if (!entity || !name_is_title(entity) || number <= n->last || (p && strlen(p) != 2 * LEDGER_HASH)) return false;
    snprintf(made->entity, sizeof made->entity, "%s", entity);
    if (p) memcpy(made->hash, p, sizeof made->hash);
    n->count++;
    n->last = made->number;
    return true;
}

static bool read_text(struct notices *n, struct notice *of) {
    char name[NAME_ROOM], said[sizeof of->hash];
    memcpy(said, of->hash, sizeof said);
    text_name(of->number, name);
    int file = openat(n->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    of->text = file < 0 ? -1 : sealed_copy(file, of);
    if (file >= 0) close(file);
    return of->text >= 0 && (!said[0] || strcmp(of->hash, said) == 0);
}

static bool read_line(struct notices *n, char *line) {
    const char *what = strsep(&line, "\t");
    uint64_t number, tenant, time, counted = 0;
    if (strcmp(what, "notice") == 0) return read_notice(n, line);
    if (strcmp(what, "removed") == 0) return take_number(&line, UINT32_MAX, &number) && !line && take_out(n, (uint32_t)number);
    bool acknowledged = strcmp(what, "acknowledged") == 0;
    if (!acknowledged && strcmp(what, "mailed") != 0) return false;
    if (!take_number(&line, UINT32_MAX, &number) || !take_number(&line, UINT32_MAX, &tenant) || !take_number(&line, UINT64_MAX, &time) ||
        (line && !take_number(&line, UINT64_MAX, &counted)) || line)
        return false;
    struct trace *t = notices_find(n, (uint32_t)number) ? make_trace(n, (uint32_t)number, (uint32_t)tenant) : NULL;
    if (t) set_trace(t, acknowledged, time, counted);
    return t;
}

static bool read_record(struct notices *n, char error[NOTICES_ERROR_MAX]) {
    int copy = dup(n->record);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
    char line[LINE_ROOM];
    bool fine = file;
    for (size_t number = 1; fine && fgets(line, sizeof line, file); number++) {
        size_t size = strlen(line);
        if (size == 0 || line[size - 1] != '\n') {
            fine = feof(file); /* cut short by a crash */
            break;
        }
        line[size - 1] = '\0';
        fine = heads_room(&n->heads);
        if (fine) chain(&n->heads, line, size - 1);
        fine = fine && read_line(n, line);
        if (fine)
            n->size += (off_t)size;
        else
            snprintf(error, NOTICES_ERROR_MAX, "notices/record:%zu: damaged", number);
    }
    for (size_t i = 0; fine && i < n->count; i++) {
        fine = read_text(n, &n->notice[i]);
        if (!fine) snprintf(error, NOTICES_ERROR_MAX, "notices/%" PRIu32 ".text: missing or damaged", n->notice[i].number);
    }
    if (file) fclose(file);
    return fine && ftruncate(n->record, n->size) == 0;
}

void notices_close(struct notices *n) {
    if (!n) return;
    if (n->directory >= 0) close(n->directory);
    if (n->record >= 0) close(n->record);
    free(n->traces.row);
    heads_free(&n->heads);
    free(n);
}

struct notices *notices_open(const char *state_dir, char error[NOTICES_ERROR_MAX]) {
    struct notices *n = calloc(1, sizeof *n);
    if (n) n->directory = n->record = -1;
    char path[PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "%s/notices", state_dir);
    error[0] = '\0';
    bool fine = n && (mkdir(path, 0700) == 0 || errno == EEXIST);
    if (fine) n->directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fine && n->directory >= 0) n->record = openat(n->directory, "record", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fine && n->directory >= 0 && n->record >= 0 && read_record(n, error)) return n;
    if (!error[0]) snprintf(error, NOTICES_ERROR_MAX, "%s: %s", path, strerror(errno));
    notices_close(n);
    return NULL;
}
