#include "status.h"

#include "../../policy/decide.h"
#include "certificate_view.h"
#include "control.h"
#include "metrics.h"
#include "posture.h"
#include "route.h"

static const char *const states[] = {
    [TENANT_STOPPED] = "stopped",   [TENANT_STARTING] = "starting",   [TENANT_SEALED] = "sealed",       [TENANT_SERVING] = "serving",
    [TENANT_DRAINING] = "draining", [TENANT_SUSPENDED] = "suspended", [TENANT_THROTTLED] = "throttled",
};
enum { STATES = sizeof states / sizeof *states };

const char *status_state(uint32_t state) { return state > 0 && state < STATES ? states[state] : "unknown"; }

/* JSON's integers are signed here. */
static json_t *number(uint64_t value) { return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value); }
static json_t *number_or_null(uint64_t value) { return value ? number(value) : json_null(); }
static json_t *seconds_or_null(uint64_t ms) { return number_or_null(ms / 1000); }
static json_t *shown(const struct tenants_row *row, enum counter c) { return number(tenants_value(row, c)); }

/* A gauge that is an enumeration; what is beyond it is a worker's lie. */
static const char *word(const struct tenants_row *row, enum counter c, const char *const words[3]) {
    uint64_t value = tenants_value(row, c);
    return value < 3 ? words[value] : "unknown";
}

static json_t *requests(const struct tenants_row *row) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "1xx", shown(row, COUNTER_requests_1xx), "2xx", shown(row, COUNTER_requests_2xx), "3xx",
                     shown(row, COUNTER_requests_3xx), "4xx", shown(row, COUNTER_requests_4xx), "5xx", shown(row, COUNTER_requests_5xx));
}

static json_t *latency(const struct tenants_row *row) {
    json_t *buckets =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "0.001", shown(row, COUNTER_latency_1ms), "0.01", shown(row, COUNTER_latency_10ms), "0.1",
                  shown(row, COUNTER_latency_100ms), "1", shown(row, COUNTER_latency_1s), "+Inf", shown(row, COUNTER_latency_inf));
    return json_pack("{s:o, s:f}", "buckets", buckets, "sum_seconds", (double)tenants_value(row, COUNTER_latency_sum) / 1e6);
}

static json_t *hosts(const struct message_tenant *t) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < t->host_count; i++)
        json_array_append_new(list, json_string(t->host[i]));
    return list;
}

/* What the provider itself entered (C10) and decided. */
static json_t *entered(const struct message_tenant *t) {
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:b, s:o, s:o}", "name", t->name, "title", t->title, "modules", t->modules, "region",
                     t->region, "hosts", hosts(t), "uid", (json_int_t)t->uid, "enrolled", t->enrolled != 0, "created",
                     seconds_or_null(t->created_ms), "quota_bytes", number(t->quota_bytes));
}

/* The uses it consents to beyond its name and modules. */
static json_t *references(const struct message_tenant *t) {
    json_t *list = json_array();
    for (int i = 0; i < REFERENCE_COUNT; i++)
        if (t->references >> i & 1) json_array_append_new(list, json_string(reference_table[i].name));
    return list;
}

static json_t *copies(const struct message_tenant *t) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < t->copy_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:b, s:b}", "place", t->copy[i].place, "region",
                                              t->copy[i].region[0] ? json_string(t->copy[i].region) : json_null(), "written",
                                              seconds_or_null(t->copy[i].written_ms), "stale", !t->copy[i].current, "excluded",
                                              (int)t->copy[i].excluded));
    return list;
}

/* A reset that one person has asked for, or that goes on. */
static json_t *reset(const struct message_tenant *t) {
    if (t->resetting) return json_pack("{s:s}", "state", "emptying");
    if (!t->reset_until_ms || t->reset_until_ms < steward_now_ms()) return json_null();
    return json_pack("{s:s, s:I, s:o}", "state", "asked", "uid", (json_int_t)t->reset_uid, "until", seconds_or_null(t->reset_until_ms));
}

