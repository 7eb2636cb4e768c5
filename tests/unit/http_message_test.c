/* The strict request reader: what is read, and that every form two readers could take differently is refused. */
#include "../../policy/http_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINE "GET /a HTTP/1.1\r\n"
#define HOST "Host: acme.example\r\n"
#define POST "POST /a HTTP/1.1\r\n" HOST

static struct http_request_head head;
static size_t used;

/* The status it is refused with; 200 when it is read, 100 when more is wanted. Every shorter piece must say "more" or refuse as well. */
static int verdict(const char *bytes, size_t size) {
    int status = 0;
    const char *why = NULL;
    enum http_result result = HTTP_MORE;
    bool refused = false;
    for (size_t n = 0; n <= size; n++) {
        char *copy = malloc(n ? n : 1); /* its own memory, so that reading over the end is seen */
        memcpy(copy, bytes, n);
        result = http_read_head(copy, n, &head, &used, &status, &why);
        free(copy);
        if (refused) assert_int_equal(result, HTTP_REFUSED);
        refused |= result == HTTP_REFUSED;
        if (result == HTTP_COMPLETE) assert_true(used <= n);
    }
    if (result == HTTP_REFUSED) {
        assert_non_null(why);
        return status;
    }
    result = http_read_head(bytes, size, &head, &used, &status, &why);
    return result == HTTP_COMPLETE ? 200 : 100;
}
static int verdict_text(const char *text) { return verdict(text, strlen(text)); }

static void reads_a_head(void **state) {
    (void)state;
    static const char text[] = "\r\nPATCH /a/b%20c?x=1&y HTTP/1.1\r\nHost: Acme.Example:8443\r\nX-Empty:\r\nX-Space: \t a b \t\r\n"
                               "content-LENGTH: 12\r\nConnection: keep-alive , CLOSE\r\nExpect: 100-Continue\r\n\r\nbody";
    assert_int_equal(verdict_text(text), 200);
    assert_int_equal(used, sizeof text - 1 - 4);
    assert_int_equal(head.method, HTTP_PATCH);
    assert_true(slice_equals(head.path, "/a/b%20c"));
    assert_true(slice_equals(head.query, "x=1&y"));
    assert_true(head.has_query);
    assert_true(slice_equals(head.host, "Acme.Example"));
    assert_int_equal(head.port, 8443);
    assert_int_equal(head.header_count, 6);
    assert_true(head.has_length && head.content_length == 12 && !head.chunked);
    assert_true(head.expect_continue && !head.keep_alive);
    assert_true(slice_equals(*http_header_find(&head, "x-space"), "a b"));
    assert_true(slice_equals(*http_header_find(&head, "X-EMPTY"), ""));
    assert_null(http_header_find(&head, "X-Spac"));
}

static void reads_methods(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum http_method method;
    } rows[] = {{"GET", HTTP_GET},       {"HEAD", HTTP_HEAD},       {"POST", HTTP_POST},   {"PUT", HTTP_PUT},  {"PATCH", HTTP_PATCH},
                {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}, {"TRACE", HTTP_OTHER}, {"get", HTTP_OTHER}};
    char text[128];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "%s / HTTP/1.1\r\n" HOST "\r\n", rows[i].name);
        assert_int_equal(verdict_text(text), 200);
        assert_int_equal(head.method, rows[i].method);
        assert_true(slice_equals(head.method_name, rows[i].name));
    }
}

