#include "../../supervisor/router/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct proxy_header header;
static size_t need;

static enum proxy_result read_text(const char *text) { return proxy_header_read((const uint8_t *)text, strlen(text), &header, &need); }

static const uint8_t four[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};

static void test_v1_forms(void **state) {
    (void)state;
    const char *line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n\x16\x03";
    assert_int_equal(read_text(line), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_SOURCE);
    assert_int_equal(header.size, strlen(line) - 2); /* not a byte of what follows */
    assert_memory_equal(header.address, four, 16);
    assert_int_equal(header.port, 56324);

    assert_int_equal(read_text("PROXY TCP6 2001:db8::9 2001:db8::1 0 65535\r\n"), PROXY_COMPLETE);
    assert_memory_equal(header.address, six, 16);
    assert_int_equal(header.port, 0);

    assert_int_equal(read_text("PROXY UNKNOWN\r\n"), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_UNKNOWN);
    assert_int_equal(header.size, 15);
    assert_int_equal(read_text("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nx"), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_UNKNOWN);
}

static void test_v1_prefixes(void **state) {
    (void)state;
    const char *line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    for (size_t size = 0; size < strlen(line); size++) {
        assert_int_equal(proxy_header_read((const uint8_t *)line, size, &header, &need), PROXY_MORE);
        assert_in_range(need, size + 1, strlen(line));
    }
}

static void test_v1_longest(void **state) {
    (void)state;
    char line[200];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
    assert_int_equal(proxy_header_read((uint8_t *)line, sizeof line, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.size, PROXY_V1_MAX);
    assert_int_equal(proxy_header_read((uint8_t *)line, PROXY_V1_MAX - 1, &header, &need), PROXY_MORE);
    assert_int_equal(need, PROXY_V1_MAX);
    memset(line + PROXY_V1_MAX - 2, 'x', 2);
    memcpy(line + PROXY_V1_MAX - 1, "\r\n", 2);
    assert_int_equal(proxy_header_read((uint8_t *)line, sizeof line, &header, &need), PROXY_REFUSED);
    assert_int_equal(proxy_header_read((uint8_t *)line, PROXY_V1_MAX, &header, &need), PROXY_REFUSED);
}

static void test_v1_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "\x16\x03\x01",
        "PROXYTCP4",
        "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rx\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.256 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 000001 1\r\n",
        "PROXY TCP4 ::1 ::1 1 1\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP6 ::1%lo ::1 1 1\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY \r\nPROXY UNKNOWN\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4  1\r\n",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_text(bad[i]), PROXY_REFUSED);
    static const char with_nul[] = "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n";
    assert_int_equal(proxy_header_read((const uint8_t *)with_nul, sizeof with_nul - 1, &header, &need), PROXY_REFUSED);
}

/* A version 2 header in `bytes`; returns its size. */
static uint8_t bytes[70000];
static size_t make_v2(uint8_t command, uint8_t family, const void *body, size_t size) {
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "\r\n\r\n\0\r\nQUIT\n", 12);
    bytes[12] = command;
    bytes[13] = family;
    bytes[14] = (uint8_t)(size >> 8);
    bytes[15] = (uint8_t)size;
    memcpy(bytes + 16, body, size);
    return 16 + size;
}

static const char inet_body[] = "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
                                "\x01\x00\x02h2\x04\x00\x00\x03\x00\x04\xaa\xbb\xcc\xdd"; /* ALPN, NOOP, CRC32C */
enum { INET_BODY = sizeof inet_body - 1 };

static void test_v2_forms(void **state) {
    (void)state;
    size_t size = make_v2(0x21, 0x11, inet_body, 12);
    assert_int_equal(proxy_header_read(bytes, size + 40, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.size, size);
    assert_int_equal(header.kind, PROXY_SOURCE);
    assert_memory_equal(header.address, four, 16);
    assert_int_equal(header.port, 56324);

    size = make_v2(0x21, 0x11, inet_body, INET_BODY);
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.size, size);
    for (size_t less = 0; less < size; less++) {
        assert_int_equal(proxy_header_read(bytes, less, &header, &need), PROXY_MORE);
        assert_in_range(need, less + 1, size);
    }

    uint8_t body[216] = {0};
    memcpy(body, six, 16);
    body[32] = 1;
    body[33] = 2;
    size = make_v2(0x21, 0x21, body, 36);
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    assert_memory_equal(header.address, six, 16);
    assert_int_equal(header.port, 258);

    size = make_v2(0x21, 0x31, body, 216);
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_UNKNOWN);
    size = make_v2(0x21, 0x00, "what ever", 9);
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_UNKNOWN);
    size = make_v2(0x20, 0x00, "", 0);
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_LOCAL);
    size = make_v2(0x20, 0x11, inet_body, 3); /* its family is to be discarded */
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    assert_int_equal(header.kind, PROXY_LOCAL);
}

static void test_v2_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t command, family;
        size_t size;
    } bad[] = {{0x21, 0x11, 11},
               {0x21, 0x21, 35},
               {0x21, 0x31, 215},
               {0x21, 0x12, 12},
               {0x21, 0x22, 36},
               {0x21, 0x10, 12},
               {0x21, 0x41, 12},
               {0x11, 0x11, 12},
               {0x22, 0x11, 12},
               {0x01, 0x11, 12},
               {0x21, 0x11, INET_BODY - 1},
               {0x21, 0x11, 13}};
    uint8_t body[216] = {0};
    memcpy(body, inet_body, INET_BODY);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t size = make_v2(bad[i].command, bad[i].family, body, bad[i].size);
        assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_REFUSED);
    }
}

static void test_v2_longest(void **state) {
    (void)state;
    uint8_t body[PROXY_HEADER_MAX] = {0};
    memcpy(body, inet_body, 12);
    size_t tlv = PROXY_HEADER_MAX - 16 - 12 - 3;
    body[12] = 4;
    body[13] = (uint8_t)(tlv >> 8);
    body[14] = (uint8_t)tlv;
    size_t size = make_v2(0x21, 0x11, body, PROXY_HEADER_MAX - 16);
    assert_int_equal(size, PROXY_HEADER_MAX);
    assert_int_equal(proxy_header_read(bytes, size, &header, &need), PROXY_COMPLETE);
    make_v2(0x20, 0x00, body, PROXY_HEADER_MAX - 15);
    assert_int_equal(proxy_header_read(bytes, 16, &header, &need), PROXY_REFUSED);
    make_v2(0x20, 0x00, "", 0);
    bytes[14] = bytes[15] = 0xff;
    assert_int_equal(proxy_header_read(bytes, 16, &header, &need), PROXY_REFUSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v1_forms),   cmocka_unit_test(test_v1_prefixes), cmocka_unit_test(test_v1_longest),
        cmocka_unit_test(test_v1_refused), cmocka_unit_test(test_v2_forms),    cmocka_unit_test(test_v2_refused),
        cmocka_unit_test(test_v2_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
