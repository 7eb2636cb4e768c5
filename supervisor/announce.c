#include "announce.h"

#include "clock.h"
#include "log.h"
#include "plans.h"
#include "supervisor.h"
#include "tenant.h"
#include "text.h"

enum { LETTERS_MS = 5000, LETTERS_AT_ONCE = 32 };

bool announce_is_for(const struct notice *n, const struct tenant *t) {
    return n->tenant ? n->tenant == t->entry->number : n->published_ms >= t->entry->created_ms;
}

static uint64_t delivered(const struct notice *n, const struct tenant *t) {
    struct notice_trace trace = notices_trace(t->house->notices, n->number, t->entry->number);
    return notice_delivered(&trace, clock_unix_ms());
}

uint64_t announce_in_force(const struct notice *n, const struct tenant *t) {
    return notice_in_force(n->effective_ms, delivered(n, t), t->house->config.notice_days);
}

bool announce_has_run(const struct notice *n, const struct tenant *t) {
    struct notice_trace trace = notices_trace(t->house->notices, n->number, t->entry->number);
    return notice_has_run(&trace, t->house->config.notice_days, plans_counted(t->house->plans));
}

static union message message_of(const struct supervisor *h, const struct notice *n, uint32_t type) {
    union message m = {.notice = {.head = {.type = type, .tenant = n->tenant},
                                  .number = n->number,
                                  .kind = n->kind,
                                  .published_ms = n->published_ms,
                                  .effective_ms = n->effective_ms,
                                  .period_days = h->config.notice_days,
                                  .bytes = n->bytes}};
    TEXT_COPY(m.notice.entity, n->entity);
    return m;
}

static void to_worker(struct tenant *t, const struct notice *n) {
    if (!life_ready(&t->life) || !announce_is_for(n, t)) return;
    union message m = message_of(t->house, n, MESSAGE_WORKER_NOTICE);
    struct notice_trace trace = notices_trace(t->house->notices, n->number, t->entry->number);
    m.head.tenant = t->entry->number;
    m.head.generation = t->life.generation;
    m.notice.acknowledged_ms = trace.acknowledged_ms;
    m.notice.mailed_ms = trace.mailed_ms;
    link_send(t->link, &m, n->text);
}

void announce_to_worker(struct tenant *t) {
    for (size_t i = 0; i < notices_count(t->house->notices); i++)
        to_worker(t, notices_at(t->house->notices, i));
}

void announce_to_steward(struct supervisor *h, const struct notice *n) {
    union message m = message_of(h, n, MESSAGE_STEWARD_NOTICE);
    for (size_t i = 0; i < h->tenant_count; i++) {
        if (!announce_is_for(n, h->tenant[i])) continue;
        m.notice.tenants++;
        m.notice.delivered += delivered(n, h->tenant[i]) > 0;
    }
    link_send(h->steward.link, &m, -1);
}

/* For all whom it is for, at that Unix time; also where there is nobody any more. */
static bool was_in_force(const struct supervisor *h, const struct notice *n, uint64_t then_ms) {
    if (n->effective_ms > then_ms) return false;
    for (size_t i = 0; i < h->tenant_count; i++) {
        uint64_t from = announce_is_for(n, h->tenant[i]) ? announce_in_force(n, h->tenant[i]) : 1;
        if (!from || from > then_ms) return false;
    }
    return true;
}

/* One to a tenant alone says what was done; what is for all goes on to be in force until another of its kind is. */
static bool is_followed(const struct supervisor *h, size_t place, uint64_t now_ms) {
    const struct notice *of = notices_at(h->notices, place);
    for (size_t i = place + 1; !of->tenant && i < notices_count(h->notices); i++) {
        const struct notice *n = notices_at(h->notices, i);
        if (n->kind == of->kind && !n->tenant && was_in_force(h, n, now_ms)) return true;
    }
    return of->tenant;
}

