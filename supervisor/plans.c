#include "plans.h"

#include "../policy/hex.h"
#include "../policy/names.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROWS_MAX = TENANTS_MAX * BACKUP_KINDS, LINE = 512, HASH_HEX = 2 * BACKUP_HASH };

struct plans {
    int directory;
    uint64_t counted; /* as of `since` */
    uint64_t since;   /* ms of the clock */
    uint64_t next_at; /* ms of the clock: the next write */
    size_t count;
    struct plan_row row[ROWS_MAX];
};

/* Goes on while the machine sleeps, and cannot be set. */
static uint64_t boot_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t plans_counted(const struct plans *p) { return p->counted + (boot_ms() - p->since); }

/* ---- the text ---- */

static size_t format_row(const struct plan_row *r, char line[LINE]) {
    char hash[HASH_HEX + 1] = "";
    hex_write(r->hash, BACKUP_HASH, hash);
    return (size_t)snprintf(line, LINE,
                            "plan\ttenant=%" PRIu32 "\tkind=%" PRIu32 "\tdestination=%s\tperiod=%" PRIu32 "\tkeep=%" PRIu32
                            "\tpaused=%d\tlast=%" PRIu64 "\tnumber=%" PRIu64 "\thash=%.64s\n",
                            r->tenant, r->kind, r->destination, r->period_minutes, r->keep_hours, r->paused, r->last_ms, r->number, hash);
}

/* The whole file, allocated. */
static char *format_all(const struct plans *p, uint64_t counted, size_t *size) {
    uint8_t hash[32];
    char *text = malloc((p->count + 2) * LINE);
    if (!text) return NULL;
    size_t used = (size_t)snprintf(text, LINE, "cloison-plans\tversion=1\tcounted=%" PRIu64 "\n", counted);
    for (size_t i = 0; i < p->count; i++)
        used += format_row(&p->row[i], text + used);
    SHA256_CTX sum;
    SHA256_Init(&sum);
    SHA256_Update(&sum, (const uint8_t *)text, used);
    SHA256_Final(hash, &sum);
    used += (size_t)snprintf(text + used, LINE, "check=");
    hex_write(hash, sizeof hash, text + used);
    used += 64;
    text[used++] = '\n';
    *size = used;
    return text;
}

/* The number behind KEY= at *p, which is left behind the tab or newline after it. What else is wrong shows when it is written again. */
static uint64_t take_number(const char **p, const char *key) {
    size_t size = strlen(key);
    char *end;
    if (strncmp(*p, key, size) != 0) return UINT64_MAX;
    uint64_t n = strtoull(*p + size, &end, 10);
    *p = *end ? end + 1 : end;
    return n;
}

static bool take_text(const char **p, const char *key, char *out, size_t room) {
    size_t size = strlen(key), length;
    if (strncmp(*p, key, size) != 0) return false;
    length = strcspn(*p += size, "\t\n");
    if (length >= room) return false;
    memcpy(out, *p, length);
    out[length] = '\0';
    *p += length + ((*p)[length] != '\0');
    return true;
}

static bool read_row(const char *line, struct plan_row *r) {
    char hash[HASH_HEX + 1];
    const char *p = line + strlen("plan\t");
    *r = (struct plan_row){.tenant = (uint32_t)take_number(&p, "tenant=")};
    r->kind = (uint32_t)take_number(&p, "kind=");
    if (!take_text(&p, "destination=", r->destination, sizeof r->destination)) return false;
    r->period_minutes = (uint32_t)take_number(&p, "period=");
    r->keep_hours = (uint32_t)take_number(&p, "keep=");
    r->paused = take_number(&p, "paused=") == 1;
    r->last_ms = take_number(&p, "last=");
    r->number = take_number(&p, "number=");
    return take_text(&p, "hash=", hash, sizeof hash) && strlen(hash) == HASH_HEX && hex_read(hash, BACKUP_HASH, r->hash) &&
           r->kind < BACKUP_KINDS && name_is_tenant(r->destination);
}

/* What is not spelled as format_all() spells it is damage: so reading is easy. */
static bool read_all(struct plans *p, const char *text, size_t size) {
    size_t again;
    const char *line = text;
    p->counted = take_number(&line, "cloison-plans\tversion=1\tcounted=");
    line = text;
    while ((line = strchr(line, '\n')) && strncmp(++line, "plan\t", 5) == 0)
        if (p->count == ROWS_MAX || !read_row(line, &p->row[p->count++])) return false;
    char *same = format_all(p, p->counted, &again);
    bool fine = same && again == size && memcmp(same, text, size) == 0;
    free(same);
    return fine;
}

