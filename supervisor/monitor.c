#include "monitor.h"

#include "acts.h"
#include "announce.h"
#include "backups.h"
#include "clock.h"
#include "copies.h"
#include "leaving.h"
#include "lines.h"
#include "permits.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "wishes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SERVICE_BOUND = 32 << 20, /* all that one restart of a house of TENANTS_MAX says, and as much again */
    WORKER_BOUND = 256 << 10,
    MINUTE_MS = 60000,
    LATE_PER_MINUTE = 64,
};

/* One message while it is heard. A handler that keeps fd sets it to -1. */
struct heard {
    const union message *message;
    int fd;
    pid_t pid;
};

/* ---- router, steward and courier ---- */

static void on_ready(struct service *s, struct heard *h) { service_ready(s, h->pid, &h->message->ready); }

static void on_want(struct service *s, struct heard *h) {
    const struct message_head *head = &h->message->head;
    struct tenant *t = supervisor_tenant(s->house, head->tenant);
    if (!t)
        service_fail(s, "wants a tenant that is not there");
    else if (life_ready(&t->life) && head->generation == t->life.generation)
        tenant_lost_hand_over(t); /* it had this very worker's socket */
    else
        tenant_event(t, LIFE_WANT);
}

static void on_letter_done(struct service *s, struct heard *h) {
    uint32_t number = (uint32_t)(h->message->plain.value >> 1);
    if (!announce_letter_done(s->house, number, h->message->head.tenant, h->message->plain.value & 1))
        service_fail(s, "speaks of a letter that nobody wrote");
}

static void on_person(struct service *s, struct heard *h) { s->house->person.shown = acts_person(s->house, h->fd, &s->house->person.is); }

static void on_act(struct service *s, struct heard *h) {
    if (s->house->person.shown) {
        acts_do(s->house, s->house->person.is, &h->message->act, h->fd);
        h->fd = -1;
    } else {
        tell_answer(s->house, &(struct answer){.request = h->message->act.request, .result = ACT_FAILED, .fd = -1});
    }
    s->house->person.shown = false;
}

/* For the tenant's worker, if it has one; if not, it asks when it is open again. */
static void on_trace(struct service *s, struct heard *h) {
    struct tenant *t = supervisor_tenant(s->house, h->message->head.tenant);
    if (!t || t->life.state != LIFE_SERVING) return;
    union message m = *h->message;
    m.head = (struct message_head){.type = MESSAGE_WORKER_SUPPORT_TRACE, .tenant = t->entry->number, .generation = t->life.generation};
    link_send(t->link, &m, h->fd);
}

static void on_own_lines(struct service *s, struct heard *h) {
    if (!lines_found(s->house, &h->message->head, h->message->plain.value, h->fd)) service_fail(s, "answered what it was not asked");
}

static void on_steward_ready(struct service *s, struct heard *h) {
    on_ready(s, h);
    lines_lost(s->house);
}

struct service_rule {
    uint32_t type;
    uint32_t states; /* bits: SERVICE_STARTING, SERVICE_READY */
    void (*handle)(struct service *, struct heard *);
};

static const struct service_rule router_rules[] = {
    {MESSAGE_ROUTER_READY, SERVICE_STARTING, on_ready},
    {MESSAGE_ROUTER_WANT, SERVICE_READY, on_want},
    {0},
};
static const struct service_rule steward_rules[] = {
    {MESSAGE_STEWARD_READY, SERVICE_STARTING, on_steward_ready},
    {MESSAGE_STEWARD_PERSON, SERVICE_READY, on_person},
    {MESSAGE_STEWARD_ACT, SERVICE_READY, on_act},
    {MESSAGE_STEWARD_SUPPORT_TRACE, SERVICE_READY, on_trace},
    {MESSAGE_STEWARD_OWN_LINES, SERVICE_READY, on_own_lines},
    {0},
};

static void on_courier_ready(struct service *s, struct heard *h) {
    on_ready(s, h);
    backups_lost(s->house);
}

