#include "lines.h"

#include "clock.h"
#include "supervisor.h"
#include "tenant.h"

enum { ANSWER_MS = 60000 /* OWN_LINES_MAX lines from a slow disk */ };

static void answer(struct tenant *t, uint64_t bytes, int fd) {
    t->lines_from = 0;
    tenant_say(t, MESSAGE_WORKER_LEDGER, bytes, fd);
}

/* Of those who wait the one behind number `last`; NULL = nobody waits. */
static struct tenant *next_after(const struct supervisor *h, uint32_t last) {
    struct tenant *first = NULL;
    for (size_t i = 0; i < h->tenant_count; i++) {
        struct tenant *t = h->tenant[i];
        if (!t->lines_from) continue;
        if (t->entry->number > last) return t;
        if (!first) first = t;
    }
    return first;
}

static void ask_next(struct supervisor *h) {
    if (h->lines_out) return;
    struct tenant *t = next_after(h, h->lines_last);
    if (!t) return;
    h->lines_out = h->lines_last = t->entry->number;
    h->lines_until = clock_ms() + ANSWER_MS;
    union message m = {.own = {.head = {.type = MESSAGE_STEWARD_OWN, .tenant = t->entry->number, .generation = t->life.generation},
                               .from = t->lines_from,
                               .last = t->lines_to ? t->lines_to : ledger_own(h->ledger, t->entry->number).at}};
    link_send(h->steward.link, &m, -1);
}

bool lines_want(struct tenant *t, const struct message_own *wanted) {
    if (t->lines_from) return false;
    t->lines_from = wanted->from;
    t->lines_to = wanted->last;
    if (t->house->steward.state == SERVICE_READY)
        ask_next(t->house);
    else
        answer(t, 0, -1);
    return true;
}

bool lines_found(struct supervisor *h, const struct message_head *of, uint64_t bytes, int fd) {
    if (!h->lines_out || of->tenant != h->lines_out) return false;
    h->lines_out = 0;
    struct tenant *t = supervisor_tenant(h, of->tenant);
    if (t && of->generation == t->life.generation) answer(t, fd >= 0 ? bytes : 0, fd);
    ask_next(h);
    return true;
}

void lines_tick(struct supervisor *h, uint64_t now) {
    if (!h->lines_out || now < h->lines_until) return;
    service_fail(&h->steward, "keeps a tenant's lines back");
    lines_lost(h);
}

void lines_lost(struct supervisor *h) {
    h->lines_out = 0;
    for (size_t i = 0; i < h->tenant_count; i++)
        if (h->tenant[i]->lines_from) answer(h->tenant[i], 0, -1);
}
