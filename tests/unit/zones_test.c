/* The flat table of countries: looked up as by hand, refused when it is not whole, harmless whatever is in it. */
#include "../../policy/zones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <endian.h>
#include <string.h>

enum { RANGES = 300 };

struct made {
    uint8_t *bytes;
    size_t size;
    uint64_t start6[RANGES];
    uint32_t start4[RANGES];
    uint16_t code6[RANGES], code4[RANGES];
};

static uint16_t some_code(int i) {
    static const uint16_t codes[] = {0, ZONE_CODE('F', 'R'), ZONE_CODE('B', 'E'), ZONE_CODE('X', 'K'), ZONE_CODE('D', 'O')};
    return codes[i % 5];
}

/* By hand, from the header's description. */
static void make(struct made *m) {
    struct zones_head head = {.v6 = htole32(RANGES), .v4 = htole32(RANGES)};
    memcpy(head.magic, ZONES_MAGIC, sizeof head.magic);
    m->size = sizeof head + (8 + 4 + 2 + 2) * (size_t)RANGES;
    m->bytes = malloc(m->size);
    srandom(1);
    for (int i = 0; i < RANGES; i++) {
        m->start6[i] = i ? m->start6[i - 1] + 1 + ((uint64_t)random() << 20) : 0;
        m->start4[i] = i ? m->start4[i - 1] + 1 + (uint32_t)random() % 10000000 : 0;
        m->code6[i] = some_code(i);
        m->code4[i] = some_code(i + 2);
    }
    uint8_t *at = mempcpy(m->bytes, &head, sizeof head);
    at = mempcpy(at, m->start6, sizeof m->start6); /* the machine that runs the tests is little-endian, too */
    at = mempcpy(at, m->start4, sizeof m->start4);
    at = mempcpy(at, m->code6, sizeof m->code6);
    mempcpy(at, m->code4, sizeof m->code4);
}

static void v4(uint8_t address[16], uint32_t a) {
    memset(address, 0, 16);
    memset(address + 10, 0xff, 2);
    a = htobe32(a);
    memcpy(address + 12, &a, 4);
}

static void v6(uint8_t address[16], uint64_t upper) {
    memset(address, 0xab, 16);
    upper = htobe64(upper);
    memcpy(address, &upper, 8);
}

/* S6: an address gives the country of its range and nothing more */
static void each_address_is_in_one_range(void **state) {
    (void)state; /* S6 */
    struct made m;
    uint8_t address[16];
    make(&m);
    assert_null(zones_check(m.bytes, m.size));
    assert_int_equal(m.size, zones_size(RANGES, RANGES));
    for (int i = 0; i < RANGES; i++) {
        v4(address, m.start4[i]);
        assert_int_equal(zones_find(m.bytes, m.size, address), m.code4[i]);
        v4(address, (i + 1 < RANGES ? m.start4[i + 1] : 0) - 1); /* the last one of the range */
        assert_int_equal(zones_find(m.bytes, m.size, address), m.code4[i]);
        v6(address, m.start6[i]);
        assert_int_equal(zones_find(m.bytes, m.size, address), m.code6[i]);
        v6(address, (i + 1 < RANGES ? m.start6[i + 1] : 0) - 1);
        assert_int_equal(zones_find(m.bytes, m.size, address), m.code6[i]);
    }
    free(m.bytes);
}

static void refused(const struct made *m, size_t at, uint8_t with) {
    uint8_t was = m->bytes[at];
    m->bytes[at] = with;
    assert_non_null(zones_check(m->bytes, m->size));
    m->bytes[at] = was;
    assert_null(zones_check(m->bytes, m->size));
}

static void a_damaged_table_is_refused(void **state) {
    (void)state;
    struct made m;
    uint8_t address[16];
    make(&m);
    size_t start6 = sizeof(struct zones_head), start4 = start6 + 8 * RANGES, code6 = start4 + 4 * RANGES;
    refused(&m, 0, 'X');
    refused(&m, 8, (RANGES & 0xff) ^ 1);
    refused(&m, start6, 1);         /* does not start at 0 */
    refused(&m, start4 + 3, 1);     /* the same */
    refused(&m, start4 + 11, 0xff); /* out of order */
    refused(&m, start6 + 15, 0xff); /* the same */
    refused(&m, code6, 'q');        /* no country */
    refused(&m, m.size - 1, 'q');   /* the same */
    v4(address, 5);
    for (size_t less = 0; less < m.size; less += 1 + less / 7) {
        uint8_t *cut = malloc(less);
        if (less) memcpy(cut, m.bytes, less);
        assert_non_null(zones_check(cut, less));
        assert_int_equal(zones_find(cut, less, address), 0);
        free(cut);
    }
    free(m.bytes);
}

static void a_country_has_one_number(void **state) {
    (void)state;
    assert_int_equal(zones_counter(ZONE_CODE('F', 'R')), COUNTER_zone_FR);
    assert_int_equal(zones_counter(ZONE_CODE('Z', 'W')), COUNTER_zone_ZW);
    assert_int_equal(zones_counter(0), COUNTER_zone_unknown);
    assert_int_equal(zones_counter(ZONE_CODE('f', 'r')), COUNTER_zone_unknown);
    assert_int_equal(zones_counter(ZONE_CODE('u', 'n')), COUNTER_zone_unknown); /* of "unknown" */
    assert_int_equal(zones_counter(ZONE_CODE('Z', 'Z')), COUNTER_zone_unknown);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_is_in_one_range),
        cmocka_unit_test(a_damaged_table_is_refused),
        cmocka_unit_test(a_country_has_one_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
