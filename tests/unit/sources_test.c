#include "../../policy/limits.h"
#include "../../supervisor/router/hosts.h"
#include "../../supervisor/router/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sources *sources;
static struct source *source;
static const uint8_t key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static int begin(void **state) {
    (void)state;
    return (sources = sources_new(key)) ? 0 : -1;
}
static int finish(void **state) {
    (void)state;
    sources_free(sources);
    return 0;
}

static void four(uint8_t address[16], uint32_t number) {
    memset(address, 0, 16);
    address[10] = address[11] = 0xff;
    for (int i = 0; i < 4; i++)
        address[12 + i] = (uint8_t)(number >> (24 - 8 * i));
}

static enum sources_verdict enter(uint32_t number, uint64_t now) {
    uint8_t address[16];
    four(address, number);
    return sources_enter(sources, address, now, &source);
}

static void test_open(void **state) {
    (void)state;
    sources_limit(sources, 2, 0);
    assert_int_equal(enter(7, 0), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 0), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 0), SOURCES_TOO_MANY);
    assert_int_equal(enter(8, 0), SOURCES_ADMITTED);
    struct source *first = source;
    sources_leave(sources, first);
    assert_int_equal(enter(8, 0), SOURCES_ADMITTED);
    assert_ptr_equal(source, first);
    assert_int_equal(enter(7, 0), SOURCES_TOO_MANY);
}

static void test_rate(void **state) {
    (void)state;
    sources_limit(sources, 0, 5);
    for (int i = 0; i < 5 * SOURCES_BURST_SECONDS; i++)
        assert_int_equal(enter(7, 1000), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 1000), SOURCES_TOO_FAST);
    assert_int_equal(enter(7, 1199), SOURCES_TOO_FAST);
    assert_int_equal(enter(7, 1200), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 1200), SOURCES_TOO_FAST);
    sources_penalise(sources, source, 2200); /* five earned, four taken */
    assert_int_equal(enter(7, 2200), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 2200), SOURCES_TOO_FAST);
    for (int i = 0; i < 5 * SOURCES_BURST_SECONDS; i++)
        assert_int_equal(enter(7, 1u << 30), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 1u << 30), SOURCES_TOO_FAST);
}

/* One IPv6 /64 is one source; a mapped IPv4 address is its own. */
static void test_prefix(void **state) {
    (void)state;
    sources_limit(sources, 1, 0);
    uint8_t six[16] = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(sources_enter(sources, six, 0, &source), SOURCES_ADMITTED);
    six[8] = six[15] = 0xee;
    assert_int_equal(sources_enter(sources, six, 0, &source), SOURCES_TOO_MANY);
    six[7] = 2;
    assert_int_equal(sources_enter(sources, six, 0, &source), SOURCES_ADMITTED);
    assert_int_equal(enter(7, 0), SOURCES_ADMITTED);
    assert_int_equal(enter(8, 0), SOURCES_ADMITTED);
}

/* A million fresh sources do not make the table forget one that was penalised. */
static void test_flood(void **state) {
    (void)state;
    sources_limit(sources, 0, 1);
    for (int i = 0; i < SOURCES_BURST_SECONDS; i++) {
        assert_int_equal(enter(7, 0), SOURCES_ADMITTED);
        sources_leave(sources, source);
    }
    assert_int_equal(enter(7, 0), SOURCES_TOO_FAST);
    for (uint32_t i = 0; i < 1000000; i++) {
        assert_int_equal(enter(0x0a000000 + i, 0), SOURCES_ADMITTED);
        sources_leave(sources, source);
    }
    assert_int_equal(enter(7, 0), SOURCES_TOO_FAST);
}

/* Rows with open connections never give way; as many as the router can have open find room. */
static void test_full(void **state) {
    (void)state;
    sources_limit(sources, 1, 0);
    for (uint32_t i = 0; i < ROUTER_CONNECTIONS_MAX; i++)
        assert_int_equal(enter(i, 0), SOURCES_ADMITTED);
    for (uint32_t i = 0; i < ROUTER_CONNECTIONS_MAX; i++)
        assert_int_equal(enter(i, 0), SOURCES_TOO_MANY);
    uint32_t refused = 0;
    for (uint32_t i = 1u << 24; i < (1u << 24) + 4 * SOURCES_ROWS; i++)
        refused += enter(i, 0) == SOURCES_TOO_MANY;
    assert_in_range(refused, 3 * SOURCES_ROWS, 4 * SOURCES_ROWS - 1);
    for (uint32_t i = 0; i < ROUTER_CONNECTIONS_MAX; i++)
        assert_int_equal(enter(i, 0), SOURCES_TOO_MANY);
}

static void test_hosts(void **state) {
    (void)state;
    struct hosts *hosts = hosts_new();
    assert_int_equal(hosts_find(hosts, "acme.example"), 0);
    assert_true(hosts_set(hosts, "acme.example", 1));
    assert_true(hosts_set(hosts, "bois.example", 2));
    assert_int_equal(hosts_find(hosts, "acme.example"), 1);
    assert_int_equal(hosts_find(hosts, "www.acme.example"), 0);
    assert_int_equal(hosts_find(hosts, "acme.exampl"), 0);
    assert_int_equal(hosts_find(hosts, "acme.example."), 0);
    hosts_unset(hosts, "acme.example", 2);
    assert_int_equal(hosts_find(hosts, "acme.example"), 1);
    assert_true(hosts_set(hosts, "acme.example", 2));
    hosts_unset(hosts, "acme.example", 1);
    assert_int_equal(hosts_find(hosts, "acme.example"), 2);
    hosts_unset(hosts, "acme.example", 2);
    hosts_unset(hosts, "acme.example", 2);
    assert_int_equal(hosts_find(hosts, "acme.example"), 0);
    assert_int_equal(hosts_find(hosts, "bois.example"), 2);
    hosts_free(hosts);
}

static void test_hosts_bound(void **state) {
    (void)state;
    struct hosts *hosts = hosts_new();
    char host[64];
    for (uint32_t i = 1; i <= TENANTS_MAX * TENANT_HOSTS_MAX; i++) {
        snprintf(host, sizeof host, "h%u.example", i);
        assert_true(hosts_set(hosts, host, i));
    }
    assert_false(hosts_set(hosts, "one.more", 1));
    assert_int_equal(hosts_find(hosts, "h777.example"), 777);
    hosts_unset(hosts, "h777.example", 777);
    assert_true(hosts_set(hosts, "one.more", 1));
    hosts_free(hosts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, begin, finish),
        cmocka_unit_test_setup_teardown(test_rate, begin, finish),
        cmocka_unit_test_setup_teardown(test_prefix, begin, finish),
        cmocka_unit_test_setup_teardown(test_flood, begin, finish),
        cmocka_unit_test_setup_teardown(test_full, begin, finish),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_hosts_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
