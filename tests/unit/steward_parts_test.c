/* The steward's decisions without a socket: duties, the replica, walls, metrics, routes, bodies, pages of the ledger. */
#include "../../policy/ledger_line.h"
#include "../../supervisor/cli/client.h"
#include "../../supervisor/cli/table.h"
#include "../../supervisor/steward/act.h"
#include "../../supervisor/steward/events.h"
#include "../../supervisor/steward/ledger_view.h"
#include "../../supervisor/steward/metrics.h"
#include "../../supervisor/steward/posture.h"
#include "../../supervisor/steward/route.h"
#include "../../supervisor/steward/status.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>

static void duties_follow_groups(void **state) {
    (void)state; /* C1, C3 */
    struct duty_map map = {0};
    const gid_t more[] = {7, 30, 9};
    assert_int_equal(duty_of_groups(&map, 0, more, 3), 0); /* nobody has a duty before it is said */
    assert_true(duty_map_set(&map, (uint64_t)DUTY_operator << 32 | 30));
    assert_true(duty_map_set(&map, (uint64_t)DUTY_viewer << 32 | 12));
    assert_true(duty_map_set(&map, (uint64_t)DUTY_auditor << 32 | 0xffffffff)); /* there is no such group */
    assert_false(duty_map_set(&map, (uint64_t)DUTY_COUNT << 32 | 30));
    assert_int_equal(duty_of_groups(&map, 12, more, 3), 1U << DUTY_viewer | 1U << DUTY_operator);
    assert_int_equal(duty_of_groups(&map, 12, NULL, 0), 1U << DUTY_viewer);
    assert_int_equal(duty_of_groups(&map, 0, NULL, 0), 0);
    assert_int_equal(duty_of_groups(&map, (gid_t)-1, NULL, 0), 0);
    assert_true(duty_map_set(&map, (uint64_t)DUTY_operator << 32 | 0xffffffff)); /* a reload takes it away */
    assert_int_equal(duty_of_groups(&map, 0, more, 3), 0);
}

/* ---- the replica ---- */

static struct message_tenant tenant(uint32_t number, const char *name, uint32_t shown) {
    struct message_tenant t = {.head = {.tenant = number}, .state = shown, .host_count = 1, .starts = 1, .quota_bytes = 4096};
    snprintf(t.name, sizeof t.name, "%s", name);
    snprintf(t.host[0], sizeof t.host[0], "%s.example", name);
    return t;
}

static void put(struct tenants *all, uint32_t number, const char *name, uint32_t shown) {
    struct message_tenant t = tenant(number, name, shown);
    assert_true(tenants_put(all, &t));
}

/* A worker's page; the steward gets its own copy of the fd. */
static struct counter_page *worker(struct tenants *all, uint32_t number) {
    int fd = counters_create();
    struct counter_page *page = counters_map(fd, 1);
    assert_non_null(page);
    assert_true(tenants_page(all, number, dup(fd)));
    close(fd);
    return page;
}

static void replica_keeps_order(void **state) {
    (void)state;
    struct tenants *all = tenants_new();
    static const uint32_t numbers[] = {5, 1, 9, 3, 7};
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%u", numbers[i]);
        put(all, numbers[i], name, TENANT_STOPPED);
    }
    put(all, 3, "t3", TENANT_SUSPENDED);
    assert_int_equal(tenants_count(all), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(tenants_at(all, i)->is.head.tenant, 2 * i + 1);
    assert_int_equal(tenants_by_name(all, "t3")->is.state, TENANT_SUSPENDED);
    tenants_remove(all, 1);
    tenants_remove(all, 9);
    tenants_remove(all, 2); /* there is none */
    assert_int_equal(tenants_count(all), 3);
    assert_null(tenants_by_number(all, 9));
    assert_null(tenants_by_name(all, "t1"));
    assert_non_null(tenants_by_number(all, 7));
    tenants_free(all);
}