static void on_job_done(struct service *s, struct heard *h) {
    struct tenant *t = supervisor_tenant(s->house, h->message->head.tenant);
    if (!t || !backups_outcome(t, &h->message->outcome, h->fd)) service_fail(s, "answered what it was not asked");
}

static const struct service_rule courier_rules[] = {
    {MESSAGE_COURIER_READY, SERVICE_STARTING, on_courier_ready},
    {MESSAGE_COURIER_LETTER_DONE, SERVICE_READY, on_letter_done},
    {MESSAGE_COURIER_JOB_DONE, SERVICE_READY, on_job_done},
    {0},
};

static void hear_service(struct service *s, const struct service_rule *rule, struct heard *h) {
    while (rule->type && rule->type != h->message->head.type)
        rule++;
    if (rule->type && rule->states & s->state)
        rule->handle(s, h);
    else
        service_fail(s, "a message that is not allowed now");
    if (h->fd >= 0) close(h->fd);
}

static void router_said(void *service, const union message *message, int fd, pid_t pid) {
    hear_service(service, router_rules, &(struct heard){.message = message, .fd = fd, .pid = pid});
}

static void steward_said(void *service, const union message *message, int fd, pid_t pid) {
    hear_service(service, steward_rules, &(struct heard){.message = message, .fd = fd, .pid = pid});
}

static void courier_said(void *service, const union message *message, int fd, pid_t pid) {
    hear_service(service, courier_rules, &(struct heard){.message = message, .fd = fd, .pid = pid});
}

/* ---- workers ---- */

static void on_worker_ready(struct tenant *t, struct heard *h) { tenant_ready(t, h->pid, &h->message->ready); }

static void on_state(struct tenant *t, struct heard *h) {
    tenant_event(t, h->message->plain.value == WORKER_SERVING ? LIFE_SAYS_SERVING : LIFE_SAYS_SEALED);
}

static void on_enrolled(struct tenant *t, struct heard *h) {
    (void)h;
    if (t->entry->enrolled)
        tenant_fail(t, "enrolled twice");
    else
        wishes_enrolled(t);
}

static void on_leaving(struct tenant *t, struct heard *h) { leaving_heard(t, h->message->plain.value); }

static void on_plain(struct tenant *t, struct heard *h) { wishes_plain(t, h->message->plain.value == 1); }

/* The steward compares every byte with what the registry asks for; here only that reading the fd cannot hang it. */
static bool fd_is_file(int fd, uint64_t bytes) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size >= bytes;
}

static void on_csr_made(struct tenant *t, struct heard *h) {
    uint64_t bytes = h->message->plain.value;
    bool file = fd_is_file(h->fd, bytes);
    struct answer answer = {.result = file ? ACT_DONE : ACT_FAILED, .fd = file ? h->fd : -1, .bytes = bytes};
    bool asked = errand_answered(t, VERB_csr, &answer);
    if (!asked)
        tenant_fail(t, "answered what it was not asked");
    else if (!file)
        tenant_fail(t, "passed what is no file of bytes");
}

static void on_chain_done(struct tenant *t, struct heard *h) {
    uint32_t result = (uint32_t)h->message->plain.value;
    bool installed = result == CHAIN_INSTALLED;
    if (!errand_answered(t, VERB_cert, &(struct answer){.result = installed ? ACT_DONE : ACT_FAILED, .detail = result, .fd = -1}))
        tenant_fail(t, "answered what it was not asked");
    else if (installed)
        wishes_chain(t);
}

static void on_references(struct tenant *t, struct heard *h) { wishes_references(t, (uint32_t)h->message->plain.value); }

static void on_regions(struct tenant *t, struct heard *h) { wishes_regions(t, h->message->plain.value); }

static void on_notice_read(struct tenant *t, struct heard *h) {
    if (!announce_read(t, (uint32_t)h->message->plain.value)) tenant_fail(t, "has read a notice that it was not given");
}

