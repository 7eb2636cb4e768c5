#include "tell.h"

#include "../policy/duties.h"
#include "announce.h"
#include "clock.h"
#include "leaving.h"
#include "requests.h"
#include "supervisor.h"
#include "tenant.h"
#include "text.h"
#include "undertakings.h"

#include <stdio.h>
#include <string.h>

static void to_router(struct supervisor *h, const union message *m, int fd) { link_send(h->router.link, m, fd); }
static void to_steward(struct supervisor *h, const union message *m, int fd) { link_send(h->steward.link, m, fd); }

static union message plain(uint32_t type, const struct tenant *t, uint64_t value) {
    union message m = {.plain = {.head = {.type = type}, .value = value}};
    if (t) {
        m.head.tenant = t->entry->number;
        m.head.generation = t->life.generation;
    }
    return m;
}

/* ---- the router ---- */

static void tell_listener(struct supervisor *h, const struct listener *l) {
    union message m = {.listener = {.head = {.type = MESSAGE_ROUTER_LISTENER},
                                    .id = l->id,
                                    .kind = l->as.kind,
                                    .proxy = l->as.proxy,
                                    .source_count = l->as.source_count,
                                    .https_port = h->config.https_port}};
    for (uint32_t i = 0; i < l->as.source_count; i++) {
        memcpy(m.listener.source[i].address, l->as.source[i].address, sizeof m.listener.source[i].address);
        m.listener.source[i].prefix = l->as.source[i].prefix;
    }
    TEXT_COPY(m.listener.acme_url, l->as.acme_url);
    to_router(h, &m, l->fd);
}

void tell_listeners(struct supervisor *h, const struct listeners *old) {
    for (uint32_t i = 0; i < old->count; i++) {
        if (listeners_find(&h->listeners, old->row[i].id)) continue;
        union message m = plain(MESSAGE_ROUTER_UNLISTEN, NULL, old->row[i].id);
        to_router(h, &m, -1);
    }
    for (uint32_t i = 0; i < h->listeners.count; i++)
        if (!listeners_find(old, h->listeners.row[i].id)) tell_listener(h, &h->listeners.row[i]);
}

void tell_limits(struct supervisor *h) {
    const struct config *c = &h->config;
    union message m = {.limits = {.head = {.type = MESSAGE_ROUTER_LIMITS},
                                  .per_source = c->per_source,
                                  .per_tenant = c->per_tenant,
                                  .per_source_rate = c->per_source_rate}};
    to_router(h, &m, -1);
}

static bool has_host(const struct registry_tenant *entry, const char *host) {
    for (uint32_t i = 0; entry && i < entry->host_count; i++)
        if (strcmp(entry->host[i], host) == 0) return true;
    return false;
}

static void tell_host(struct supervisor *h, uint32_t type, uint32_t number, const char *host) {
    union message m = {.host = {.head = {.type = type, .tenant = number}}};
    TEXT_COPY(m.host.host, host);
    to_router(h, &m, -1);
}

void tell_hosts(struct supervisor *h, const struct registry_tenant *was, const struct registry_tenant *is) {
    for (uint32_t i = 0; was && i < was->host_count; i++)
        if (!has_host(is, was->host[i])) tell_host(h, MESSAGE_ROUTER_UNHOST, was->number, was->host[i]);
    for (uint32_t i = 0; is && i < is->host_count; i++)
        if (!has_host(was, is->host[i])) tell_host(h, MESSAGE_ROUTER_HOST, is->number, is->host[i]);
}

void tell_plain(struct tenant *t) {
    uint32_t id = LISTENER_PLAIN_ID + t->entry->number;
    if (t->plain < 0) {
        union message m = plain(MESSAGE_ROUTER_UNLISTEN, t, id);
        to_router(t->house, &m, -1);
        return;
    }
    union message m = {.listener = {.head = {.type = MESSAGE_ROUTER_LISTENER, .tenant = t->entry->number},
                                    .id = id,
                                    .kind = LISTENER_PLAIN,
                                    .https_port = t->house->config.https_port}};
    to_router(t->house, &m, t->plain);
}

void tell_no_worker(struct tenant *t) {
    enum no_worker_reason reason = life_reason(&t->life);
    t->told = reason;
    union message m = plain(MESSAGE_ROUTER_NO_WORKER, t, reason);
    if (reason) to_router(t->house, &m, -1);
}

void tell_worker(struct tenant *t, int handover) {
    union message m = plain(MESSAGE_ROUTER_WORKER, t, HANDOVER_CREDITS);
    t->told = 0;
    to_router(t->house, &m, handover);
}