static void totals_survive_restarts(void **state) {
    (void)state;
    struct tenants *all = tenants_new();
    put(all, 1, "acme", TENANT_STARTING);
    const struct tenants_row *row = tenants_by_number(all, 1);
    assert_false(row->sampled);
    struct counter_page *page = worker(all, 1);
    page->value[COUNTER_writes] = 129;
    page->value[COUNTER_connections] = 7;
    page->value[COUNTER_store_bytes] = 4096;
    assert_int_equal(tenants_value(row, COUNTER_writes), 0); /* not looked at yet */
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_writes), 120); /* two digits */
    assert_int_equal(tenants_value(row, COUNTER_connections), 7);
    page->value[COUNTER_writes] = 50; /* a total that falls is a lie */
    page->value[COUNTER_connections] = 3;
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_writes), 120);
    assert_int_equal(tenants_value(row, COUNTER_connections), 3);

    page->value[COUNTER_writes] = 140;
    put(all, 1, "acme", TENANT_THROTTLED); /* it died: a last look */
    assert_null(row->page);
    assert_int_equal(tenants_value(row, COUNTER_writes), 140);
    assert_int_equal(tenants_value(row, COUNTER_connections), 0);
    assert_int_equal(tenants_value(row, COUNTER_store_bytes), 4000);
    counters_unmap(page);

    put(all, 1, "acme", TENANT_STARTING);
    page = worker(all, 1);
    assert_int_equal(tenants_value(row, COUNTER_writes), 140);
    page->value[COUNTER_writes] = 20;
    put(all, 1, "acme", TENANT_SERVING);
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_writes), 160);
    page->value[COUNTER_writes] = UINT64_MAX; /* the sum stays at the top */
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_writes), 18000000000000000000U);
    counters_unmap(page);
    page = worker(all, 1); /* a new one without a word about the old one's end */
    assert_int_equal(tenants_value(row, COUNTER_writes), 18000000000000000000U);
    counters_unmap(page);
    tenants_free(all);
}

static void a_certificate_ends_once(void **state) {
    (void)state;
    struct tenants *all = tenants_new();
    put(all, 1, "acme", TENANT_SERVING);
    const struct tenants_row *row = tenants_by_number(all, 1);
    struct counter_page *page = worker(all, 1);
    page->value[COUNTER_cert_expires] = 1800000001;
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_cert_expires), 1800000001); /* to the second */
    page->value[COUNTER_cert_expires] = 1234;
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_cert_expires), 1800000001);
    tenants_chain_installed(all, 1);
    assert_int_equal(tenants_value(row, COUNTER_cert_expires), 1234);
    page->value[COUNTER_cert_expires] = 5678;
    tenants_sample(all);
    assert_int_equal(tenants_value(row, COUNTER_cert_expires), 1234);
    tenants_chain_installed(all, 99);
    counters_unmap(page);
    tenants_free(all);
}