/* What a certificate that the tenant's data is gone has to say: of such a kit's copies the end of the capsule is not the end. */
static json_t *self_sufficient(const struct tenants_row *row) {
    uint64_t kits, since;
    if (!tenants_self_sufficient(row, &kits, &since)) return json_null();
    return json_pack("{s:o, s:o}", "kits", number(kits), "since", number_or_null(since));
}

json_t *status_tenant(const struct tenants_row *row) {
    static const char *const checks[] = {"none", "sound", "damaged"}, *const ledgers[] = {"none", "continued", "rewritten"};
    static const char *const rollbacks[] = {"none", "seen", "accepted"};
    const struct message_tenant *t = &row->is;
    json_t *all = entered(t);
    bool runs = t->pid != 0, ended = t->starts > (uint64_t)(runs ? 1 : 0);
    json_t *life = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "state", status_state(t->state), "instance",
                             number(t->head.generation), "pid", number_or_null(t->pid), "since", seconds_or_null(t->since_ms), "starts",
                             number(t->starts), "crashes", number(t->crashes), "last_exit",
                             ended ? json_integer(t->last_exit) : json_null(), "throttled_until", seconds_or_null(t->throttled_until_ms),
                             "tls", t->plain ? "both" : "passthrough", "last_backup", seconds_or_null(t->last_backup_ms));
    json_t *numbers = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o}", "connections",
                                shown(row, COUNTER_connections), "inflight", shown(row, COUNTER_inflight), "handshake_failures",
                                shown(row, COUNTER_handshake_failures), "login_failures", shown(row, COUNTER_login_failures), "requests",
                                requests(row), "bytes_in", shown(row, COUNTER_bytes_in), "bytes_out", shown(row, COUNTER_bytes_out),
                                "latency", latency(row), "store_bytes", row->sampled ? shown(row, COUNTER_store_bytes) : json_null(),
                                "memory_bytes", number_or_null(counter_rounded(t->memory_bytes)), "cert_expires",
                                number_or_null(tenants_value(row, COUNTER_cert_expires)), "check", word(row, COUNTER_check_state, checks),
                                "ledger", word(row, COUNTER_ledger_state, ledgers), "rollback",
                                word(row, COUNTER_rollback_state, rollbacks), "posture", posture_layers(t->layer, false));
    json_t *keys = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s?, s:s?, s:o}", "contract", certificate_view_contract(t), "self_sufficient",
                             self_sufficient(row), "ways_in", number_or_null(tenants_ways_in(row)), "capsule_copies", copies(t), "reset",
                             reset(t), "contact", t->contact[0] ? t->contact : NULL, "transferred_to", t->entity[0] ? t->entity : NULL,
                             "references", references(t));
    if (all && json_object_update_new(all, keys) == 0 && json_object_update_new(all, life) == 0 &&
        json_object_update_new(all, numbers) == 0)
        return all;
    json_decref(all);
    return NULL;
}

static json_t *tenants_json(const struct tenants *tenants) {
    json_t *list = json_array();
    for (size_t i = 0; i < tenants_count(tenants); i++)
        json_array_append_new(list, status_tenant(tenants_at(tenants, i)));
    return list;
}

static json_t *state_counts(const struct tenants *tenants) {
    uint64_t count[STATES] = {0};
    for (size_t i = 0; i < tenants_count(tenants); i++) {
        uint32_t state = tenants_at(tenants, i)->is.state;
        if (state < STATES) count[state]++;
    }
    json_t *object = json_object();
    for (int s = 1; s < STATES; s++)
        json_object_set_new(object, states[s], number(count[s]));
    return object;
}

