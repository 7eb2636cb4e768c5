#include "../../supervisor/router/redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char out[REDIRECT_MAX], request[REQUEST_HEAD_MAX];

static const char *answer(const char *acme, uint32_t port, const char *target, const char *host) {
    struct http_request_head head;
    size_t used;
    int status;
    const char *why;
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: acme.example\r\n\r\n", target);
    assert_int_equal(http_read_head(request, (size_t)size, &head, &used, &status, &why), HTTP_COMPLETE);
    const struct redirect_rule rule = {acme, port};
    size_t length = redirect_answer(&rule, &head, host, out);
    assert_int_equal(length, strlen(out));
    assert_non_null(strstr(out, "Content-Length: 0\r\nConnection: close\r\n\r\n"));
    return out;
}

static void assert_goes_to(const char *text, int status, const char *location) {
    char first[32], line[REDIRECT_MAX];
    snprintf(first, sizeof first, "HTTP/1.1 %d ", status);
    snprintf(line, sizeof line, "\r\nLocation: %s\r\n", location);
    assert_memory_equal(text, first, strlen(first));
    assert_non_null(strstr(text, line));
}

static void test_to_https(void **state) {
    (void)state;
    assert_goes_to(answer("", 443, "/", "acme.example"), 308, "https://acme.example/");
    assert_goes_to(answer("", 8443, "/a/b%20c?d=e&f", "acme.example"), 308, "https://acme.example:8443/a/b%20c?d=e&f");
    assert_goes_to(answer("", 443, "/?", "acme.example"), 308, "https://acme.example/?");
    assert_goes_to(answer("", 443, "//evil.example/", "acme.example"), 308, "https://acme.example//evil.example/");
    assert_goes_to(answer("", 443, "/.well-known/acme-challenge/abc", "acme.example"), 308,
                   "https://acme.example/.well-known/acme-challenge/abc");
}

static void test_to_acme(void **state) {
    (void)state;
    const char *url = "http://127.0.0.1:8402/.well-known/acme-challenge";
    const char *there = "http://127.0.0.1:8402/.well-known/acme-challenge/aB_-9";
    assert_goes_to(answer(url, 443, "/.well-known/acme-challenge/aB_-9", "acme.example"), 307, there);
    assert_goes_to(answer("http://ca.example/", 443, "/.well-known/acme-challenge/x", "acme.example"), 307, "http://ca.example/x");
    static const char *const bad[] = {"/.well-known/acme-challenge/", "/.well-known/acme-challenge/../../etc",
                                      "/.well-known/acme-challenge/a%2Fb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_memory_equal(answer(url, 443, bad[i], "acme.example"), "HTTP/1.1 404 ", 13);
    assert_goes_to(answer(url, 443, "/.well-known/acme", "acme.example"), 308, "https://acme.example/.well-known/acme");
}

static void test_foreign_host(void **state) {
    (void)state;
    assert_memory_equal(answer("", 443, "/", NULL), "HTTP/1.1 421 ", 13);
    assert_null(strstr(out, "Location"));
    assert_memory_equal(answer("http://ca.example/", 443, "/.well-known/acme-challenge/x", NULL), "HTTP/1.1 421 ", 13);
}

static void test_longest(void **state) {
    (void)state;
    static char target[REQUEST_TARGET_MAX + 1], host[HOST_MAX + 1], url[PATH_BYTES_MAX + 1];
    memset(target, 'a', REQUEST_TARGET_MAX);
    target[0] = '/';
    memset(host, 'h', HOST_MAX);
    answer("", 65535, target, host);
    assert_int_equal(strlen(out), REQUEST_TARGET_MAX + HOST_MAX + strlen("HTTP/1.1 308 ") + strlen(http_reason(308)) +
                                      strlen("\r\nLocation: https://:65535\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    memset(url, 'u', PATH_BYTES_MAX);
    memcpy(target, "/.well-known/acme-challenge/", 28);
    answer(url, 443, target, host);
}

static void test_refusal(void **state) {
    (void)state;
    assert_in_range(redirect_refusal(431, out), 1, REDIRECT_MAX);
    assert_memory_equal(out, "HTTP/1.1 431 ", 13);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_https), cmocka_unit_test(test_to_acme), cmocka_unit_test(test_foreign_host),
        cmocka_unit_test(test_longest),  cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