static void other_pages_are_refused(void **state) {
    (void)state;
    struct tenants *all = tenants_new();
    put(all, 1, "acme", TENANT_SERVING);
    int fd = memfd_create("no page", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_false(tenants_page(all, 1, fd)); /* it could shrink */
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(tenants_page(all, 2, counters_create())); /* of nobody: dropped */
    tenants_free(all);
}

/* ---- walls ---- */

static void walls_hold_or_do_not(void **state) {
    (void)state;
    uint8_t layer[64];
    for (int machine = 0; machine <= 1; machine++)
        for (int l = 0; l < LAYER_COUNT; l++) {
            memset(layer, LAYER_ON, sizeof layer);
            assert_true(posture_holds(layer, machine, 0));
            bool here = posture_layer[l].machine == machine;
            enum posture_demand demand = posture_demand((enum layer)l, 0);
            layer[l] = LAYER_OFF;
            assert_int_equal(posture_holds(layer, machine, 0), !here || demand == POSTURE_ADVISED);
            layer[l] = LAYER_UNAVAILABLE;
            assert_int_equal(posture_holds(layer, machine, 0), !here || demand != POSTURE_DEMANDED);
            assert_int_equal(posture_holds(layer, machine, 1ULL << l), !here || !machine || demand != POSTURE_DEMANDED);
            layer[l] = LAYER_UNKNOWN;
            assert_int_equal(posture_holds(layer, machine, 0), !here || demand == POSTURE_ADVISED);
        }
}

static void posture_speaks_of_proved_workers(void **state) {
    (void)state;
    struct tenants *all = tenants_new();
    struct message_posture host = {0};
    memset(host.layer, LAYER_ON, LAYER_COUNT);
    assert_true(posture_all_hold(&host, all, NULL));
    assert_false(posture_all_hold(NULL, all, NULL));
    put(all, 1, "acme", TENANT_STARTING); /* nothing is proved yet */
    assert_true(posture_all_hold(&host, all, NULL));
    put(all, 1, "acme", TENANT_SEALED); /* ready with no layer */
    assert_false(posture_all_hold(&host, all, NULL));
    json_t *json = posture_json(&host, all, NULL);
    assert_false(json_is_true(json_object_get(json, "holds")));
    assert_int_equal(json_array_size(json_object_get(json, "workers")), 1);
    assert_int_equal(json_object_size(json_object_get(json, "layers")), LAYER_COUNT);
    json_decref(json);
    tenants_free(all);
}

static void a_single_way_in_is_named(void **state) {
    (void)state;
    struct tenants *all = tenants_new();
    struct message_posture host = {0};
    struct message_tenant t = tenant(1, "acme", TENANT_SERVING);
    t.enrolled = 1;
    assert_true(tenants_put(all, &t));
    struct counter_page *page = worker(all, 1);
    for (uint64_t ways = 0; ways <= 2; ways++) {
        page->value[COUNTER_ways_in] = ways;
        tenants_sample(all);
        json_t *json = posture_json(&host, all, NULL);
        assert_int_equal(json_array_size(json_object_get(json, "one_way_in")), ways == 1);
        json_decref(json);
    }
    page->value[COUNTER_ways_in] = 1;
    t.state = TENANT_STOPPED; /* it is as true when the worker is gone, */
    assert_true(tenants_put(all, &t));
    assert_int_equal(tenants_ways_in(tenants_at(all, 0)), 1);
    t.enrolled = 0; /* and nothing after a reset */
    assert_true(tenants_put(all, &t));
    assert_int_equal(tenants_ways_in(tenants_at(all, 0)), 0);
    counters_unmap(page);
    tenants_free(all);
}

/* ---- what is shown ---- */

static void a_tenant_has_the_promised_fields(void **state) {
    (void)state;
    static const char *const fields[] = {
        "name",     "state",     "instance",        "pid",         "since",       "connections",  "inflight",           "requests",
        "bytes_in", "bytes_out", "latency",         "store_bytes", "quota_bytes", "memory_bytes", "cert_expires",       "starts",
        "crashes",  "last_exit", "throttled_until", "tls",         "last_backup", "posture",      "handshake_failures", "login_failures"};
    struct tenants *all = tenants_new();
    for (uint32_t s = 0; s <= TENANT_THROTTLED + 1U; s++)
        put(all, s + 1, "acme", s);
    for (size_t i = 0; i < tenants_count(all); i++) {
        json_t *json = status_tenant(tenants_at(all, i));
        assert_non_null(json);
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            if (!json_object_get(json, fields[f])) fail_msg("%s", fields[f]);
        assert_true(json_is_null(json_object_get(json, "last_backup")));
        json_decref(json);
    }
    struct steward steward = {.tenants = all};
    json_t *json = status_json(&steward);
    assert_non_null(json);
    assert_int_equal(json_array_size(json_object_get(json, "tenants")), tenants_count(all));
    json_decref(json);
    tenants_free(all);
}

static void metrics_show_the_catalogue(void **state) {
    (void)state;
    for (int c = 0; c < COUNTER_COUNT; c++)
        assert_int_equal(metrics_has((enum counter)c), c != COUNTER_last_activity && counter_table[c].class != COUNTER_USAGE);
    struct tenants *all = tenants_new();
    put(all, 1, "acme", TENANT_SERVING);
    struct counter_page *page = worker(all, 1);
    page->value[COUNTER_latency_1ms] = 90; /* more than the next bucket: read between two updates */
    page->value[COUNTER_latency_10ms] = 80;
    page->value[COUNTER_latency_inf] = 85;
    tenants_sample(all);
    struct steward steward = {.tenants = all};
    static const struct {
        enum metrics_form form;
        const char *has, *has_not;
    } forms[] = {{METRICS_EITHER, "# HELP cloison_tenant_writes_total ", "# TYPE cloison_tenant_writes"},
                 {METRICS_OPENMETRICS, "# TYPE cloison_tenant_writes counter\n", "# TYPE cloison_tenant_writes_total"},
                 {METRICS_TEXT, "# TYPE cloison_tenant_writes_total counter\n", "# EOF"}};
    for (size_t i = 0; i < 3; i++) {
        struct evbuffer *text = metrics_text(&steward, forms[i].form);
        evbuffer_add(text, "", 1);
        const char *s = (const char *)evbuffer_pullup(text, -1);
        assert_non_null(strstr(s, forms[i].has));
        assert_null(strstr(s, forms[i].has_not));
        assert_non_null(strstr(s, "_bucket{tenant=\"acme\",le=\"0.01\"} 90\n"));
        assert_non_null(strstr(s, "_bucket{tenant=\"acme\",le=\"+Inf\"} 90\n"));
        assert_non_null(strstr(s, "_count{tenant=\"acme\"} 90\n"));
        metrics_free(text);
    }
    assert_int_equal(metrics_negotiate((struct slice){"*/*", 3}), METRICS_EITHER);
    assert_int_equal(metrics_negotiate((struct slice){"", 0}), METRICS_EITHER);
    assert_int_equal(metrics_negotiate((struct slice){"text/plain", 10}), METRICS_TEXT);
    const char *prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    assert_int_equal(metrics_negotiate((struct slice){prometheus, strlen(prometheus)}), METRICS_OPENMETRICS);
    counters_unmap(page);
    tenants_free(all);
}

static void events_have_words(void **state) {
    (void)state;
    char text[EVENTS_TEXT_MAX];
    for (int e = EVENT_CREATED; e <= EVENT_GONE; e++) {
        assert_non_null(events_word((uint64_t)e));
        size_t size = events_format(UINT64_MAX, UINT64_MAX, "a2345678901234567890123456789012", (enum tenant_event)e, text);
        assert_true(size < sizeof text && text[size - 1] == '\n' && text[size - 2] == '\n');
    }
    assert_null(events_word(0));
    assert_null(events_word(EVENT_GONE + 1));
}

/* ---- requests ---- */

static bool fits(const char *path, const char *pattern, struct slice *variable) {
    *variable = (struct slice){"", 0};
    return route_fits((struct slice){path, strlen(path)}, pattern, variable);
}

static void routes(void **state) {
    (void)state;
    struct slice v;
    char name[TENANT_NAME_MAX + 8];
    assert_true(fits("/v1/status", "/v1/status", &v));
    assert_false(fits("/v1/status/", "/v1/status", &v));
    assert_false(fits("/v1/statu", "/v1/status", &v));
    assert_true(fits("/v1/tenants/acme", "/v1/tenants/{}", &v));
    assert_true(slice_equals(v, "acme") && route_tenant(v, name));
    assert_string_equal(name, "acme");
    assert_false(fits("/v1/tenants/", "/v1/tenants/{}", &v));
    assert_false(fits("/v1/tenants/a/b", "/v1/tenants/{}", &v));
    assert_true(fits("/v1/tenants/a/start", "/v1/tenants/{}/start", &v));
    assert_false(fits("/v1/tenants//start", "/v1/tenants/{}/start", &v));
    assert_false(fits("/v1/tenants/a/starts", "/v1/tenants/{}/start", &v));
    assert_true(fits("/v1/tenants/%2e%2e/start", "/v1/tenants/{}/start", &v));
    assert_false(route_tenant(v, name));
    assert_string_equal(name, "");
    assert_false(route_tenant((struct slice){"a23456789012345678901234567890123", 33}, name));
}

static void bodies(void **state) {
    (void)state;
    static const struct {
        const char *body;
        bool creating;
        const char *field; /* NULL = fine */
    } rows[] = {
        {"{\"name\":\"acme\",\"hosts\":[\"a.example\"]}", true, NULL},
        {"{\"name\":\"acme\",\"hosts\":[\"a.example\",\"b.example\"],\"title\":\"É\",\"modules\":[\"crm\",\"docs\"],\"region\":\"fr\","
         "\"quota\":1048577}",
         true, NULL},
        {"{\"title\":\"\"}", false, NULL},
        {"{\"modules\":[]}", false, NULL},
        {"{\"hosts\":[\"a.example\"]}", true, "name"},
        {"{\"name\":\"acme\"}", true, "hosts"},
        {"{\"name\":\"acme\"}", false, "name"},
        {"{\"name\":\"Acme\",\"hosts\":[\"a.example\"]}", true, "name"},
        {"{\"name\":7,\"hosts\":[\"a.example\"]}", true, "name"},
        {"{\"hosts\":[]}", false, "hosts"},
        {"{\"hosts\":\"a.example\"}", false, "hosts"},
        {"{\"hosts\":[\"a.example\",\"a.example\"]}", false, "hosts"},
        {"{\"hosts\":[\"10.0.0.1\"]}", false, "hosts"},
        {"{\"hosts\":[\"a.b\",\"a.b1\",\"a.b2\",\"a.b3\",\"a.b4\",\"a.b5\",\"a.b6\",\"a.b7\",\"a.b8\"]}", false, "hosts"},
        {"{\"title\":\"a\\u0007\"}", false, "title"},
        {"{\"title\":null}", false, "title"},
        {"{\"modules\":[\"a,b\"]}", false, "modules"},
        {"{\"modules\":\"a\"}", false, "modules"},
        {"{\"modules\":[\"\"]}", false, "modules"},
        {"{\"region\":\"\"}", false, "region"},
        {"{\"region\":\"FR\"}", false, "region"},
        {"{\"quota\":0}", false, "quota"},
        {"{\"quota\":1048575}", false, "quota"},
        {"{\"quota\":-1}", false, "quota"},
        {"{\"quota\":1.5}", false, "quota"},
        {"{\"quota\":9223372036854775807}", false, "quota"},
        {"{\"uid\":0}", false, "uid"},
        {"{}", false, ""},
        {"[]", false, ""},
        {"", false, ""},
        {"{\"title\":\"a\",\"title\":\"b\"}", false, ""},
        {"{\"title\":\"a\\u0000b\"}", false, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_act act = {0};
        struct act_problem problem = {0};
        bool taken = act_read(rows[i].body, strlen(rows[i].body), rows[i].creating, &act, &problem);
        if (taken != !rows[i].field || (!taken && strcmp(problem.field, rows[i].field) != 0)) fail_msg("%s", rows[i].body);
        if (act.set & ACT_QUOTA && taken) assert_int_equal(act.quota_bytes, 1048576 + 4096);
        if (act.set & ACT_MODULES && taken && rows[i].creating) assert_string_equal(act.modules, "crm,docs");
    }
}

/* ---- the ledger ---- */

static int ledger_make(uint64_t lines, const char *more) {
    char path[] = "/tmp/ledger_view_XXXXXX", text[LEDGER_LINE_MAX];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    struct ledger_line line = {.verb = "start", .result = "done", .times = 1, .tenant = 1, .name = "acme"};
    for (uint64_t n = 1; n <= lines; n++) {
        line.count = n;
        line.has_uid = n % 7 == 0;
        line.uid = line.has_uid ? (uint32_t)(n * 1000) : 0;
        size_t size = ledger_line_format(&line, text);
        assert_int_equal(write(fd, text, size), size);
        memcpy(line.previous, line.hash, sizeof line.hash);
    }
    assert_int_equal(write(fd, more, strlen(more)), strlen(more));
    return fd;
}

static void pages_of_the_ledger(void **state) {
    (void)state;
    int fd = ledger_make(300, "301\t17000"); /* a line that is being written */
    for (uint64_t from = 0; from <= 302; from++) {
        json_t *page = ledger_view_page(fd, from, 10), *lines = json_object_get(page, "lines");
        uint64_t first = from ? from : 291, count = first > 300 ? 0 : 300 - first + 1 < 10 ? 300 - first + 1 : 10;
        assert_int_equal(json_array_size(lines), count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, i), "count")), first + i);
        bool more = first + count <= 300 && count;
        assert_int_equal(json_integer_value(json_object_get(page, "next")), more ? first + count : 0);
        json_decref(page);
    }
    close(fd);
    fd = ledger_make(0, "");
    json_t *page = ledger_view_page(fd, 0, 10);
    assert_int_equal(json_array_size(json_object_get(page, "lines")), 0);
    json_decref(page);
    close(fd);
    fd = ledger_make(50, "51\tbroken\n");
    assert_null(ledger_view_page(fd, 0, 10));
    assert_int_equal(errno, EBADMSG);
    close(fd);
}

