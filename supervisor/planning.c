#include "planning.h"

#include "clock.h"
#include "log.h"
#include "plans.h"
#include "supervisor.h"
#include "tenant.h"
#include "text.h"

#include <string.h>

/* A destination that takes this kind, and not another one than where something lies still. */
static bool fits(const struct tenant *t, const struct plan *p, const struct plan_row *row) {
    const struct config *c = &t->house->config;
    if (p->destination >= c->destination_count || c->destination[p->destination].archive != (p->kind == BACKUP_ARCHIVE)) return false;
    return !row || strcmp(row->destination, c->destination[p->destination].name) == 0;
}

static bool says_the_same(const struct plan_row *kept, const struct plan_row *wanted) {
    return kept && kept->keep_hours == wanted->keep_hours && kept->period_minutes == wanted->period_minutes &&
           kept->paused == wanted->paused; /* the destination does too: fits() */
}

/* The row that the word asks for. false: nothing is to be written. */
static bool make_row(const struct tenant *t, const struct plan *p, struct plan_row *wanted) {
    const struct plan_row *row = plans_find(t->house->plans, t->entry->number, (enum backup_kind)p->kind);
    bool on = p->period_minutes > 0, may = on ? fits(t, p, row) : row != NULL;
    if (!may) return false;
    *wanted = row ? *row : (struct plan_row){.tenant = t->entry->number, .kind = p->kind};
    if (on) TEXT_COPY(wanted->destination, t->house->config.destination[p->destination].name);
    if (on) wanted->keep_hours = p->keep_hours;
    wanted->period_minutes = p->period_minutes;
    wanted->paused = p->paused;
    return !says_the_same(row, wanted);
}

static const char *event_of(const struct plan *p) {
    bool on = p->period_minutes > 0;
    return p->kind == BACKUP_ARCHIVE ? on ? "archive_plan" : "archive_end" : on ? "backup_plan" : "backup_end";
}

bool planning_settle(struct tenant *t, enum backup_kind kind, uint64_t now) {
    struct plan_word *word = &t->backups.kind[kind].word;
    struct plan_row wanted;
    struct plan p;
    if (!word->held || now < word->again_at) return false;
    bool says = plan_unpack(word->packed, &p) && make_row(t, &p, &wanted);
    if (says && !word->failed && !changes_take(&t->changes, now, &word->again_at)) return false;
    bool kept = !says || plans_put(t->house->plans, &wanted);
    if (!kept) log_errno("tenant %s: its plan is not written yet", t->entry->name);
    if (says && (kept || !word->failed))
        ledger_event(t->house->ledger, clock_unix_ms(), event_of(&p), supervisor_about(t->entry), kept ? "done" : "failed");
    *word = (struct plan_word){.held = !kept, .failed = !kept, .packed = word->packed, .again_at = kept ? 0 : now + PLAN_WRITE_MS};
    if (says && kept) t->backups.kind[kind].again_at = 0;
    return kept;
}

void planning_heard(struct tenant *t, const struct plan *p, uint64_t now) {
    struct plan_word *word = &t->backups.kind[p->kind].word;
    word->held = true;
    word->packed = plan_pack(p);
    planning_settle(t, (enum backup_kind)p->kind, now);
}