void tell_router_all(struct supervisor *h) {
    static const struct listeners none;
    tell_limits(h);
    for (size_t i = 0; i < h->tenant_count; i++) {
        struct tenant *t = h->tenant[i];
        if (t->entry->contract.gone_ms) continue;
        tell_hosts(h, NULL, t->entry);
        if (life_ready(&t->life))
            tenant_hand_over(t);
        else
            tell_no_worker(t);
        if (t->plain >= 0) tell_plain(t);
    }
    tell_listeners(h, &none); /* last: what comes in is known by then */
}

/* ---- the steward ---- */

void tell_duties(struct supervisor *h) {
    for (int d = 0; d < DUTY_COUNT; d++) {
        union message m = plain(MESSAGE_STEWARD_DUTY, NULL, (uint64_t)d << 32 | h->config.duty[d].id);
        to_steward(h, &m, -1);
    }
}

void tell_steward_files(struct supervisor *h) {
    union message m = plain(MESSAGE_STEWARD_GROUPS, NULL, (uint64_t)h->config.publish_threshold << 32 | h->config.publish_seconds);
    to_steward(h, &m, h->groups);
    m = plain(MESSAGE_STEWARD_TRACES, NULL, h->config.support_days);
    to_steward(h, &m, h->traces);
}

static void fill_entry(struct message_tenant *m, const struct registry_tenant *e) {
    TEXT_COPY(m->name, e->name);
    TEXT_COPY(m->title, e->title);
    TEXT_COPY(m->modules, e->modules);
    TEXT_COPY(m->region, e->region);
    TEXT_COPY(m->contact, e->contact);
    TEXT_COPY(m->entity, e->entity);
    m->references = e->references;
    for (uint32_t i = 0; i < e->host_count; i++)
        TEXT_COPY(m->host[i], e->host[i]);
    m->host_count = e->host_count;
    m->uid = e->uid;
    m->enrolled = e->enrolled;
    m->quota_bytes = e->quota_bytes;
    m->created_ms = e->created_ms;
    m->contract_end_ms = e->contract.end_ms;
    m->contract_term_ms = e->contract.term_ms;
    m->contract_returned_ms = e->contract.returned_ms;
    m->contract_gone_ms = e->contract.gone_ms;
}

static void fill_copies(struct message_tenant *m, const struct tenant *t) {
    m->copy_count = t->entry->place_count;
    for (uint32_t i = 0; i < m->copy_count; i++) {
        TEXT_COPY(m->copy[i].place, t->entry->place[i]);
        const struct config_place *place = copies_place(&t->house->config, t->entry->place[i]);
        if (place) TEXT_COPY(m->copy[i].region, place->region);
        m->copy[i].written_ms = t->copy[i].written_ms;
        m->copy[i].current = t->copy[i].current;
        m->copy[i].excluded = copies_excluded(t, t->entry->place[i]);
    }
}

static void tell_worker_copies(struct tenant *t, const struct message_tenant *told) {
    union message m = {.copies = {.head = {.type = MESSAGE_WORKER_COPIES, .tenant = t->entry->number, .generation = t->life.generation}}};
    m.copies.count = told->copy_count;
    memcpy(m.copies.copy, told->copy, sizeof m.copies.copy);
    m.copies.place_count = t->house->config.place_count;
    for (uint32_t i = 0; i < m.copies.place_count; i++) {
        TEXT_COPY(m.copies.place[i].name, t->house->config.place[i].name);
        TEXT_COPY(m.copies.place[i].region, t->house->config.place[i].region);
    }
    if (life_ready(&t->life)) link_send(t->link, &m, -1);
}

static void fill_reset(struct message_tenant *m, const struct tenant *t) {
    m->resetting = t->entry->resetting;
    const struct request *open = requests_open_about(t->house->requests, REQUEST_reset, t->entry->number, clock_unix_ms());
    if (!open) return;
    m->reset_until_ms = open->until_ms;
    m->reset_uid = open->asked_by;
}

void tell_tenant(struct tenant *t) {
    uint64_t now = clock_ms();
    t->told_contract = leaving_state(t);
    union message m = {.tenant = {.head = {.type = MESSAGE_STEWARD_TENANT, .tenant = t->entry->number, .generation = t->life.generation},
                                  .state = life_shown(&t->life),
                                  .pid = (uint32_t)t->process.pid,
                                  .plain = t->plain >= 0,
                                  .contract = t->told_contract,
                                  .since_ms = t->since_ms,
                                  .starts = t->life.starts,
                                  .crashes = t->life.crashes,
                                  .last_exit = t->last_exit,
                                  .landlock_abi = t->report.landlock_abi,
                                  .syscalls = t->report.syscalls,
                                  .arena_bytes = t->report.arena_bytes,
                                  .memory_bytes = t->memory_bytes,
                                  .memory_max = cgroup_number(t->cgroup, "memory.max"),
                                  .pids_max = cgroup_number(t->cgroup, "pids.max"),
                                  .cpu_weight = cgroup_number(t->cgroup, "cpu.weight")}};
    fill_entry(&m.tenant, t->entry);
    if (t->life.state == LIFE_THROTTLED && t->life.deadline > now) m.tenant.throttled_until_ms = clock_unix_ms() + t->life.deadline - now;
    fill_copies(&m.tenant, t);
    m.tenant.last_backup_ms = backups_last(t);
    fill_reset(&m.tenant, t);
    memcpy(m.tenant.program, t->program, sizeof m.tenant.program);
    memcpy(m.tenant.layer, t->report.layer, sizeof m.tenant.layer);
    memcpy(m.tenant.filter_hash, t->report.filter_hash, sizeof m.tenant.filter_hash);
    to_steward(t->house, &m, -1);
    tell_worker_copies(t, &m.tenant);
}

