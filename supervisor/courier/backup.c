#include "backup.h"

#include "../backup/catalog.h"
#include "../backup/file.h"
#include "../backup/take.h"
#include "backup_work.h"
#include "courier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *kind_name(uint32_t kind) { return kind == BACKUP_ARCHIVE ? "archive" : "backup"; }

/* One further down; closes the one above. */
static int enter(int above, const char *name) {
    int below = above < 0 ? -1 : file_directory(above, name);
    int why = errno;
    if (above >= 0) close(above);
    errno = why;
    return below;
}

/* DESTINATION/NUMBER/KIND below the spool; another machine's number may be that of one of ours. */
static int open_folder(struct courier *c, const struct message_job *job) {
    char number[MANIFEST_NAME + 1], name[MANIFEST_NAME + 8];
    manifest_name(job->source, number);
    snprintf(name, sizeof name, "%s%s", job->foreign ? "from-" : "", number);
    return enter(enter(file_directory(c->spool, c->label[job->destination]), name), kind_name(job->kind));
}

static enum backup_result begin(struct courier *c, struct work *w) {
    snprintf(w->prefix, sizeof w->prefix, "t/%016llx/%s/", (unsigned long long)w->job.source, kind_name(w->job.kind));
    w->folder = open_folder(c, &w->job);
    w->manifests = w->folder < 0 ? -1 : file_directory(w->folder, "manifests");
    w->packs = w->folder < 0 ? -1 : file_directory(w->folder, "packs");
    return w->manifests < 0 || w->packs < 0 ? work_spool_failed() : BACKUP_DONE;
}

static void close_fd(int fd) {
    if (fd >= 0) close(fd);
}

/* ---- the outcome ---- */

static struct snapshot_row row_of(const struct manifest *m) {
    struct snapshot_row row = {.number = m->number, .taken_ms = m->taken_ms, .keep_ms = m->keep_ms, .counted_ms = m->counted_ms};
    row.commit = m->commit;
    row.key_created = m->key_created;
    row.chunks = m->chunks;
    row.bytes = m->bytes;
    row.kind = m->kind;
    memcpy(row.hash, m->hash, BACKUP_HASH);
    return row;
}

static bool fill_row(const struct work *w, uint64_t number, uint64_t sent, struct snapshot_row *row) {
    struct manifest m;
    if (!catalog_head(w->manifests, number, &m)) return false;
    *row = row_of(&m);
    row->sent = number <= sent;
    return true;
}

/* The catalogue in a memfd that nobody can change; -1: there is none. */
static int rows_of(const struct work *w, struct message_outcome *out) {
    uint64_t *number, sent = work_sent(w);
    size_t count;
    struct snapshot_row row;
    bool told = out->newest.number; /* the task knows better */
    int fd = memfd_create("snapshots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || !catalog_list(w->manifests, &number, &count)) {
        close_fd(fd);
        return -1;
    }
    for (size_t i = count > SNAPSHOT_ROWS_MAX ? count - SNAPSHOT_ROWS_MAX : 0; i < count; i++) {
        if (!fill_row(w, number[i], sent, &row) || !file_write(fd, &row, sizeof row)) continue;
        out->rows++;
        if (!told) out->newest = row;
    }
    free(number);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    return fd;
}

static void report(struct courier *c, struct work *w, enum backup_result result) {
    union message m = {.outcome = w->outcome};
    m.head = (struct message_head){.type = MESSAGE_COURIER_JOB_DONE, .tenant = w->job.head.tenant, .generation = w->job.head.generation};
    m.outcome.job = w->job.job;
    m.outcome.task = w->job.task;
    m.outcome.kind = w->job.kind;
    m.outcome.result = result;
    int rows = w->manifests < 0 ? -1 : rows_of(w, &m.outcome);
    if (w->job.task == TASK_TAKE && result == BACKUP_DONE && !m.outcome.newest.number) m.outcome.result = BACKUP_SPOOL;
    courier_say(c, &m, rows);
    if (w->job.foreign && w->manifests >= 0) work_empty(w->manifests);
    close_fd(rows);
    close_fd(w->fd);
    close_fd(w->manifests);
    close_fd(w->packs);
    close_fd(w->folder);
    free(w);
}

/* ---- the tasks ---- */

static enum backup_result take(struct work *w) {
    struct manifest before, made;
    uint64_t newest = 0;
    enum backup_result result = work_newest(w, &before, &newest);
    if (result != BACKUP_DONE) return result;
    struct take t = {.stream = w->fd,
                     .folder = w->folder,
                     .before = newest ? &before : NULL,
                     .tenant = w->job.source,
                     .number = (newest > w->job.known ? newest : w->job.known) + 1, /* none is given twice, also when one is lost */
                     .taken_ms = w->job.now_ms,
                     .keep_ms = w->job.keep_ms,
                     .counted_ms = w->job.counted_ms,
                     .kind = w->job.kind,
                     .most_bytes = w->job.most_bytes,
                     .slack_ms = TAKE_SLACK_MS,
                     .most_ms = TAKE_MOST_MS};
    result = take_snapshot(&t, &made, &w->outcome.fresh);
    if (result == BACKUP_DONE) {
        w->outcome.newest = row_of(&made);
        manifest_free(&made);
    }
    if (newest) manifest_free(&before);
    return result;
}

static enum backup_result deliver(struct destination *d, struct work *w) {
    enum backup_result result = work_send(d, w);
    return result == BACKUP_DONE ? work_prune(d, w, false) : result;
}

static void in_destination(struct destination *d, void *argument) {
    struct work *w = argument;
    enum backup_result result = work_adopt(d, w);
    if (result == BACKUP_DONE) {
        switch ((enum courier_task)w->job.task) {
        case TASK_SEND:
            result = deliver(d, w);
            break;
        case TASK_CHECK:
            result = work_check(d, w);
            break;
        case TASK_GIVE:
            result = work_give(d, w);
            break;
        case TASK_ERASE:
            result = work_prune(d, w, true);
            break;
        case TASK_TAKE:
        case TASK_ADOPT:
        case TASK_LIST:
            break;
        }
    }
    report(w->courier, w, result);
}

static void in_spool(struct destination *none, void *argument) {
    (void)none;
    struct work *w = argument;
    report(w->courier, w, take(w));
}

/* What needs no destination: it is not waited for, however slow. */
static bool is_local(const struct work *w) {
    return w->job.task == TASK_LIST || w->job.task == TASK_TAKE || (w->job.task == TASK_ADOPT && work_has_catalog(w));
}

void backup_job(struct courier *c, const union message *m, int *fd) {
    struct work *w = calloc(1, sizeof *w);
    if (!w) exit(EXIT_FAILURE); /* then everybody who waits is told */
    *w = (struct work){.courier = c, .job = m->job, .fd = *fd, .folder = -1, .manifests = -1, .packs = -1};
    *fd = -1;
    enum backup_result result = c->destination[m->job.destination] ? begin(c, w) : BACKUP_NO_COURIER;
    bool takes = w->job.task == TASK_TAKE;
    if (result == BACKUP_DONE && takes && !work_has_catalog(w)) result = BACKUP_SPOOL; /* it went since it was adopted */
    if (result != BACKUP_DONE || (is_local(w) && !takes))
        report(c, w, result);
    else if (!courier_lane_add(c, takes ? (uint32_t)COURIER_SPOOL_LANE : w->job.destination, takes ? in_spool : in_destination, w))
        report(c, w, BACKUP_UNREACHABLE);
}
