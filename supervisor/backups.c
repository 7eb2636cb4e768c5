#include "backups.h"

#include "clock.h"
#include "errand.h"
#include "leaving.h"
#include "loading.h"
#include "log.h"
#include "plans.h"
#include "supervisor.h"
#include "tell.h"
#include "tell_plans.h"
#include "tenant.h"
#include "text.h"
#include "wishes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, FIRST_CHECK_MS = 3600000, HOUR_MS = 3600000 };
#define SNAPSHOTS_MOST ((uint64_t)1 << 48) /* numbers never come to that */

static const struct plan_row *plan_of(const struct tenant *t, enum backup_kind kind) {
    return plans_find(t->house->plans, t->entry->number, kind);
}

/* The index of a destination of that name, UINT32_MAX = the configuration has none. */
static uint32_t index_of(const struct supervisor *h, const char *name) {
    for (uint32_t i = 0; i < h->config.destination_count; i++)
        if (strcmp(h->config.destination[i].name, name) == 0) return i;
    return UINT32_MAX;
}

/* S8: nothing goes to or comes from a destination in a region that the tenant excludes; what lies there is still looked at and erased */
static bool is_excluded(const struct tenant *t, uint32_t destination) {
    const struct config *c = &t->house->config;
    return destination < c->destination_count && !wishes_allow(t, c->destination[destination].region);
}

static bool courier_is_there(const struct supervisor *h) { return h->courier.state == SERVICE_READY; }

static const char *word_of(enum backup_kind kind, enum courier_task task) {
    static const char *const words[][BACKUP_KINDS] = {[TASK_TAKE] = {"backup", "archive"},
                                                      [TASK_SEND] = {"backup_sent", "archive_sent"},
                                                      [TASK_CHECK] = {"backup_check", "archive_check"},
                                                      [TASK_ERASE] = {"backup_erase", "archive_erase"}};
    return words[task][kind];
}

static void record(struct tenant *t, const char *event, const char *result) { changes_event(t, event, result, clock_unix_ms()); }

/* ---- jobs ---- */

/* What a worker's store may hold: its file as it was started, or as the quota is now. */
static uint64_t most_of(const struct tenant *t) {
    uint64_t quota = t->quota_bytes > t->entry->quota_bytes ? t->quota_bytes : t->entry->quota_bytes;
    return 2 * quota + FILE_SLACK;
}

/* Hands a job to the courier; fd: the end of a pipe, or -1, the caller's. */
static void send_job(struct tenant *t, struct message_job *job, int fd) {
    static uint64_t jobs;
    struct supervisor *h = t->house;
    job->head = (struct message_head){.type = MESSAGE_COURIER_JOB, .tenant = t->entry->number};
    job->job = t->backups.job = ++jobs;
    job->now_ms = clock_unix_ms();
    job->counted_ms = plans_counted(h->plans);
    job->most_bytes = most_of(t);
    if (!job->source) job->source = t->entry->number;
    t->backups.now_ms = job->now_ms;
    t->backups.ends_at = clock_ms() + (job->task == TASK_TAKE ? TAKE_ENDS_MS : JOB_ENDS_MS);
    t->backups.task = job->task;
    t->backups.kind_now = job->kind;
    link_send(h->courier.link, &(union message){.job = *job}, fd);
}

/* A job about the tenant's own plan. */
static void begin_job(struct tenant *t, enum backup_kind kind, enum courier_task task, int fd) {
    const struct plan_row *row = plan_of(t, kind);
    struct message_job job = {.task = task, .kind = kind, .destination = index_of(t->house, row->destination)};
    job.keep_ms = (uint64_t)row->keep_hours * HOUR_MS;
    job.known = row->number;
    memcpy(job.hash, row->hash, sizeof job.hash);
    send_job(t, &job, fd);
}

/* A wish that comes while a snapshot is under way is for the next one. */
static void begin_wish(struct backup *b) {
    b->served += b->asked;
    b->asked = 0;
    b->wanted = false;
}

static void answer_wish(struct tenant *t, struct backup *b, const struct answer *answer) {
    for (; b->served; b->served--)
        errand_answered_of(t, VERB_backup_now, b == &t->backups.kind[BACKUP_ARCHIVE] ? BACKUP_ARCHIVE : BACKUP_COPY, answer);
}

