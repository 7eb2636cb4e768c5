#include "metrics.h"

#include "posture.h"
#include "status.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The catalogue under its public names; help and class are the catalogue's. A unit ends the name. */
static const struct {
    enum counter counter;
    const char *name;
    const char *unit;
} plain[] = {
    {COUNTER_connections, "open_connections", ""},
    {COUNTER_inflight, "inflight_requests", ""},
    {COUNTER_connections_total, "connections", ""},
    {COUNTER_handshake_failures, "handshake_failures", ""},
    {COUNTER_bytes_in, "received_bytes", "bytes"},
    {COUNTER_bytes_out, "sent_bytes", "bytes"},
    {COUNTER_logins, "logins", ""},
    {COUNTER_login_failures, "login_failures", ""},
    {COUNTER_commits, "commits", ""},
    {COUNTER_writes, "writes", ""},
    {COUNTER_store_bytes, "store_bytes", "bytes"},
    {COUNTER_store_refusals, "store_refusals", ""},
    {COUNTER_check_state, "check_state", ""},
    {COUNTER_ledger_state, "ledger_state", ""},
    {COUNTER_rollback_state, "rollback_state", ""},
    {COUNTER_ways_in, "ways_in", ""},
    {COUNTER_self_sufficient_kits, "self_sufficient_kits", ""},
    {COUNTER_self_sufficient_since, "self_sufficient_since_timestamp_seconds", "seconds"},
    {COUNTER_arena_used_bytes, "secret_memory_used_bytes", "bytes"},
    {COUNTER_cert_expires, "certificate_expiry_timestamp_seconds", "seconds"},
    {COUNTER_out_of_memory, "out_of_memory", ""},
    {COUNTER_usage_state, "usage_state", ""},
};
static const struct {
    enum counter counter;
    const char *class;
} classes[] = {{COUNTER_requests_1xx, "1xx"},
               {COUNTER_requests_2xx, "2xx"},
               {COUNTER_requests_3xx, "3xx"},
               {COUNTER_requests_4xx, "4xx"},
               {COUNTER_requests_5xx, "5xx"}};
static const struct {
    enum counter counter;
    const char *le;
} buckets[] = {{COUNTER_latency_1ms, "0.001"},
               {COUNTER_latency_10ms, "0.01"},
               {COUNTER_latency_100ms, "0.1"},
               {COUNTER_latency_1s, "1.0"},
               {COUNTER_latency_inf, "+Inf"}};

#define ROWS(TABLE) (sizeof(TABLE) / sizeof *(TABLE))

bool metrics_has(enum counter counter) {
    for (size_t i = 0; i < ROWS(plain); i++)
        if (plain[i].counter == counter) return true;
    for (size_t i = 0; i < ROWS(classes); i++)
        if (classes[i].counter == counter) return true;
    for (size_t i = 0; i < ROWS(buckets); i++)
        if (buckets[i].counter == counter) return true;
    return counter == COUNTER_latency_sum;
}

static bool mentions(struct slice s, const char *word) {
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= s.size; i++)
        if (strncasecmp(s.data + i, word, size) == 0) return true;
    return false;
}

enum metrics_form metrics_negotiate(struct slice accept) {
    if (mentions(accept, "application/openmetrics-text")) return METRICS_OPENMETRICS;
    return mentions(accept, "text/plain") ? METRICS_TEXT : METRICS_EITHER;
}