static void on_capsule_made(struct tenant *t, struct heard *h) {
    const char *wrong = copies_take(t, h->fd);
    if (wrong) tenant_fail(t, wrong);
}

static void on_plan_made(struct tenant *t, struct heard *h) { backups_plan(t, h->message->plain.value); }
static void on_backup_wanted(struct tenant *t, struct heard *h) { backups_asked(t, (enum backup_kind)h->message->plain.value); }
static void on_want_ledger(struct tenant *t, struct heard *h) {
    if (!lines_want(t, &h->message->own)) tenant_fail(t, "asks for its lines before it has them");
}

/* What it sealed for the support is the steward's to keep: here only that it is a file of so many bytes. */
static void on_support(struct tenant *t, struct heard *h) {
    union message m = {.support = {.head = {.type = MESSAGE_STEWARD_SUPPORT, .tenant = t->entry->number},
                                   .reference = h->message->support.reference,
                                   .bytes = h->message->support.bytes}};
    if (m.support.bytes == 0 || m.support.bytes > SUPPORT_SEALED_MAX || !fd_is_file(h->fd, m.support.bytes))
        tenant_fail(t, "passed what is no message to the support");
    else
        link_send(t->house->steward.link, &m, h->fd);
}

static void on_support_ask(struct tenant *t, struct heard *h) {
    (void)h;
    union message m = {.plain = {.head = {.type = MESSAGE_STEWARD_SUPPORT_ASK, .tenant = t->entry->number}}};
    link_send(t->house->steward.link, &m, -1);
}

static void on_want_permit(struct tenant *t, struct heard *h) {
    (void)h;
    if (permits_want(t->house->permits, t->entry->number))
        monitor_permits(t->house);
    else
        tenant_fail(t, "wants more permits than it has connections");
}

static void on_permit_done(struct tenant *t, struct heard *h) {
    (void)h;
    if (permits_done(t->house->permits, t->entry->number))
        monitor_permits(t->house);
    else
        tenant_fail(t, "gives back a permit it does not have");
}

void monitor_permits(struct supervisor *house) {
    uint64_t now = clock_ms();
    for (uint32_t number; (number = permits_overdue(house->permits, now));) {
        struct tenant *t = supervisor_tenant(house, number);
        permits_forget(house->permits, number);
        if (t) tenant_fail(t, "keeps a permit too long");
    }
    for (uint32_t number; (number = permits_next(house->permits, now));) {
        struct tenant *t = supervisor_tenant(house, number);
        if (t && t->link)
            tenant_say(t, MESSAGE_WORKER_PERMIT, 0, -1);
        else
            permits_forget(house->permits, number);
    }
}

enum { STARTING = 1 << LIFE_STARTING, RUNNING = 1 << LIFE_SEALED | 1 << LIFE_SERVING, LEAVING = 1 << LIFE_DRAINING };

