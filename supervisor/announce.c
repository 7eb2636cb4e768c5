#include "announce.h"

#include "clock.h"
#include "log.h"
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

/* S7, C11: a notice goes to all that run at once, to the others when they start, and by letter to the contact */
void announce_notice(struct supervisor *h, const struct notice *n) {
    for (size_t i = 0; i < h->tenant_count; i++)
        to_worker(h->tenant[i], n);
    announce_to_steward(h, n);
    h->letters_at = 0;
}

bool announce_read(struct tenant *t, uint32_t number) {
    const struct notice *n = notices_find(t->house->notices, number);
    if (!n || !announce_is_for(n, t)) return false;
    /* What is not on the disk is not told either: the administrator sees that it is still to be read. */
    if (notices_acknowledged(t->house->notices, number, t->entry->number, clock_unix_ms()) < 0) log_errno("notices: not written");
    to_worker(t, n);
    announce_to_steward(t->house, n);
    return true;
}

bool announce_letter_done(struct supervisor *h, uint32_t number, uint32_t tenant, bool taken) {
    const struct notice *n = notices_find(h->notices, number);
    struct tenant *t = supervisor_tenant(h, tenant);
    if (!n || !t) return false;
    if (!taken)
        log_say("tenant %s: notice %u: the mail relay did not take it; tried again in an hour", t->entry->name, number);
    else if (notices_mailed(h->notices, number, tenant, clock_unix_ms()) < 0)
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
