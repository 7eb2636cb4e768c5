#include "errand.h"

#include "clock.h"
#include "copies.h"
#include "ledger.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

#include <stddef.h>
#include <unistd.h>

/* What each verb waits for. */
enum wait {
    READY = 1,
    ENDED = 2,
    REPLY = 3 /* READY, then the worker's answer */,
    LOCKED = 4 /* READY, then ENDED */,
    OTHERS = 5 /* reset.h says when */
};
static const enum wait waits[VERB_COUNT] = {
    [VERB_start] = READY,
    [VERB_stop] = ENDED,
    [VERB_suspend] = ENDED,
    [VERB_csr] = REPLY,
    [VERB_cert] = REPLY,
    [VERB_lock] = LOCKED,
    [VERB_capsule_copy] = REPLY,
    [VERB_reset] = OTHERS,
    [VERB_backup_now] = OTHERS,
    [VERB_backup_list] = OTHERS,
    [VERB_backup_verify] = OTHERS,
    [VERB_backup_drill] = OTHERS,
    [VERB_backup_restore] = OTHERS,
};

static bool of_backups(enum verb verb) { return waits[verb] == OTHERS && verb != VERB_reset; }

/* Those wait for a store, which may answer never: half of the places are not for them. */
static bool too_many(const struct tenant *t, enum verb verb) {
    int backups = 0;
    for (int i = 0; i < ERRANDS_MAX; i++)
        backups += of_backups(t->errand[i].verb);
    return of_backups(verb) && backups >= ERRANDS_MAX / 2;
}

bool errand_take(struct tenant *t, const struct errand *wanted) {
    static uint64_t order;
    if (too_many(t, wanted->verb)) return false;
    for (int i = 0; i < ERRANDS_MAX; i++) {
        if (t->errand[i].verb != VERB_NONE) continue;
        t->errand[i] = *wanted;
        t->errand[i].order = ++order;
        t->errand[i].asked = waits[wanted->verb] == OTHERS;
        return true;
    }
    return false;
}

/* The outcome is recorded and told; the errand is free again. */
static void end(struct tenant *t, struct errand *e, const struct answer *outcome) {
    struct errand done = *e;
    *e = (struct errand){.fd = -1};
    if (done.fd >= 0) close(done.fd);
    struct supervisor *house = t->house;
    const char *word = outcome->result == ACT_DONE ? "done" : "failed";
    struct ledger_tenant about = supervisor_about(t->entry);
    if (ledger_act(house->ledger, clock_unix_ms(), done.uid, done.verb, about, word) < 0)
        ledger_event(house->ledger, clock_unix_ms(), verb_table[done.verb].name, about, word);
    struct answer answer = *outcome;
    answer.request = done.request;
    if (done.steward == house->steward.starts) tell_answer(house, &answer);
}

static void end_as(struct tenant *t, struct errand *e, enum act_result result) { end(t, e, &(struct answer){.result = result, .fd = -1}); }

static void ask(struct tenant *t, struct errand *e) {
    e->asked = true;
    e->deadline = clock_ms() + ERRAND_REPLY_MS;
    if (e->verb == VERB_csr) tenant_say(t, MESSAGE_WORKER_CSR, 0, -1);
    if (e->verb == VERB_capsule_copy) copies_want(t);
    if (e->verb == VERB_cert) {
        tenant_say(t, MESSAGE_WORKER_CHAIN, e->bytes, e->fd);
        close(e->fd);
        e->fd = -1;
    }
    if (e->verb != VERB_lock) return;
    if (t->locking != LOCK_TOKENS) t->locking = e->tokens ? LOCK_TOKENS : LOCK_SESSIONS;
    e->deadline = 0; /* the drain has its own */
    tenant_event(t, LIFE_STOP);
}

static void move(struct tenant *t, struct errand *e) {
    enum wait wait = waits[e->verb];
    bool ready = life_ready(&t->life), rests = !life_alive(&t->life) && t->life.state != LIFE_WAITING;
    if (wait == OTHERS) return;
    if (ready && wait == READY)
        end_as(t, e, ACT_DONE);
    else if (ready && wait != ENDED && !e->asked)
        ask(t, e);
    else if (rests && wait == ENDED)
        end_as(t, e, ACT_DONE);
    else if (rests)
        end_as(t, e, ACT_FAILED);
}

/* The oldest errand after `order`; NULL = no more. */
static struct errand *next(struct tenant *t, uint64_t order) {
    struct errand *first = NULL;
    for (int i = 0; i < ERRANDS_MAX; i++) {
        struct errand *e = &t->errand[i];
        if (e->verb != VERB_NONE && e->order > order && (!first || e->order < first->order)) first = e;
    }
    return first;
}

void errands_move(struct tenant *t) {
    uint64_t order = 0;
    for (struct errand *e; (e = next(t, order));) {
        order = e->order;
        move(t, e);
    }
}

void errands_worker_gone(struct tenant *t) {
    uint64_t order = 0;
    for (struct errand *e; (e = next(t, order));) {
        order = e->order;
        enum wait wait = waits[e->verb];
        if (wait == ENDED || (wait == LOCKED && e->asked))
            end_as(t, e, wait == LOCKED && t->last_exit ? ACT_FAILED : ACT_DONE);
        else if (e->asked && wait != OTHERS)
            end_as(t, e, ACT_FAILED);
    }
}

static struct errand *asked(struct tenant *t, enum verb verb, uint32_t kind) {
    uint64_t order = 0;
    for (struct errand *e; (e = next(t, order)); order = e->order)
        if (e->verb == verb && e->kind == kind && e->asked) return e;
    return NULL;
}

const struct errand *errand_asked(struct tenant *t, enum verb verb) { return asked(t, verb, 0); }

bool errand_answered_of(struct tenant *t, enum verb verb, enum backup_kind kind, const struct answer *outcome) {
    struct errand *e = asked(t, verb, kind);
    if (e) end(t, e, outcome);
    return e;
}

bool errand_answered(struct tenant *t, enum verb verb, const struct answer *outcome) {
    return errand_answered_of(t, verb, (enum backup_kind)0, outcome);
}

void errands_tick(struct tenant *t, uint64_t now) {
    for (int i = 0; i < ERRANDS_MAX; i++) {
        struct errand *e = &t->errand[i];
        if (e->verb == VERB_NONE || !e->deadline || now < e->deadline) continue;
        end_as(t, e, ACT_FAILED);
        tenant_fail(t, "did not answer what it was asked"); /* a late answer would be taken for the next one's */
        return;
    }
}