static const struct {
    uint32_t type;
    uint32_t states;     /* bits: 1 << enum life_state */
    uint32_t per_minute; /* so many at most: a worker that talks without end costs everybody */
    void (*handle)(struct tenant *, struct heard *);
} worker_rules[] = {
    {MESSAGE_WORKER_READY, STARTING, 1, on_worker_ready},
    {MESSAGE_WORKER_STATE, RUNNING | LEAVING, 120, on_state},
    {MESSAGE_WORKER_ENROLLED, RUNNING | LEAVING, 1, on_enrolled},
    {MESSAGE_WORKER_PLAIN, RUNNING | LEAVING, WORDS_PER_MINUTE, on_plain},
    {MESSAGE_WORKER_REFERENCES, RUNNING | LEAVING, WORDS_PER_MINUTE, on_references},
    {MESSAGE_WORKER_REGIONS, RUNNING | LEAVING, 120, on_regions},
    {MESSAGE_WORKER_NOTICE_READ, RUNNING | LEAVING, 120, on_notice_read},
    {MESSAGE_WORKER_LEAVING, RUNNING | LEAVING, WORDS_PER_MINUTE, on_leaving},
    {MESSAGE_WORKER_CSR_MADE, RUNNING | LEAVING, 240, on_csr_made},
    {MESSAGE_WORKER_CHAIN_DONE, RUNNING | LEAVING, 240, on_chain_done},
    {MESSAGE_WORKER_CAPSULE_MADE, RUNNING | LEAVING, CAPSULES_PER_MINUTE, on_capsule_made},
    {MESSAGE_WORKER_PLAN, RUNNING | LEAVING, WORDS_PER_MINUTE, on_plan_made},
    {MESSAGE_WORKER_BACKUP, RUNNING | LEAVING, WORDS_PER_MINUTE, on_backup_wanted},
    {MESSAGE_WORKER_SUPPORT, RUNNING | LEAVING, SUPPORT_PER_MINUTE, on_support},
    {MESSAGE_WORKER_SUPPORT_ASK, RUNNING | LEAVING, SUPPORT_PER_MINUTE, on_support_ask},
    {MESSAGE_WORKER_WANT_LEDGER, RUNNING | LEAVING, OWN_LINES_PER_MINUTE, on_want_ledger},
    {MESSAGE_WORKER_WANT_PERMIT, RUNNING | LEAVING, 60000, on_want_permit},
    {MESSAGE_WORKER_PERMIT_DONE, RUNNING | LEAVING, 60000, on_permit_done},
};
enum { RULES = sizeof worker_rules / sizeof *worker_rules };
_Static_assert((int)RULES + 1 <= (int)TENANT_RULES, "a count for each rule, and one for what is late");

static bool too_many(struct tenant *t, size_t rule, uint32_t per_minute) {
    uint64_t now = clock_ms();
    if (now - t->said_at >= MINUTE_MS) {
        t->said_at = now;
        for (size_t i = 0; i <= RULES; i++)
            t->said[i] = 0;
    }
    return ++t->said[rule] > per_minute;
}

static void hear_worker(struct tenant *t, struct heard *h) {
    const struct message_head *head = &h->message->head;
    if (head->tenant != t->entry->number || head->generation > t->life.generation) {
        tenant_fail(t, "speaks for another");
        return;
    }
    if (head->generation < t->life.generation) { /* late: of a dead one */
        if (too_many(t, RULES, LATE_PER_MINUTE)) tenant_fail(t, "talks too much");
        return;
    }
    size_t i = 0;
    while (i < RULES && worker_rules[i].type != head->type)
        i++;
    if (i == RULES || !(worker_rules[i].states >> t->life.state & 1))
        tenant_fail(t, "said what is not allowed now");
    else if (too_many(t, i, worker_rules[i].per_minute))
        tenant_fail(t, "talks too much");
    else
        worker_rules[i].handle(t, h);
}

static void worker_said(void *context, const union message *message, int fd, pid_t pid) {
    struct heard heard = {.message = message, .fd = fd, .pid = pid};
    hear_worker(context, &heard);
    if (heard.fd >= 0) close(heard.fd);
}

static void worker_ended(void *context, enum link_end why) {
    struct tenant *t = context;
    if (why == LINK_LIED)
        tenant_fail(t, "sent what is not in the table");
    else if (why == LINK_STUCK)
        tenant_fail(t, "takes no messages");
    else {
        link_close(&t->link);
        t->lost_at = clock_ms(); /* the news of its death, with a status, follows; tenant_tick waits for it */
    }
}

const struct link_handler monitor_router = {CHANNEL_ROUTER, SERVICE_BOUND, router_said, service_link_ended};
const struct link_handler monitor_steward = {CHANNEL_STEWARD, SERVICE_BOUND, steward_said, service_link_ended};
const struct link_handler monitor_courier = {CHANNEL_COURIER, SERVICE_BOUND, courier_said, service_link_ended};
const struct link_handler monitor_worker = {CHANNEL_WORKER, WORKER_BOUND, worker_said, worker_ended};
