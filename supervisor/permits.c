#include "permits.h"

#include <stdlib.h>
#include <sys/queue.h>

struct holder {
    uint32_t tenant;
    uint32_t wanted;
    bool held, queued;
    uint64_t since;           /* held */
    TAILQ_ENTRY(holder) turn; /* in permits->turns while wanted > 0 and not held */
    LIST_ENTRY(holder) all;
};

struct permits {
    uint32_t slots, used;
    TAILQ_HEAD(turns, holder) turns;
    LIST_HEAD(holders, holder) holders; /* only those with something wanted or held: short */
};

struct permits *permits_new(uint32_t slots) {
    struct permits *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->slots = slots ? slots : 1;
    TAILQ_INIT(&p->turns);
    LIST_INIT(&p->holders);
    return p;
}

static struct holder *holder_of(struct permits *p, uint32_t tenant) {
    struct holder *h;
    LIST_FOREACH(h, &p->holders, all)
        if (h->tenant == tenant) return h;
    return NULL;
}

static void holder_drop(struct permits *p, struct holder *h) {
    if (h->queued) TAILQ_REMOVE(&p->turns, h, turn);
    LIST_REMOVE(h, all);
    free(h);
}

void permits_free(struct permits *p) {
    if (!p) return;
    for (struct holder *h = LIST_FIRST(&p->holders), *after; h; h = after) {
        after = LIST_NEXT(h, all);
        free(h);
    }
    free(p);
}

static void queue(struct permits *p, struct holder *h) {
    TAILQ_INSERT_TAIL(&p->turns, h, turn);
    h->queued = true;
}

bool permits_want(struct permits *p, uint32_t tenant) {
    struct holder *h = holder_of(p, tenant);
    if (!h) {
        if (!(h = calloc(1, sizeof *h))) return false;
        h->tenant = tenant;
        LIST_INSERT_HEAD(&p->holders, h, all);
    }
    if (h->wanted >= PERMITS_PER_TENANT) return false;
    h->wanted++;
    if (!h->queued && !h->held) queue(p, h);
    return true;
}

bool permits_done(struct permits *p, uint32_t tenant) {
    struct holder *h = holder_of(p, tenant);
    if (!h || !h->held) return false;
    h->held = false;
    p->used--;
    if (h->wanted)
        queue(p, h); /* behind everybody else */
    else
        holder_drop(p, h);
    return true;
}

void permits_forget(struct permits *p, uint32_t tenant) {
    struct holder *h = holder_of(p, tenant);
    if (!h) return;
    p->used -= h->held;
    holder_drop(p, h);
}

uint32_t permits_overdue(const struct permits *p, uint64_t now) {
    const struct holder *h;
    LIST_FOREACH(h, &p->holders, all)
        if (h->held && now - h->since >= PERMIT_MS) return h->tenant;
    return 0;
}

uint32_t permits_next(struct permits *p, uint64_t now) {
    struct holder *h = TAILQ_FIRST(&p->turns);
    if (!h || p->used >= p->slots) return 0;
    TAILQ_REMOVE(&p->turns, h, turn);
    h->queued = false;
    h->wanted--;
    h->held = true;
    h->since = now;
    p->used++;
    return h->tenant;
}