static void reads_targets(void **state) {
    (void)state;
    assert_int_equal(verdict_text("GET http://ACME.example/x?y HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_true(slice_equals(head.path, "/x") && slice_equals(head.query, "y"));
    assert_int_equal(verdict_text("GET https://acme.example HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_true(slice_equals(head.path, "/") && !head.has_query);
    assert_int_equal(verdict_text("GET https://acme.example?q HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_true(slice_equals(head.path, "/") && slice_equals(head.query, "q"));
    assert_int_equal(verdict_text("GET /? HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_true(head.has_query && head.query.size == 0);
    assert_int_equal(verdict_text(LINE "Host: [::1]:80\r\n\r\n"), 200);
    assert_true(slice_equals(head.host, "[::1]") && head.port == 80);
}

/* Every family that readers have been seen to differ about. */
static void refuses(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        /* two lengths, or a length and a coding */
        {400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
        {400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
        {400, POST "Content-Length: 5, 5\r\n\r\n"},
        {400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"},
        /* lengths that are not numbers to everybody */
        {400, POST "Content-Length: +5\r\n\r\n"},
        {400, POST "Content-Length: -5\r\n\r\n"},
        {400, POST "Content-Length: 0x5\r\n\r\n"},
        {400, POST "Content-Length: 5 5\r\n\r\n"},
        {400, POST "Content-Length: 5.0\r\n\r\n"},
        {400, POST "Content-Length: 05\r\n\r\n"},
        {400, POST "Content-Length: \r\n\r\n"},
        {400, POST "Content-Length: five\r\n\r\n"},
        {400, POST "Content-Length: \"5\"\r\n\r\n"},
        {413, POST "Content-Length: 9999999999999999999\r\n\r\n"},
        {413, POST "Content-Length: 18446744073709551621\r\n\r\n"},
        /* codings */
        {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: chunked, chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: chunked;q=1\r\n\r\n"},
        {501, POST "Transfer-Encoding: xchunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: identity\r\n\r\n"},
        {501, POST "Transfer-Encoding: \r\n\r\n"},
        {501, POST "Transfer-Encoding: \"chunked\"\r\n\r\n"},
        {400, POST "Transfer-Encoding: \x0b"
                   "chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding : chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding\t: chunked\r\n\r\n"},
        {400, POST " Transfer-Encoding: chunked\r\n\r\n"},
        {400, POST "\x0bTransfer-Encoding: chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding\r\n : chunked\r\n\r\n"},
        {400, POST "X: y\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, POST "X: y\rTransfer-Encoding: chunked\r\n\r\n"},
        /* line ends, folding, controls */
        {400, "GET /a HTTP/1.1\n" HOST "\r\n"},
        {400, "GET /a HTTP/1.1\r\nHost: acme.example\n\r\n"},
        {400, LINE HOST "\n"},
        {400, LINE HOST "X: a\r\n b\r\n\r\n"},
        {400, LINE HOST "X: a\r\n\tb\r\n\r\n"},
        {400, LINE " X: a\r\n" HOST "\r\n"},
        {400, LINE HOST "X: a\x01\r\n\r\n"},
        {400, LINE HOST "X: a\x7f\r\n\r\n"},
        {400, LINE HOST "X\r\n\r\n"},
        {400, LINE HOST ": y\r\n\r\n"},
        {400, LINE HOST "X Y: z\r\n\r\n"},
        {400, LINE HOST "X(: z\r\n\r\n"},
        {400, LINE HOST "X\xc3\xa9: z\r\n\r\n"},
        {400, "\n" LINE HOST "\r\n"},
        {400, "\r\n\r\n" LINE HOST "\r\n"},
        /* the host */
        {400, LINE "\r\n"},
        {400, LINE HOST HOST "\r\n"},
        {400, LINE HOST "host: bois.example\r\n\r\n"},
        {400, LINE "Host:\r\n\r\n"},
        {400, LINE "Host: acme.example, bois.example\r\n\r\n"},
        {400, LINE "Host: acme.example bois.example\r\n\r\n"},
        {400, LINE "Host: user@acme.example\r\n\r\n"},
        {400, LINE "Host: acme.example/x\r\n\r\n"},
        {400, LINE "Host: acme.example:\r\n\r\n"},
        {400, LINE "Host: acme.example:0\r\n\r\n"},
        {400, LINE "Host: acme.example:65536\r\n\r\n"},
        {400, LINE "Host: acme.example:80:80\r\n\r\n"},
        {400, LINE "Host: acme.example:+80\r\n\r\n"},
        {400, LINE "Host: [::1\r\n\r\n"},
        {400, LINE "Host: []\r\n\r\n"},
        {400, LINE "Host: http://acme.example\r\n\r\n"},
        /* the target */
        {400, "GET http://bois.example/ HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET http://acme.example:81/ HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET http://u@acme.example/ HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET http:///a HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET ftp://acme.example/ HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET //acme.example\\a HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET acme.example HTTP/1.1\r\n" HOST "\r\n"},
        {400, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
        {501, "CONNECT acme.example:443 HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a\"b HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a<b> HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /%4 HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /%zz HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /?a=% HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /?a=[1] HTTP/1.1\r\n" HOST "\r\n"},
        /* the request line */
        {400, "GET /a\r\n" HOST "\r\n"},
        {400, "GET  /a HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a  HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a HTTP/1.1 \r\n" HOST "\r\n"},
        {400, "GET\t/a HTTP/1.1\r\n" HOST "\r\n"},
        {400, " GET /a HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /a http/1.1\r\n" HOST "\r\n"},
        {400, "GET /a HTTP/1.1x\r\n" HOST "\r\n"},
        {400, "GET /a HTTP/11\r\n" HOST "\r\n"},
        {505, "GET /a HTTP/1.0\r\n" HOST "\r\n"},
        {505, "GET /a HTTP/2.0\r\n" HOST "\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\n"},
        {400, "G(T /a HTTP/1.1\r\n" HOST "\r\n"},
        {400, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH /a HTTP/1.1\r\n" HOST "\r\n"},
        /* what must be single */
        {400, LINE HOST "Cookie: a\r\nCookie: b\r\n\r\n"},
        {400, LINE HOST "Authorization: a\r\nAUTHORIZATION: b\r\n\r\n"},
        {400, POST "Content-Type: a\r\nContent-Type: b\r\n\r\n"},
        {400, LINE HOST "Origin: a\r\nOrigin: b\r\n\r\n"},
        {400, POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"},
        {417, POST "Expect: 200-ok\r\n\r\n"},
        {400, LINE HOST "Connection: clo se\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int got = verdict_text(rows[i].text);
        if (got != rows[i].status) print_error("row %zu: %d\n", i, got);
        assert_int_equal(got, rows[i].status);
    }
    static const char nul[] = LINE HOST "X: a\0b\r\n\r\n", nul_target[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    assert_int_equal(verdict(nul, sizeof nul - 1), 400);
    assert_int_equal(verdict(nul_target, sizeof nul_target - 1), 400);
}

static void wants_more(void **state) {
    (void)state;
    assert_int_equal(verdict_text(""), 100);
    assert_int_equal(verdict_text("\r"), 100);
    assert_int_equal(verdict_text("\r\n"), 100);
    assert_int_equal(verdict_text(LINE HOST), 100);
    assert_int_equal(verdict_text(LINE HOST "\r"), 100);
}

/* How a head of `size` bytes, its last header field as long as that takes, is read. */
static int sized(size_t size) {
    static const char begin[] = LINE HOST "X: ", end[] = "\r\n\r\n";
    char *text = malloc(size);
    memset(text, 'x', size);
    memcpy(text, begin, sizeof begin - 1);
    memcpy(text + size - 4, end, 4);
    int status = 200;
    const char *why;
    enum http_result result = http_read_head(text, size, &head, &used, &status, &why);
    free(text);
    return result == HTTP_MORE ? 100 : status;
}

static void holds_limits(void **state) {
    (void)state;
    assert_int_equal(sized(REQUEST_HEAD_MAX), 200);
    assert_int_equal(sized(REQUEST_HEAD_MAX + 1), 431);
    assert_int_equal(sized(100 * REQUEST_HEAD_MAX), 431);
    static char text[REQUEST_HEAD_MAX * 2];
    for (int over = 0; over < 2; over++) { /* the target */
        size_t size = REQUEST_TARGET_MAX + (size_t)over;
        char *p = text + sprintf(text, "GET /");
        memset(p, 'a', size - 1);
        strcpy(p + size - 1, " HTTP/1.1\r\n" HOST "\r\n");
        int status = 200;
        const char *why;
        http_read_head(text, strlen(text), &head, &used, &status, &why);
        assert_int_equal(status, over ? 414 : 200);
    }
    for (int over = 0; over < 2; over++) { /* the number of fields */
        char *p = text + sprintf(text, LINE HOST);
        for (int i = 1; i < REQUEST_HEADERS_MAX + over; i++)
            p += sprintf(p, "X%d: y\r\n", i);
        strcpy(p, "\r\n");
        int status = 200;
        const char *why;
        http_read_head(text, strlen(text), &head, &used, &status, &why);
        assert_int_equal(status, over ? 431 : 200);
    }
    memset(text, 'a', sizeof text); /* a request line without end is refused before the head's limit */
    int status = 0;
    const char *why;
    assert_int_equal(http_read_head(text, REQUEST_TARGET_MAX + 100, &head, &used, &status, &why), HTTP_REFUSED);
    assert_int_equal(status, 414);
}

/* Reads a chunked body in pieces of `step` bytes into out. The status it is refused with, 200 at its end, 100 when more is wanted. */
static int unchunk(const char *bytes, size_t size, size_t step, char *out, size_t *out_size, size_t *consumed) {
    struct http_chunks state = {0};
    size_t at = 0;
    *out_size = 0;
    while (at < size) {
        size_t n = size - at < step ? size - at : step, took = 0;
        struct slice piece;
        int status = 0;
        const char *why;
        enum http_result result = http_read_chunk(&state, bytes + at, n, &took, &piece, &status, &why);
        if (result == HTTP_REFUSED) return status;
        assert_true(took > 0 || result == HTTP_COMPLETE);
        memcpy(out + *out_size, piece.data, piece.size);
        *out_size += piece.size;
        at += took;
        if (result == HTTP_COMPLETE) {
            *consumed = at;
            return 200;
        }
    }
    *consumed = at;
    return 100;
}

static void reads_chunks(void **state) {
    (void)state;
    static const char text[] =
        "5\r\nhello\r\n000001;name=\"a b\"\r\n \r\n5;x\r\nworld\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\nOther:\r\n\r\nGET";
    char out[256];
    size_t size, consumed;
    for (size_t step = 1; step < sizeof text; step++) {
        assert_int_equal(unchunk(text, sizeof text - 1, step, out, &size, &consumed), 200);
        assert_int_equal(consumed, sizeof text - 1 - 3);
        assert_int_equal(size, 21);
        assert_memory_equal(out, "hello world0123456789", 21);
    }
}

static void refuses_chunks(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {400, "0x5\r\nhello\r\n"},
        {400, "+5\r\nhello\r\n"},
        {400, "-5\r\nhello\r\n"},
        {400, " 5\r\nhello\r\n"},
        {400, "5 \r\nhello\r\n"},
        {400, "5 ;x\r\nhello\r\n"},
        {400, "\r\nhello\r\n"},
        {400, ";x\r\n"},
        {400, "5\nhello\r\n"},
        {400, "5\r\rhello\r\n"},
        {400, "5\r\nhelloo\r\n"},
        {400, "5\r\nhello\n"},
        {400, "5\r\nhello\rX"},
        {400, "000000005\r\nhello"},
        {400, "5;a\nb\r\nhello"},
        {400, "5;a\rb\r\nhello"},
        {400, "5;a\x01\r\nhello"},
        {400, "g\r\n"},
        {400, "0\r\nBad : x\r\n\r\n"},
        {400, "0\r\n folded\r\n\r\n"},
        {400, "0\r\nA: b\n\r\n"},
        {400, "0\r\nA: b\x01\r\n"},
        {400, "0\r\n\n"},
        {400, "0\r\n: b\r\n"},
        {400, "5_0\r\nhello"},
        {400, "5,5\r\nhello\r\n"},
        {400, "0\n\n"},
        {400, "5.0\r\nhello"},
    };
    char out[256];
    size_t size, consumed;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < 8; step++) {
            int got = unchunk(rows[i].text, strlen(rows[i].text), step, out, &size, &consumed);
            if (got != rows[i].status) print_error("row %zu: %d\n", i, got);
            assert_int_equal(got, rows[i].status);
        }
    }
    char longest[1024];
    memset(longest, 'e', sizeof longest);
    memcpy(longest, "5;", 2);
    assert_int_equal(unchunk(longest, sizeof longest, 100, out, &size, &consumed), 400);
    static char trailers[REQUEST_HEAD_MAX + 64];
    memset(trailers, 't', sizeof trailers);
    memcpy(trailers, "0\r\nT:", 5);
    assert_int_equal(unchunk(trailers, sizeof trailers, 1000, out, &size, &consumed), 431);
}

static struct slice of(const char *text) { return (struct slice){text, strlen(text)}; }

static void decodes(void **state) {
    (void)state;
    char out[16];
    assert_true(http_percent_decode(of("a%20b+c%C3%a9"), false, out, sizeof out));
    assert_string_equal(out, "a b+c\xc3\xa9");
    assert_true(http_percent_decode(of("a+b%2B"), true, out, sizeof out));
    assert_string_equal(out, "a b+");
    assert_false(http_percent_decode(of("%00"), false, out, sizeof out));
    assert_false(http_percent_decode(of("%"), false, out, sizeof out));
    assert_false(http_percent_decode(of("%2"), false, out, sizeof out));
    assert_false(http_percent_decode(of("%g0"), false, out, sizeof out));
    assert_false(http_percent_decode(of("%C3"), false, out, sizeof out));
    assert_false(http_percent_decode(of("%C0%80"), false, out, sizeof out));
    assert_true(http_percent_decode(of("123456789012345"), false, out, sizeof out));
    assert_false(http_percent_decode(of("1234567890123456"), false, out, sizeof out));
    assert_false(http_percent_decode(of(""), false, out, 0));
}

static void reads_queries(void **state) {
    (void)state;
    char out[16];
    assert_int_equal(http_query_value(of("a=1&b=x+y&c"), "b", out, sizeof out), 1);
    assert_string_equal(out, "x y");
    assert_int_equal(http_query_value(of("a=1&b=x+y&c"), "c", out, sizeof out), 1);
    assert_string_equal(out, "");
    assert_int_equal(http_query_value(of("%61=1"), "a", out, sizeof out), 1);
    assert_int_equal(http_query_value(of("a=1"), "b", out, sizeof out), 0);
    assert_int_equal(http_query_value(of(""), "b", out, sizeof out), 0);
    assert_int_equal(http_query_value(of("a=1&a=1"), "a", out, sizeof out), -1);
    assert_int_equal(http_query_value(of("a=%"), "a", out, sizeof out), -1);
    assert_int_equal(http_query_value(of("%=1"), "a", out, sizeof out), -1);
    assert_int_equal(http_query_value(of("a=12345678901234567890"), "a", out, sizeof out), -1);
    struct slice rest = of("&&a=b=c&&d&"), name, value;
    assert_true(http_query_next(&rest, &name, &value));
    assert_true(slice_equals(name, "a") && slice_equals(value, "b=c"));
    assert_true(http_query_next(&rest, &name, &value));
    assert_true(slice_equals(name, "d") && slice_equals(value, ""));
    assert_false(http_query_next(&rest, &name, &value));
}

static void knows_reasons(void **state) {
    (void)state;
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(507), "Insufficient Storage");
    assert_string_equal(http_reason(999), "Unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_head), cmocka_unit_test(reads_methods), cmocka_unit_test(reads_targets), cmocka_unit_test(refuses),
        cmocka_unit_test(wants_more),   cmocka_unit_test(holds_limits),  cmocka_unit_test(reads_chunks),  cmocka_unit_test(refuses_chunks),
        cmocka_unit_test(decodes),      cmocka_unit_test(reads_queries), cmocka_unit_test(knows_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