json_t *status_json(const struct steward *steward) {
    const struct message_posture *h = &steward->host;
    return json_pack("{s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:b, s:o}", "started", seconds_or_null(h->started_ms),
                     "workers", (int)tenants_running(steward->tenants), "max_workers", (int)h->max_workers, "evictions", (int)h->evictions,
                     "router_starts", number(h->router_starts), "steward_starts", number(h->steward_starts), "states",
                     state_counts(steward->tenants), "ledger", "lines", number(h->ledger_lines), "gaps", number(h->ledger_gaps),
                     "tenant_count", number(tenants_count(steward->tenants)), "now", seconds_or_null(steward_now_ms()), "posture_holds",
                     posture_all_hold(steward->has_host ? h : NULL, steward->tenants, NULL), "tenants", tenants_json(steward->tenants));
}

static void serve_tenant(const struct steward *steward, struct staff_request *r, struct slice variable) {
    char name[TENANT_NAME_MAX + 8];
    const struct tenants_row *row = route_tenant(variable, name) ? tenants_by_name(steward->tenants, name) : NULL;
    if (row)
        staff_json(r, 200, status_tenant(row));
    else
        staff_problem(r, 404, "no-tenant", NULL, "there is no tenant of that name");
}

static void serve_posture(const struct steward *steward, struct staff_request *r, struct slice variable) {
    char name[TENANT_NAME_MAX + 8];
    const struct tenants_row *row = route_tenant(variable, name) ? tenants_by_name(steward->tenants, name) : NULL;
    if (row)
        staff_json(r, 200, posture_json(steward->has_host ? &steward->host : NULL, steward->tenants, row));
    else
        staff_problem(r, 404, "no-tenant", NULL, "there is no tenant of that name");
}

static void serve_metrics(const struct steward *steward, struct staff_request *r) {
    const struct slice *accept = http_header_find(&r->head, "Accept");
    enum metrics_form form = metrics_negotiate(accept ? *accept : (struct slice){"", 0});
    struct evbuffer *text = metrics_text(steward, form);
    if (text)
        staff_buffer(r, 200, metrics_type(form), text);
    else
        staff_problem(r, 500, "no-memory", NULL, "no memory");
    metrics_free(text);
}

/* H4: the operational numbers, for who has the viewer duty */
void status_handle(struct staff_request *r) {
    static const char *const paths[] = {"/v1/status", "/v1/tenants", "/v1/tenants/{}", "/v1/posture",
                                        "/v1/events", "/metrics",    "/v1/posture/{}"};
    struct steward *steward = r->context;
    if (!duty_may(r->person.duties, VERB_status)) {
        control_refuse(steward, r, VERB_status, "");
        return;
    }
    struct slice variable = {0};
    size_t route = 0;
    while (route < sizeof paths / sizeof *paths && !route_fits(r->head.path, paths[route], &variable))
        route++;
    if (route < sizeof paths / sizeof *paths && r->head.method != HTTP_GET) {
        staff_header(r, "Allow", "GET, HEAD");
        staff_problem(r, 405, "method", NULL, "this can only be read");
        return;
    }
    bool posture = route == 3 || route == 6;
    if (!posture && steward->has_host && !(needs_table[VERB_status].modes & steward->host.mode)) {
        control_refuse(steward, r, VERB_status, ""); /* there is no provider to count for (C5) */
        return;
    }
    switch (route) {
    case 0:
        staff_json(r, 200, status_json(steward));
        return;
    case 1:
        staff_json(r, 200, json_pack("{s:o}", "tenants", tenants_json(steward->tenants)));
        return;
    case 2:
        serve_tenant(steward, r, variable);
        return;
    case 3:
        staff_json(r, 200, posture_json(steward->has_host ? &steward->host : NULL, steward->tenants, NULL));
        return;
    case 4:
        events_serve(steward->events, r);
        return;
    case 5:
        serve_metrics(steward, r);
        return;
    case 6:
        serve_posture(steward, r, variable);
        return;
    default:
        staff_problem(r, 404, "not-found", NULL, "there is nothing here; see cloison-steward(8)");
    }
}