static bool load(struct plans *p) {
    struct stat st;
    int fd = openat(p->directory, "plans", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT;
    bool fine = fstat(fd, &st) == 0 && st.st_size < (off_t)ROWS_MAX * LINE;
    char *text = fine ? calloc(1, (size_t)st.st_size + 1) : NULL;
    fine = text && read(fd, text, (size_t)st.st_size) == st.st_size;
    close(fd);
    if (fine && !read_all(p, text, (size_t)st.st_size)) {
        errno = EBADMSG;
        fine = false;
    }
    free(text);
    return fine;
}

static bool store(struct plans *p) {
    size_t size;
    uint64_t counted = plans_counted(p);
    char *text = format_all(p, counted, &size);
    int fd = text ? openat(p->directory, "plans.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (fd < 0) {
        free(text);
        return false;
    }
    ssize_t put = write(fd, text, size);
    if (put >= 0 && (size_t)put < size) errno = ENOSPC;
    bool fine = put == (ssize_t)size && fsync(fd) == 0;
    int why = errno;
    close(fd);
    free(text);
    errno = why;
    fine = fine && renameat(p->directory, "plans.new", p->directory, "plans") == 0 && fsync(p->directory) == 0;
    why = errno;
    if (!fine) unlinkat(p->directory, "plans.new", 0);
    errno = why;
    if (!fine) return false;
    p->next_at = boot_ms() + PLANS_KEEP_MS;
    return true;
}

struct plans *plans_open(const char *state_dir, char error[PLANS_ERROR_MAX]) {
    struct plans *p = calloc(1, sizeof *p);
    if (p) p->directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p && p->directory >= 0) {
        p->since = boot_ms();
        p->next_at = p->since + PLANS_KEEP_MS;
        if (load(p)) return p;
    }
    snprintf(error, PLANS_ERROR_MAX, "%s/plans: %s", state_dir, errno == EBADMSG ? "damaged" : strerror(errno));
    plans_close(p);
    return NULL;
}

void plans_close(struct plans *p) {
    if (p && p->directory >= 0) close(p->directory);
    free(p);
}

/* ---- rows ---- */

static struct plan_row *find(const struct plans *p, uint32_t tenant, enum backup_kind kind) {
    for (size_t i = 0; i < p->count; i++)
        if (p->row[i].tenant == tenant && p->row[i].kind == kind) return (struct plan_row *)&p->row[i];
    return NULL;
}

const struct plan_row *plans_find(const struct plans *p, uint32_t tenant, enum backup_kind kind) { return find(p, tenant, kind); }

bool plans_put(struct plans *p, const struct plan_row *row) {
    struct plan_row *at = find(p, row->tenant, (enum backup_kind)row->kind), before = at ? *at : (struct plan_row){0};
    bool fresh = !at;
    errno = ENOSPC;
    if (fresh && p->count == ROWS_MAX) return false;
    if (fresh) at = &p->row[p->count++];
    *at = *row;
    if (store(p)) return true;
    if (fresh)
        p->count--;
    else
        *at = before;
    return false;
}

void plans_note(struct plans *p, const struct plan_row *row) {
    struct plan_row *at = find(p, row->tenant, (enum backup_kind)row->kind);
    if (!at) return;
    *at = *row;
    plans_keep(p, true);
}

bool plans_remove(struct plans *p, uint32_t tenant, enum backup_kind kind) {
    struct plan_row *at = find(p, tenant, kind), before;
    if (!at) return true;
    before = *at;
    *at = p->row[--p->count];
    if (store(p)) return true;
    *at = p->row[p->count];
    p->row[p->count++] = before;
    return false;
}

void plans_keep(struct plans *p, bool at_once) {
    if ((at_once || boot_ms() >= p->next_at) && !store(p)) {
        log_errno("plans: not written yet");
        p->next_at = boot_ms() + PLANS_AGAIN_MS; /* not at every tick */
    }
}

/* C9: a plan is kept to by a clock that only grows */
bool plan_due(const struct plan_row *row, uint64_t now_ms) {
    uint64_t period = (uint64_t)row->period_minutes * 60000;
    return period && (now_ms < row->last_ms || now_ms - row->last_ms >= period);
}
