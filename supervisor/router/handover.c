#include "handover.h"

#include "../../policy/channel.h"
#include "clock.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TAILQ_HEAD(guests, guest);
LIST_HEAD(tenants, tenant);

struct tenant {
    uint32_t id; /* first: what the tree compares */
    struct handover *owner;
    LIST_ENTRY(tenant) all;
    uint64_t generation; /* of the last worker heard of; 0 = none yet */
    int worker;          /* its hand-over socket; -1 = none */
    struct event from_worker;
    uint32_t credits;
    uint32_t unacknowledged; /* <= credits */
    struct guests held;
    uint32_t held_count;
    bool wanted;               /* the supervisor was asked and has not answered */
    uint64_t refused_until_ms; /* no worker will come before; 0 = may be asked */
    struct event again;
};

struct handover {
    struct event_base *base;
    int channel;
    handover_done *done;
    void *argument;
    uint32_t held_limit;
    void *tree; /* of struct tenant by id */
    struct tenants tenants;
    size_t count;
};

/* Twice as many as there can be, so that those which the registry forgot have gone before room is short. */
enum { KNOWN_MAX = 2 * TENANTS_MAX };

static void pump(struct tenant *t);

static int by_id(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void pump_again(evutil_socket_t none, short what, void *tenant) {
    (void)none, (void)what;
    pump(tenant);
}

static void come_again(struct tenant *t) {
    static const struct timeval soon = {.tv_usec = HANDOVER_AGAIN_MS * 1000L};
    if (!evtimer_pending(&t->again, NULL)) evtimer_add(&t->again, &soon);
}

/* Forgets tenants for which there is nothing to remember; a generation seen is not worth it, the channel keeps its order. */
static void forget_idle(struct handover *h) {
    struct tenant *next;
    for (struct tenant *t = LIST_FIRST(&h->tenants); t; t = next) {
        next = LIST_NEXT(t, all);
        if (t->worker >= 0 || t->held_count > 0 || t->wanted) continue;
        evtimer_del(&t->again);
        LIST_REMOVE(t, all);
        tdelete(&t->id, &h->tree, by_id);
        free(t);
        h->count--;
    }
}

static struct tenant *tenant_of(struct handover *h, uint32_t id) {
    struct tenant **node = tfind(&id, &h->tree, by_id);
    if (node) return *node;
    if (h->count == KNOWN_MAX) forget_idle(h);
    if (h->count == KNOWN_MAX) return NULL;
    struct tenant *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->id = id;
    t->owner = h;
    t->worker = -1;
    TAILQ_INIT(&t->held);
    evtimer_assign(&t->again, h->base, pump_again, t);
    if (!tsearch(&t->id, &h->tree, by_id)) {
        free(t);
        return NULL;
    }
    LIST_INSERT_HEAD(&h->tenants, t, all);
    h->count++;
    return t;
}

struct handover *handover_new(struct event_base *base, int channel, handover_done *done, void *argument) {
    struct handover *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->base = base;
    h->channel = channel;
    h->done = done;
    h->argument = argument;
    h->held_limit = HELD_PER_TENANT;
    LIST_INIT(&h->tenants);
    return h;
}

void handover_limit(struct handover *h, uint32_t held) { h->held_limit = held > 0 && held < HELD_PER_TENANT ? held : HELD_PER_TENANT; }

static void unqueue(struct guest *guest) {
    struct tenant *t = guest->tenant;
    TAILQ_REMOVE(&t->held, guest, queue);
    t->held_count--;
    guest->tenant = NULL;
}

static void end(struct tenant *t, struct guest *guest, enum tally_end why) {
    unqueue(guest);
    t->owner->done(t->owner->argument, guest, why);
}

static void drop_worker(struct tenant *t) {
    if (t->worker < 0) return;
    event_del(&t->from_worker);
    close(t->worker);
    t->worker = -1;
    t->unacknowledged = 0;
}

/* It died or lied. The supervisor is not asked at once: it should hear of a death from the kernel first. */
static void lose_worker(struct tenant *t) {
    drop_worker(t);
    come_again(t);
}

/* H2: the connection itself goes over, its first byte unread */
/* Sends the guest's fd. false: it stays; the worker may be gone then. */
static bool send_over(struct tenant *t, const struct guest *guest) {
    union message m = {.handover = {.head = {.type = MESSAGE_HANDOVER, .tenant = t->id, .generation = t->generation},
                                    .kind = guest->kind,
                                    .port = guest->port}};
    memcpy(m.handover.address, guest->address, sizeof m.handover.address);
    switch (channel_send(t->worker, CHANNEL_ROUTER, &m, guest->fd)) {
    case CHANNEL_OK:
        t->unacknowledged++;
        return true;
    case CHANNEL_AGAIN:
        come_again(t);
        return false;
    default:
        lose_worker(t);
        return false;
    }
}

/* Asks for a worker if there is none and somebody waits: once a start. */
static void ask(struct tenant *t) {
    if (t->worker >= 0 || t->held_count == 0 || t->wanted || evtimer_pending(&t->again, NULL)) return;
    union message m = {.plain = {.head = {.type = MESSAGE_ROUTER_WANT, .tenant = t->id, .generation = t->generation}}};
    t->wanted = channel_send(t->owner->channel, CHANNEL_ROUTER, &m, -1) == CHANNEL_OK;
    if (!t->wanted) come_again(t); /* a supervisor that is gone ends this process by the channel's own event */
}

static bool may_send(const struct tenant *t) { return t->worker >= 0 && t->unacknowledged < t->credits; }

static void pump(struct tenant *t) {
    struct guest *first;
    while (may_send(t) && (first = TAILQ_FIRST(&t->held)) && send_over(t, first))
        end(t, first, TALLY_passed);
    ask(t);
}

/* Credits; anything else that the worker says is a lie, and costs that worker alone its socket. */
static void hear_worker(evutil_socket_t socket, short what, void *tenant) {
    (void)what;
    struct tenant *t = tenant;
    for (;;) {
        union message m;
        int fd;
        enum channel_result result = channel_receive(socket, CHANNEL_WORKER, CHANNEL_ROUTER, &m, &fd, NULL);
        if (result == CHANNEL_AGAIN) break;
        if (result != CHANNEL_OK || m.plain.value > t->unacknowledged) {
            lose_worker(t);
            break;
        }
        t->unacknowledged -= (uint32_t)m.plain.value;
    }
    pump(t);
}

bool handover_worker(struct handover *h, uint32_t id, uint64_t generation, int socket, uint32_t credits) {
    struct tenant *t = tenant_of(h, id);
    if (!t || generation < t->generation) {
        close(socket);
        return t != NULL;
    }
    drop_worker(t);
    t->generation = generation;
    t->worker = socket;
    t->credits = credits;
    t->wanted = false;
    t->refused_until_ms = 0;
    evtimer_del(&t->again);
    if (event_assign(&t->from_worker, h->base, socket, EV_READ | EV_PERSIST, hear_worker, t) < 0 || event_add(&t->from_worker, NULL) < 0) {
        t->worker = -1;
        close(socket);
        return false;
    }
    pump(t);
    return true;
}

void handover_no_worker(struct handover *h, uint32_t id, uint64_t generation, enum no_worker_reason reason) {
    struct tenant *t = tenant_of(h, id);
    if (!t || (generation != 0 && generation < t->generation)) return;
    drop_worker(t);
    if (generation != 0) t->generation = generation;
    t->wanted = false;
    evtimer_del(&t->again);
    if (reason == NO_WORKER_STOPPED) {
        t->refused_until_ms = 0;
        if (t->held_count > 0) come_again(t);
        return;
    }
    t->refused_until_ms = clock_ms() + HANDOVER_REFUSED_MS;
    struct guest *first;
    while ((first = TAILQ_FIRST(&t->held)))
        end(t, first, TALLY_closed_tenant);
}

bool handover_offer(struct handover *h, uint32_t id, struct guest *guest) {
    struct tenant *t = tenant_of(h, id);
    guest->tenant = NULL;
    enum tally_end end_now = TALLY_COUNT;
    if (!t)
        end_now = TALLY_broken;
    else if (t->worker < 0 && t->refused_until_ms > clock_ms())
        end_now = TALLY_closed_tenant;
    else if (t->held_count >= h->held_limit)
        end_now = TALLY_held_full;
    else if (t->held_count == 0 && may_send(t) && send_over(t, guest))
        end_now = TALLY_passed;
    if (end_now != TALLY_COUNT) {
        h->done(h->argument, guest, end_now);
        return false;
    }
    guest->tenant = t;
    TAILQ_INSERT_TAIL(&t->held, guest, queue);
    t->held_count++;
    ask(t);
    return true;
}

void handover_leave(struct handover *h, struct guest *guest) {
    (void)h;
    if (guest->tenant) unqueue(guest);
}