/* ---- the command ---- */

static void answers_are_whole(void **state) {
    (void)state;
    int status;
    size_t body;
    static const char fine[] = "HTTP/1.1 201 Created\r\nDate: x\r\ncontent-length: 2\r\n\r\n{}";
    assert_true(client_read(fine, sizeof fine - 1, &status, &body));
    assert_int_equal(status, 201);
    assert_string_equal(fine + body, "{}");
    for (size_t size = 0; size < sizeof fine - 1; size++) {
        char part[sizeof fine] = {0};
        memcpy(part, fine, size);
        assert_false(client_read(part, size, &status, &body));
    }
    static const char *const bad[] = {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(client_read(bad[i], strlen(bad[i]), &status, &body));
}

static void numbers_for_people(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(table_count(0, out), "0");
    assert_string_equal(table_count(999, out), "999");
    assert_string_equal(table_count(1200, out), "1.2k");
    assert_string_equal(table_count(UINT64_MAX, out), "18E");
    assert_string_equal(table_bytes(1024, out), "1.0K");
    assert_string_equal(table_bytes(5ULL << 30, out), "5.0G");
    assert_string_equal(table_span(59, out), "59s");
    assert_string_equal(table_span(7200, out), "2h");
    assert_string_equal(table_span(INT64_MAX, out), "24855d");
    assert_string_equal(table_time(0, out), "1970-01-01 00:00:00");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duties_follow_groups),
        cmocka_unit_test(replica_keeps_order),
        cmocka_unit_test(totals_survive_restarts),
        cmocka_unit_test(a_certificate_ends_once),
        cmocka_unit_test(other_pages_are_refused),
        cmocka_unit_test(walls_hold_or_do_not),
        cmocka_unit_test(posture_speaks_of_proved_workers),
        cmocka_unit_test(a_single_way_in_is_named),
        cmocka_unit_test(a_tenant_has_the_promised_fields),
        cmocka_unit_test(metrics_show_the_catalogue),
        cmocka_unit_test(events_have_words),
        cmocka_unit_test(routes),
        cmocka_unit_test(bodies),
        cmocka_unit_test(pages_of_the_ledger),
        cmocka_unit_test(answers_are_whole),
        cmocka_unit_test(numbers_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