static void failed(struct tenant *t, enum backup_kind kind, enum courier_task task, enum backup_result why) {
    struct backup *b = &t->backups.kind[kind];
    b->again_at = clock_ms() + backoff(++b->failures, BACKUP_AGAIN_MS, BACKUP_AGAIN_MOST_MS);
    b->result = why;
    b->tried_ms = clock_unix_ms();
    record(t, word_of(kind, task), backup_result_word(why));
    log_say("tenant %s: %s: %s", t->entry->name, word_of(kind, task), backup_result_meaning(why));
    if (task == TASK_TAKE && b->wanted) begin_wish(b); /* it did not even begin */
    if (task == TASK_TAKE) b->owed = true;
    if (task == TASK_TAKE) b->adopted = false; /* its spool may be what failed */
    answer_wish(t, b, &(struct answer){.result = ACT_FAILED, .detail = why, .fd = -1});
    tell_plans(t, false);
}

/* The worker's end must not block it, the courier's end may. */
static bool make_pipe(int end[2]) {
    if (pipe2(end, O_CLOEXEC) < 0) return false;
    fcntl(end[1], F_SETPIPE_SZ, PIPE_BYTES); /* fewer wake-ups; the default does too */
    int flags = fcntl(end[1], F_GETFL);
    if (flags >= 0 && fcntl(end[1], F_SETFL, flags | O_NONBLOCK) == 0) return true;
    close(end[0]);
    close(end[1]);
    return false;
}

/* From the worker to the courier. */
static void take(struct tenant *t, enum backup_kind kind) {
    int end[2];
    if (!life_ready(&t->life)) {
        t->backups.kind[kind].again_at = clock_ms() + START_MS;
        tenant_event(t, LIFE_WANT); /* it may be throttled, or wait for room: then later */
        return;
    }
    if (!make_pipe(end)) {
        log_errno("tenant %s: a pipe", t->entry->name);
        failed(t, kind, TASK_TAKE, BACKUP_MEMORY);
        return;
    }
    t->house->taking = t->house->taking_last = t->entry->number;
    begin_wish(&t->backups.kind[kind]);
    begin_job(t, kind, TASK_TAKE, end[0]);
    tenant_say(t, MESSAGE_WORKER_SNAPSHOT, t->backups.job, end[1]);
    close(end[0]);
    close(end[1]);
    tell_plans(t, false);
}

/* Of those who wait the one behind number `last`; NULL = nobody waits. */
static struct tenant *next_after(const struct supervisor *h, uint32_t last) {
    struct tenant *first = NULL;
    for (size_t i = 0; i < h->tenant_count; i++) {
        struct tenant *t = h->tenant[i];
        if (t->backups.job || (!t->backups.kind[BACKUP_COPY].waits && !t->backups.kind[BACKUP_ARCHIVE].waits)) continue;
        if (t->entry->number > last) return t;
        if (!first) first = t;
    }
    return first;
}

/* C7: a worker that gives its snapshot slowly or not at all, and asks for the next at once, keeps nobody from theirs */
void backups_turn(struct supervisor *h) {
    for (struct tenant *t; !h->taking && (t = next_after(h, h->taking_last));) {
        enum backup_kind kind = t->backups.kind[BACKUP_COPY].waits ? BACKUP_COPY : BACKUP_ARCHIVE;
        t->backups.kind[kind].waits = false;
        take(t, kind);
    }
}

/* ---- when ---- */

/* A tenant that is emptied, or was never anybody's, has nothing to back up: its plans are at their end. */
static void end_plan(struct tenant *t, const struct plan_row *row) {
    struct plan_row ended = *row;
    ended.period_minutes = 0;
    plans_note(t->house->plans, &ended);
}

static bool may_take(const struct tenant *t) {
    return t->entry->enrolled && !t->life.suspended && !t->entry->resetting && t->life.state != LIFE_DRAINING && !t->locking &&
           !t->house->taking;
}

static void step_plan(struct tenant *t, enum backup_kind kind, const struct plan_row *row, uint64_t now) {
    struct backup *b = &t->backups.kind[kind];
    if ((!t->entry->enrolled || t->entry->contract.gone_ms) && row->period_minutes) end_plan(t, row);
    if (!b->check_at) b->check_at = now + FIRST_CHECK_MS;
    if (kind == BACKUP_ARCHIVE && row->number && now >= b->check_at) b->check = true;
    bool excluded = is_excluded(t, index_of(t->house, row->destination));
    bool wanted = b->wanted || (!row->paused && (b->owed || plan_due(row, clock_unix_ms())));
    bool due = row->period_minutes && wanted && (b->asked || now >= b->again_at); /* staff need not wait after a failure */
    b->waits = false;
    if (row->period_minutes == 0 && now >= b->again_at)
        begin_job(t, kind, TASK_ERASE, -1);
    else if (b->unsent && now >= b->again_at && excluded)
        failed(t, kind, TASK_SEND, BACKUP_REGION);
    else if (b->unsent && now >= b->again_at)
        begin_job(t, kind, TASK_SEND, -1);
    else if (due && excluded)
        failed(t, kind, TASK_TAKE, BACKUP_REGION);
    else if (due && !b->adopted)
        begin_job(t, kind, TASK_ADOPT, -1);
    else if (due && may_take(t))
        b->waits = true;
    else if (b->check)
        begin_job(t, kind, TASK_CHECK, -1);
    else if (b->list || (!b->listed && life_ready(&t->life)))
        begin_job(t, kind, TASK_LIST, -1);
}

