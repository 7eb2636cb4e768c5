#include "room.h"

#include "clock.h"
#include "log.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

uint64_t room_rank(bool sealed, uint64_t idle_ms) {
    if (idle_ms < ROOM_IDLE_MS) return 0;
    return (sealed ? 1ULL << 63 : 0) | (idle_ms & ~(1ULL << 63));
}

void room_ask(struct tenant *t) {
    if (!t->queued) TAILQ_INSERT_TAIL(&t->house->queue, t, queue);
    t->queued = true;
    room_run(t->house);
}

void room_leave(struct tenant *t) {
    if (t->queued) TAILQ_REMOVE(&t->house->queue, t, queue);
    t->queued = false;
}

struct census {
    uint32_t alive, leaving, waiting;
    struct tenant *victim; /* the idlest of the sealed ones, else of all; NULL = all are busy */
};

static struct census take_census(const struct supervisor *h, uint64_t now) {
    struct census c = {0};
    uint64_t best = 0;
    for (size_t i = 0; i < h->tenant_count; i++) {
        struct tenant *t = h->tenant[i];
        c.alive += life_alive(&t->life);
        c.waiting += t->queued;
        c.leaving += t->life.state == LIFE_DRAINING || t->life.state == LIFE_KILLED;
        bool sealed = t->life.state == LIFE_SEALED;
        /* To a sealed one nobody has shown a credential: its connections are anybody's. */
        uint64_t idle = sealed ? now - t->life.ready_at : tenant_idle(t, now);
        uint64_t rank = life_ready(&t->life) ? room_rank(sealed, idle) : 0;
        if (rank <= best) continue;
        best = rank;
        c.victim = t;
    }
    return c;
}

static void evict(struct tenant *t) {
    t->house->evictions++;
    log_say("tenant %s: makes room", t->entry->name);
    ledger_event(t->house->ledger, clock_unix_ms(), "evicted", supervisor_about(t->entry), "done");
    tell_event(t, EVENT_EVICTED);
    tenant_event(t, LIFE_STOP);
}

/* One step; false: nothing more to do. */
static bool step(struct supervisor *h) {
    struct census c = take_census(h, clock_ms());
    struct tenant *first = TAILQ_FIRST(&h->queue);
    if (first && c.alive < h->config.max_workers) {
        room_leave(first);
        tenant_event(first, LIFE_ROOM);
        return true;
    }
    if (c.alive + c.waiting <= h->config.max_workers + c.leaving || !c.victim) return false;
    evict(c.victim);
    return true;
}

void room_run(struct supervisor *h) {
    if (h->rooming || h->leave_at) return; /* a step that comes back here is followed by another one anyway */
    h->rooming = true;
    while (step(h))
        continue;
    h->rooming = false;
}
