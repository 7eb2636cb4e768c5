#include "changes.h"

#include "clock.h"
#include "supervisor.h"
#include "tenant.h"

#include <string.h>

static bool take(struct changes *c, uint64_t most, uint64_t now, uint64_t *again_at) {
    const uint64_t ahead = (most - 1) * CHANGES_MS;
    if (c->until > now + ahead) {
        *again_at = c->until - ahead;
        return false;
    }
    c->until = (c->until > now ? c->until : now) + CHANGES_MS;
    return true;
}

bool changes_take(struct changes *c, uint64_t now, uint64_t *again_at) { return take(c, CHANGES_MOST, now, again_at); }

static void tell(const struct tenant *t, const char *word, const char *result, uint64_t times, uint64_t now_ms) {
    ledger_events(t->house->ledger, now_ms, word, supervisor_about(t->entry), result, times);
}

static void leave_out(struct events *e, const char *word, const char *result) {
    int i = 0;
    while (i < EVENTS_LEFT_OUT - 1 && e->left_out[i].times && (e->left_out[i].word != word || strcmp(e->left_out[i].result, result) != 0))
        i++;
    if (i == EVENTS_LEFT_OUT - 1) word = "changes", result = "several";
    e->left_out[i].word = word;
    e->left_out[i].result = result;
    e->left_out[i].times++;
}

static bool has_left_out(const struct events *e) {
    uint64_t times = 0;
    for (int i = 0; i < EVENTS_LEFT_OUT; i++)
        times += e->left_out[i].times;
    return times;
}

/* What was left out before is told first. */
void changes_event(struct tenant *t, const char *word, const char *result, uint64_t now_ms) {
    if (!has_left_out(&t->events) && take(&t->events.paid, EVENTS_MOST, clock_ms(), &t->events.again_at))
        tell(t, word, result, 1, now_ms);
    else
        leave_out(&t->events, word, result);
}

void changes_tick(struct tenant *t, uint64_t now, bool all) {
    struct events *e = &t->events;
    if (now < e->again_at && !all) return;
    for (int i = 0; i < EVENTS_LEFT_OUT; i++) {
        if (!e->left_out[i].times) continue;
        if (!all && !take(&e->paid, EVENTS_MOST, now, &e->again_at)) return;
        tell(t, e->left_out[i].word, e->left_out[i].result, e->left_out[i].times, clock_unix_ms());
        e->left_out[i].times = 0;
    }
}