/* Whoever waits is told. */
static void no_courier(struct tenant *t, enum backup_kind kind) {
    struct backup *b = &t->backups.kind[kind];
    const struct answer none = {.result = ACT_FAILED, .detail = BACKUP_NO_COURIER, .fd = -1};
    if (b->wanted) failed(t, kind, TASK_TAKE, BACKUP_NO_COURIER);
    if (b->list) errand_answered_of(t, VERB_backup_list, kind, &none);
    if (b->check) errand_answered_of(t, VERB_backup_verify, kind, &none);
    b->list = false;
}

void backups_tick(struct tenant *t, uint64_t now) {
    if (t->backups.job && now >= t->backups.ends_at) {
        t->backups.ends_at = UINT64_MAX; /* backups_lost() follows, once there is another */
        service_fail(&t->house->courier, "does not end a job");
    }
    for (int kind = 0; kind < BACKUP_KINDS; kind++)
        if (planning_settle(t, (enum backup_kind)kind, now)) tell_plans(t, false);
    for (int kind = 0; kind < BACKUP_KINDS && !t->backups.job && !t->house->leave_at; kind++) {
        const struct plan_row *row = plan_of(t, (enum backup_kind)kind);
        if (row && courier_is_there(t->house) && index_of(t->house, row->destination) != UINT32_MAX)
            step_plan(t, (enum backup_kind)kind, row, now);
        else if (row)
            no_courier(t, (enum backup_kind)kind);
    }
}

/* ---- what came of it ---- */

static void took(struct tenant *t, enum backup_kind kind, const struct message_outcome *o) {
    struct plan_row row = *plan_of(t, kind);
    row.number = o->newest.number;
    row.last_ms = o->newest.taken_ms;
    memcpy(row.hash, o->newest.hash, sizeof row.hash);
    plans_note(t->house->plans, &row);
    record(t, word_of(kind, TASK_TAKE), "done");
    t->backups.kind[kind].unsent = true;
    t->backups.kind[kind].owed = false;
    t->backups.kind[kind].again_at = 0;
}

static void sent(struct tenant *t, enum backup_kind kind) {
    struct backup *b = &t->backups.kind[kind];
    b->unsent = false;
    b->failures = 0;
    b->result = BACKUP_DONE;
    b->tried_ms = clock_unix_ms();
    record(t, word_of(kind, TASK_SEND), "done");
    answer_wish(t, b, &(struct answer){.result = ACT_DONE, .fd = -1});
}

/* What a check says of the copy; else it could not look, and tries again soon. */
static bool is_verdict(enum backup_result result) {
    return result == BACKUP_DONE || result == BACKUP_LIED || result == BACKUP_MISSING || result == BACKUP_DAMAGED ||
           result == BACKUP_ROLLED_BACK || result == BACKUP_ABSENT;
}

static void checked(struct tenant *t, enum backup_kind kind, const struct message_outcome *o) {
    struct backup *b = &t->backups.kind[kind];
    b->check = false;
    b->check_at = clock_ms() + (is_verdict((enum backup_result)o->result) ? ARCHIVE_CHECK_MS : BACKUP_AGAIN_MOST_MS);
    b->checked = (enum backup_result)o->result;
    b->checked_ms = clock_unix_ms();
    record(t, word_of(kind, TASK_CHECK), backup_result_word(b->checked));
    if (o->result != BACKUP_DONE)
        log_say("tenant %s: %s: snapshot %llu: %s", t->entry->name, word_of(kind, TASK_CHECK), (unsigned long long)o->wrong_number,
                backup_result_meaning(b->checked));
    struct answer answer = {.result = o->result == BACKUP_DONE ? ACT_DONE : ACT_FAILED, .detail = o->result, .fd = -1};
    errand_answered_of(t, VERB_backup_verify, kind, &answer);
}