static void make_place(struct supervisor *h) {
    uint64_t now = clock_unix_ms(), kept = NOTICES_KEPT_DAYS * NOTICE_DAY_MS;
    for (size_t i = 0; i < notices_count(h->notices); i++) {
        uint32_t number = notices_at(h->notices, i)->number;
        if (!is_followed(h, i, now) || !was_in_force(h, notices_at(h->notices, i), now - kept)) continue;
        if (notices_remove(h->notices, number) < 0) return;
        union message m = {.plain = {.head = {.type = MESSAGE_STEWARD_NO_NOTICE}, .value = number}};
        link_send(h->steward.link, &m, -1);
        for (size_t j = 0; j < h->tenant_count; j++)
            if (life_ready(&h->tenant[j]->life)) tenant_say(h->tenant[j], MESSAGE_WORKER_NO_NOTICE, number, -1);
        return;
    }
}

/* S7, C11: a notice goes to all that run at once, to the others when they start, and by letter to the contact */
const struct notice *announce_publish(struct supervisor *h, const struct notice *wanted, int text) {
    if (notices_count(h->notices) == NOTICES_MAX) make_place(h);
    const struct notice *n = notices_publish(h->notices, wanted, text);
    if (!n) return NULL;
    for (size_t i = 0; i < h->tenant_count; i++)
        to_worker(h->tenant[i], n);
    announce_to_steward(h, n);
    h->letters_at = 0;
    return n;
}

bool announce_read(struct tenant *t, uint32_t number) {
    const struct notice *n = notices_find(t->house->notices, number);
    if (!n) return notices_had(t->house->notices, number); /* it went meanwhile */
    if (!announce_is_for(n, t)) return false;
    /* What is not on the disk is not told either: the administrator sees that it is still to be read. */
    if (notices_acknowledged(t->house->notices, number, t->entry->number, clock_unix_ms(), plans_counted(t->house->plans)) < 0)
        log_errno("notices: not written");
    to_worker(t, n);
    announce_to_steward(t->house, n);
    return true;
}

bool announce_letter_done(struct supervisor *h, uint32_t number, uint32_t tenant, bool taken) {
    const struct notice *n = notices_find(h->notices, number);
    struct tenant *t = supervisor_tenant(h, tenant);
    if (!n || !t || !notices_letter_back(h->notices, number, tenant)) return false;
    if (!taken)
        log_say("tenant %s: notice %u: the mail relay did not take it; tried again in an hour", t->entry->name, number);
    else if (notices_mailed(h->notices, number, tenant, clock_unix_ms(), plans_counted(h->plans)) < 0)
        log_errno("notices: not written");
    to_worker(t, n);
    return true;
}

static void write_letter(struct tenant *t, const struct notice *n) {
    union message m = {.letter = {.head = {.type = MESSAGE_COURIER_LETTER, .tenant = t->entry->number},
                                  .number = n->number,
                                  .kind = n->kind,
                                  .effective_ms = n->effective_ms,
                                  .bytes = n->bytes}};
    TEXT_COPY(m.letter.to, t->entry->contact);
    TEXT_COPY(m.letter.host, t->entry->host[0]);
    link_send(t->house->courier.link, &m, n->text);
}

void announce_tick(struct supervisor *h, uint64_t clock) {
    int letters = 0;
    if (!h->config.mail_relay.host[0] || h->courier.state != SERVICE_READY || (h->letters_at && clock - h->letters_at < LETTERS_MS)) return;
    h->letters_at = clock;
    for (size_t i = 0; i < notices_count(h->notices); i++) {
        const struct notice *n = notices_at(h->notices, i);
        for (size_t j = 0; j < h->tenant_count && letters < LETTERS_AT_ONCE; j++) {
            struct tenant *t = h->tenant[j];
            if (!t->entry->contact[0] || !announce_is_for(n, t)) continue;
            if (!notices_letter_due(h->notices, n->number, t->entry->number, clock)) continue;
            write_letter(t, n);
            letters++;
        }
    }
}
