/* What a worker is told of destinations, of its plans and of what came of them. */
#include "tell_plans.h"

#include "backups.h"
#include "plans.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "text.h"

#include <string.h>

static void fill_row(const struct plan_row *row, struct plan_kept *out) {
    out->on = row->period_minutes > 0;
    out->period_minutes = row->period_minutes;
    out->keep_hours = row->keep_hours;
    out->paused = row->paused;
    out->last_ms = row->last_ms;
    out->number = row->number;
    TEXT_COPY(out->destination, row->destination);
    memcpy(out->hash, row->hash, sizeof out->hash);
}

/* What is not written down yet is shown as it was said, and that it is not. */
static void fill_word(const struct tenant *t, const struct plan_word *word, struct plan_kept *out) {
    const struct config *c = &t->house->config;
    struct plan p;
    if (!plan_unpack(word->packed, &p)) return;
    if (word->failed) out->result = BACKUP_NOT_KEPT;
    out->on = p.period_minutes > 0 && p.destination < c->destination_count;
    out->period_minutes = p.period_minutes;
    out->paused = (uint16_t)p.paused;
    if (!out->on) return;
    out->keep_hours = p.keep_hours;
    TEXT_COPY(out->destination, c->destination[p.destination].name);
}

static void fill_plan(const struct tenant *t, enum backup_kind kind, struct plan_kept *out) {
    const struct backup *b = &t->backups.kind[kind];
    const struct plan_row *row = plans_find(t->house->plans, t->entry->number, kind);
    *out = (struct plan_kept){.result = b->result, .tried_ms = b->tried_ms, .checked = b->checked, .checked_ms = b->checked_ms};
    out->busy = (t->backups.job && t->backups.kind_now == kind) || b->wanted || b->unsent;
    if (row) fill_row(row, out);
    if (b->word.held) fill_word(t, &b->word, out);
}

void tell_plans(struct tenant *t, bool answers) {
    union message m = {.plans = {.head = {.type = MESSAGE_WORKER_PLANS, .tenant = t->entry->number, .generation = t->life.generation},
                                 .answers = answers}};
    for (int kind = 0; kind < BACKUP_KINDS; kind++)
        fill_plan(t, (enum backup_kind)kind, &m.plans.plan[kind]);
    if (life_ready(&t->life)) link_send(t->link, &m, -1);
    tell_tenant(t);
}

void backups_offer(struct tenant *t) {
    const struct config *c = &t->house->config;
    union message m = {.offer = {.head = {.type = MESSAGE_WORKER_OFFER, .tenant = t->entry->number, .generation = t->life.generation}}};
    m.offer.count = c->destination_count;
    for (uint32_t i = 0; i < c->destination_count || i == 0; i++) {
        m.offer.index = i;
        if (i < c->destination_count) {
            m.offer.kind = c->destination[i].kind;
            m.offer.archive = c->destination[i].archive;
            TEXT_COPY(m.offer.name, c->destination[i].name);
            TEXT_COPY(m.offer.region, c->destination[i].region);
        }
        if (life_ready(&t->life)) link_send(t->link, &m, -1);
    }
}

void backups_ready(struct tenant *t) {
    for (int kind = 0; kind < BACKUP_KINDS; kind++)
        t->backups.kind[kind].listed = false;
    backups_offer(t);
    tell_plans(t, false);
}