static void erased(struct tenant *t, enum backup_kind kind, const struct message_outcome *o) {
    struct backup *b = &t->backups.kind[kind];
    if (o->pruned || o->result == BACKUP_DONE) record(t, word_of(kind, TASK_ERASE), backup_result_word((enum backup_result)o->result));
    bool locked = o->result == BACKUP_LOCKED;
    b->again_at = clock_ms() + (locked ? BACKUP_AGAIN_MOST_MS : backoff(++b->failures, BACKUP_AGAIN_MS, BACKUP_AGAIN_MOST_MS));
    if (o->result == BACKUP_DONE && t->entry->contract.gone_ms) {
        char what[NOTE_MAX + 1];
        snprintf(what, sizeof what, "%s at %s: erased", word_of(kind, TASK_TAKE), plan_of(t, kind)->destination);
        if (!leaving_record(t, "destroyed", what)) return; /* erased again, and told then */
    }
    if (o->result == BACKUP_DONE && plans_remove(t->house->plans, t->entry->number, kind)) *b = (struct backup){0};
}

static void settle(struct tenant *t, enum backup_kind kind, const struct message_outcome *o) {
    bool done = o->result == BACKUP_DONE;
    switch ((enum courier_task)o->task) {
    case TASK_TAKE:
        if (done)
            took(t, kind, o);
        else
            failed(t, kind, TASK_TAKE, (enum backup_result)o->result);
        break;
    case TASK_SEND:
        if (done)
            sent(t, kind);
        else
            failed(t, kind, TASK_SEND, (enum backup_result)o->result);
        break;
    case TASK_CHECK:
        checked(t, kind, o);
        break;
    case TASK_ERASE:
        erased(t, kind, o);
        break;
    case TASK_ADOPT:
        t->backups.kind[kind].adopted = done;
        if (!done) failed(t, kind, TASK_TAKE, (enum backup_result)o->result);
        break;
    case TASK_LIST:
    case TASK_GIVE:
        break;
    }
}

/* A file that nobody changes any more, of exactly so many rows: it goes on to a worker and to the steward. */
static bool are_rows(int fd, uint32_t count) {
    const int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & sealed) == sealed && fstat(fd, &st) == 0 &&
           (uint64_t)st.st_size == (uint64_t)count * sizeof(struct snapshot_row);
}

/* S4: what the courier says is the answer to what it was asked, or it is ended: it may have been taken over */
static bool answers(const struct tenant *t, const struct message_outcome *o, int rows) {
    const struct backups *b = &t->backups;
    if (!b->job || o->job != b->job || o->task != b->task || o->kind != b->kind_now) return false;
    if (rows >= 0 && !are_rows(rows, o->rows)) return false;
    if (o->task != TASK_TAKE || o->result != BACKUP_DONE) return true;
    const struct plan_row *row = plan_of(t, (enum backup_kind)o->kind);
    return o->newest.kind == o->kind && o->newest.taken_ms == b->now_ms && o->newest.number <= SNAPSHOTS_MOST &&
           (!row || o->newest.number > row->number);
}

bool backups_outcome(struct tenant *t, const struct message_outcome *o, int rows) {
    enum backup_kind kind = (enum backup_kind)o->kind;
    if (!answers(t, o, rows)) return false;
    t->backups.job = 0;
    if (t->house->taking == t->entry->number) t->house->taking = 0;
    if (o->task == TASK_GIVE) {
        loading_given(t, o);
        return true;
    }
    if (!plan_of(t, kind)) return true;
    settle(t, kind, o);
    struct backup *b = &t->backups.kind[kind];
    if (rows >= 0) {
        b->listed = true;
        if (life_ready(&t->life)) tenant_say(t, MESSAGE_WORKER_SNAPSHOTS, kind, rows);
        if (o->rows && !o->newest.sent) b->unsent = true; /* of before a restart */
        errand_answered_of(t, VERB_backup_list, kind,
                           &(struct answer){.result = ACT_DONE, .fd = rows, .bytes = (uint64_t)o->rows * sizeof(struct snapshot_row)});
    } else { /* nothing could be listed; it may be that no other job follows */
        uint32_t why = o->result == BACKUP_DONE ? BACKUP_SPOOL : o->result;
        errand_answered_of(t, VERB_backup_list, kind, &(struct answer){.result = ACT_FAILED, .detail = why, .fd = -1});
    }
    b->list = false;
    tell_plans(t, false);
    return true;
}