const char *metrics_type(enum metrics_form form) {
    return form == METRICS_TEXT ? "text/plain; version=0.0.4; charset=utf-8" : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

/* ---- families ---- */

struct page {
    const struct steward *steward;
    enum metrics_form form;
    size_t tenants; /* how many */
    struct evbuffer *out;
    const char *family; /* its name without the _total of a counter */
    const char *suffix; /* "_total" or "" */
};

enum kind { GAUGE, COUNTER, HISTOGRAM };

static void family(struct page *p, const char *name, enum kind kind, const char *unit, const char *help) {
    static const char *const kinds[] = {"gauge", "counter", "histogram"};
    p->family = name;
    p->suffix = kind == COUNTER ? "_total" : "";
    /* OpenMetrics names the family, the older format the sample; where either may read, a counter is declared as neither. */
    const char *declared = p->form == METRICS_OPENMETRICS ? "" : p->suffix;
    evbuffer_add_printf(p->out, "# HELP %s%s %s.\n", name, declared, help);
    if (kind != COUNTER || p->form != METRICS_EITHER) evbuffer_add_printf(p->out, "# TYPE %s%s %s\n", name, declared, kinds[kind]);
    if (*unit && (p->form == METRICS_OPENMETRICS || (p->form == METRICS_EITHER && kind != COUNTER)))
        evbuffer_add_printf(p->out, "# UNIT %s %s\n", name, unit);
}

static void single(struct page *p, uint64_t value) {
    evbuffer_add_printf(p->out, "%s%s %llu\n", p->family, p->suffix, (unsigned long long)value);
}

static void of_tenant(struct page *p, const char *tenant, uint64_t value) {
    evbuffer_add_printf(p->out, "%s%s{tenant=\"%s\"} %llu\n", p->family, p->suffix, tenant, (unsigned long long)value);
}

static void of_tenant_and(struct page *p, const char *tenant, const char *label, const char *what, uint64_t value) {
    evbuffer_add_printf(p->out, "%s%s{tenant=\"%s\",%s=\"%s\"} %llu\n", p->family, p->suffix, tenant, label, what,
                        (unsigned long long)value);
}

static const struct tenants_row *at(const struct page *p, size_t tenant) { return tenants_at(p->steward->tenants, tenant); }

static void machine(struct page *p) {
    const struct message_posture *h = &p->steward->host;
    family(p, "cloison_start_time_seconds", GAUGE, "seconds", "Unix time at which the supervisor started");
    single(p, h->started_ms / 1000);
    family(p, "cloison_workers", GAUGE, "", "Workers running");
    single(p, tenants_running(p->steward->tenants));
    family(p, "cloison_workers_limit", GAUGE, "", "Workers that may run at once");
    single(p, h->max_workers);
    family(p, "cloison_evictions", COUNTER, "", "Idle workers stopped to make room");
    single(p, h->evictions);
    family(p, "cloison_router_starts", COUNTER, "", "Starts of the router");
    single(p, h->router_starts);
    family(p, "cloison_steward_starts", COUNTER, "", "Starts of the steward");
    single(p, h->steward_starts);
    family(p, "cloison_ledger_lines", COUNTER, "", "Lines of the ledger");
    single(p, h->ledger_lines);
    family(p, "cloison_ledger_gaps", COUNTER, "", "Lifecycle events that could not be recorded");
    single(p, h->ledger_gaps);
    family(p, "cloison_posture_holds", GAUGE, "", "1: every wall that is demanded stands, on the machine and in each worker");
    single(p, posture_all_hold(p->steward->has_host ? h : NULL, p->steward->tenants, NULL));
    family(p, "cloison_layer_on", GAUGE, "", "1: this layer of the machine is on; see posture");
    for (int l = 0; l < LAYER_COUNT; l++)
        if (posture_layer[l].machine)
            evbuffer_add_printf(p->out, "cloison_layer_on{layer=\"%s\"} %d\n", posture_layer[l].name, h->layer[l] == LAYER_ON);
}

static void told(struct page *p) {
    family(p, "cloison_tenant_state", GAUGE, "", "1: the tenant is in this state");
    for (size_t t = 0; t < p->tenants; t++)
        for (uint32_t s = TENANT_STOPPED; s <= TENANT_THROTTLED; s++)
            of_tenant_and(p, at(p, t)->is.name, "state", status_state(s), at(p, t)->is.state == s);
    family(p, "cloison_tenant_starts", COUNTER, "", "Starts of the tenant's worker");
    for (size_t t = 0; t < p->tenants; t++)
        of_tenant(p, at(p, t)->is.name, at(p, t)->is.starts);
    family(p, "cloison_tenant_crashes", COUNTER, "", "Ends of the tenant's worker that nobody asked for");
    for (size_t t = 0; t < p->tenants; t++)
        of_tenant(p, at(p, t)->is.name, at(p, t)->is.crashes);
    family(p, "cloison_tenant_quota_bytes", GAUGE, "bytes", "Size that the tenant's store may reach");
    for (size_t t = 0; t < p->tenants; t++)
        of_tenant(p, at(p, t)->is.name, at(p, t)->is.quota_bytes);
    family(p, "cloison_tenant_memory_bytes", GAUGE, "bytes", "Memory of the tenant's cgroup, where it has one");
    for (size_t t = 0; t < p->tenants; t++)
        if (at(p, t)->is.memory_bytes) of_tenant(p, at(p, t)->is.name, counter_rounded(at(p, t)->is.memory_bytes));
    family(p, "cloison_tenant_layer_on", GAUGE, "", "1: this layer of the running worker is on; see posture");
    for (size_t t = 0; t < p->tenants; t++)
        for (int l = 0; l < LAYER_COUNT; l++)
            if (!posture_layer[l].machine && at(p, t)->is.layer[l] != LAYER_UNKNOWN)
                of_tenant_and(p, at(p, t)->is.name, "layer", posture_layer[l].name, at(p, t)->is.layer[l] == LAYER_ON);
}

/* A time that is not there is no sample. */
static bool has_no_time(enum counter c, uint64_t value) {
    return value == 0 && (c == COUNTER_cert_expires || c == COUNTER_self_sufficient_since);
}

static void counted(struct page *p) {
    char name[80];
    for (size_t i = 0; i < ROWS(plain); i++) {
        const struct counter_row *c = &counter_table[plain[i].counter];
        snprintf(name, sizeof name, "cloison_tenant_%s", plain[i].name);
        family(p, name, c->class == COUNTER_TOTAL ? COUNTER : GAUGE, plain[i].unit, c->help);
        for (size_t t = 0; t < p->tenants; t++)
            if (!has_no_time(plain[i].counter, tenants_value(at(p, t), plain[i].counter)))
                of_tenant(p, at(p, t)->is.name, tenants_value(at(p, t), plain[i].counter));
    }
    family(p, "cloison_tenant_requests", COUNTER, "", "Requests answered, by class of status");
    for (size_t t = 0; t < p->tenants; t++)
        for (size_t i = 0; i < ROWS(classes); i++)
            of_tenant_and(p, at(p, t)->is.name, "class", classes[i].class, tenants_value(at(p, t), classes[i].counter));
}

/* A worker fills the buckets itself, at any moment between two of them: what is shown is made monotonic. */
static void durations(struct page *p) {
    family(p, "cloison_tenant_request_duration_seconds", HISTOGRAM, "seconds", "Time from a request's last byte to its answer");
    for (size_t t = 0; t < p->tenants; t++) {
        uint64_t most = 0;
        for (size_t i = 0; i < ROWS(buckets); i++) {
            uint64_t value = tenants_value(at(p, t), buckets[i].counter);
            if (value > most) most = value;
            evbuffer_add_printf(p->out, "%s_bucket{tenant=\"%s\",le=\"%s\"} %llu\n", p->family, at(p, t)->is.name, buckets[i].le,
                                (unsigned long long)most);
        }
        evbuffer_add_printf(p->out, "%s_count{tenant=\"%s\"} %llu\n%s_sum{tenant=\"%s\"} %.6f\n", p->family, at(p, t)->is.name,
                            (unsigned long long)most, p->family, at(p, t)->is.name,
                            (double)tenants_value(at(p, t), COUNTER_latency_sum) / 1e6);
    }
}

/* H4: the same numbers for Prometheus */
struct evbuffer *metrics_text(const struct steward *steward, enum metrics_form form) {
    struct page p = {.steward = steward, .form = form, .tenants = tenants_count(steward->tenants), .out = evbuffer_new()};
    if (!p.out) return NULL;
    machine(&p);
    told(&p);
    counted(&p);
    durations(&p);
    if (form != METRICS_TEXT) evbuffer_add_printf(p.out, "# EOF\n");
    return p.out;
}

void metrics_free(struct evbuffer *text) {
    if (text) evbuffer_free(text);
}