void tell_counters(struct tenant *t) {
    union message m = plain(MESSAGE_STEWARD_COUNTERS, t, 0);
    /* C5: where there is no provider nothing is counted for one */
    if (t->house->config.mode != MODE_SHARED) return;
    if (t->counters >= 0) to_steward(t->house, &m, t->counters);
}

void tell_event(struct tenant *t, enum tenant_event event) {
    union message m = plain(MESSAGE_STEWARD_EVENT, t, event);
    to_steward(t->house, &m, -1);
}

void tell_posture(struct supervisor *h) {
    uint8_t hash[LEDGER_HASH];
    h->posture_stale = false;
    union message m = {.posture = {.head = {.type = MESSAGE_STEWARD_HOST},
                                   .max_workers = h->config.max_workers,
                                   .mode = h->config.mode,
                                   .evictions = h->evictions,
                                   .started_ms = h->started_ms,
                                   .ledger_gaps = ledger_gaps(h->ledger),
                                   .router_starts = h->router.starts,
                                   .steward_starts = h->steward.starts,
                                   .courier_starts = h->courier.starts,
                                   .sample_ms = h->config.sample_ms}};
    ledger_head(h->ledger, &m.posture.ledger_lines, hash);
    m.posture.capabilities = h->capabilities;
    m.posture.program[PROGRAM_SUPERVISOR] = h->program;
    m.posture.program[PROGRAM_ROUTER] = h->router.program;
    m.posture.program[PROGRAM_STEWARD] = h->steward.program;
    m.posture.program[PROGRAM_COURIER] = h->courier.program;
    memcpy(m.posture.layer, h->layer, sizeof m.posture.layer);
    m.posture.excused = h->config.allow_missing;
    if (h->config.secret_memory == SECRET_MEMORY_BEST_EFFORT) m.posture.excused |= 1ULL << LAYER_secret_memory;
    to_steward(h, &m, -1);
}

void tell_answer(struct supervisor *h, const struct answer *a) {
    union message m = {.answer = {.head = {.type = MESSAGE_STEWARD_ANSWER},
                                  .request = a->request,
                                  .result = a->result,
                                  .detail = a->detail,
                                  .value = a->fd >= 0 ? a->bytes : 0,
                                  .number = a->number,
                                  .since_ms = a->since_ms,
                                  .until_ms = a->until_ms}};
    if (a->code) TEXT_COPY(m.answer.code, a->code);
    to_steward(h, &m, a->fd);
    explicit_bzero(&m, sizeof m);
}

void tell_ledger(struct supervisor *h) {
    h->ledger_files = ledger_files(h->ledger);
    for (size_t i = 0; ledger_reader(h->ledger, i) >= 0; i++) {
        union message m = plain(MESSAGE_STEWARD_LEDGER, NULL, i);
        to_steward(h, &m, ledger_reader(h->ledger, i));
    }
}

void tell_steward_all(struct supervisor *h) {
    tell_duties(h);
    tell_posture(h);
    tell_ledger(h);
    union message m = plain(MESSAGE_STEWARD_RECORD, NULL, STEWARD_UNDERTAKINGS);
    to_steward(h, &m, undertakings_reader(h->undertakings));
    m = plain(MESSAGE_STEWARD_RECORD, NULL, STEWARD_REQUESTS);
    to_steward(h, &m, requests_reader(h->requests));
    for (size_t i = 0; i < h->tenant_count; i++) {
        tell_tenant(h->tenant[i]);
        tell_counters(h->tenant[i]);
    }
    tell_steward_files(h); /* after the tenants: who is not there any more has left */
    for (size_t i = 0; i < notices_count(h->notices); i++)
        announce_to_steward(h, notices_at(h->notices, i));
    const int sockets[] = {[STEWARD_STATUS] = h->status_socket, [STEWARD_CONTROL] = h->control_socket};
    for (int s = STEWARD_STATUS; s <= STEWARD_CONTROL; s++) {
        m = plain(MESSAGE_STEWARD_SOCKET, NULL, (uint64_t)s);
        to_steward(h, &m, sockets[s]);
    }
}