void backups_lost(struct supervisor *h) {
    for (size_t i = 0; i < h->tenant_count; i++) {
        struct tenant *t = h->tenant[i];
        t->backups.kind[BACKUP_COPY].adopted = t->backups.kind[BACKUP_ARCHIVE].adopted = false;
        if (!t->backups.job) continue;
        struct message_outcome lost = {
            .job = t->backups.job, .task = t->backups.task, .kind = t->backups.kind_now, .result = BACKUP_NO_COURIER};
        backups_outcome(t, &lost, -1);
    }
}

/* ---- what the tenant wants ---- */

void backups_plan(struct tenant *t, uint64_t packed) {
    struct plan p;
    if (!plan_unpack(packed, &p)) return; /* the channel looked already */
    planning_heard(t, &p, clock_ms());
    tell_plans(t, true);
}

void backups_asked(struct tenant *t, enum backup_kind kind) {
    const struct plan_row *row = plan_of(t, kind);
    if (row && row->period_minutes) t->backups.kind[kind].wanted = true; /* also once, confirmed, while its function is off */
    tell_plans(t, true);
}

/* ---- what staff wants ---- */

enum backup_kind backups_kind(const struct message_act *said) { return said->set & ACT_ARCHIVE ? BACKUP_ARCHIVE : BACKUP_COPY; }

bool backups_may(const struct tenant *t, const struct message_act *said) {
    const struct plan_row *row = plan_of(t, backups_kind(said));
    if (said->verb == VERB_backup_restore) return loading_may(t) && t->life.state == LIFE_SUSPENDED && !t->entry->enrolled;
    if (!row) return false;
    if (said->verb == VERB_backup_now) return row->period_minutes && !row->paused && t->entry->enrolled && !t->life.suspended;
    return said->verb != VERB_backup_drill || loading_may(t);
}

void backups_act(struct tenant *t, enum verb verb, const struct message_act *said) {
    enum backup_kind kind = backups_kind(said);
    const struct plan_row *row = plan_of(t, kind);
    const struct answer none = {.result = ACT_FAILED, .detail = BACKUP_NO_COURIER, .fd = -1};
    const struct tenant *of = said->source ? supervisor_tenant(t->house, said->source) : NULL; /* whose copy it is */
    bool gives = verb == VERB_backup_drill || verb == VERB_backup_restore; /* the others are about the plan's own place */
    const char *place = gives && said->set & ACT_PLACE ? said->place : row ? row->destination : "";
    struct message_job job = {.task = TASK_GIVE, .kind = kind, .destination = index_of(t->house, place), .source = said->source};
    if (!courier_is_there(t->house) || job.destination == UINT32_MAX) {
        errand_answered_of(t, verb, kind, &none);
        return;
    }
    switch (verb) {
    case VERB_backup_now:
        t->backups.kind[kind].wanted = true;
        t->backups.kind[kind].asked++;
        break;
    case VERB_backup_verify:
        t->backups.kind[kind].check = true;
        break;
    case VERB_backup_list:
        t->backups.kind[kind].list = true;
        if (!t->backups.job) begin_job(t, kind, TASK_LIST, -1);
        break;
    default:
        job.snapshot = said->snapshot;
        job.foreign = verb == VERB_backup_restore;
        if (is_excluded(t, job.destination) || (of && is_excluded(of, job.destination))) {
            errand_answered_of(t, verb, kind, &(struct answer){.result = ACT_FAILED, .detail = BACKUP_REGION, .fd = -1});
            return;
        }
        if (!t->backups.job && loading_begin(t, verb, &job, send_job)) return;
        errand_answered_of(t, verb, kind, &none);
    }
}

bool backups_child(struct tenant *t, pid_t pid, int status) { return loading_child(t, pid, status); }

bool backups_leave(const struct tenant *t) {
    bool told = true;
    for (int kind = 0; kind < BACKUP_KINDS; kind++) {
        char what[NOTE_MAX + 1];
        const struct plan_row *row = plan_of(t, (enum backup_kind)kind);
        if (!row) continue;
        if (kind == BACKUP_ARCHIVE)
            snprintf(what, sizeof what, "archive at %s: sealed, without a key; locked, each part erased %u hours after it was taken",
                     row->destination, row->keep_hours);
        else
            snprintf(what, sizeof what, "backup at %s: sealed, without a key; erased next", row->destination);
        told &= leaving_record(t, "remains", what);
    }
    return told;
}

uint64_t backups_last(const struct tenant *t) {
    const struct plan_row *row = plan_of(t, BACKUP_COPY);
    return row ? row->last_ms : 0;
}
