/* The messages to the support as they are kept: bounded, durable, whole or not there, overwritten when their term is over (S7). */
#include "../../supervisor/steward/traces.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SLOT = 65536 };
static int file;
static struct traces *traces;
static uint8_t buffer[SUPPORT_SEALED_MAX];

static void reopen(void) {
    traces_close(traces);
    traces = traces_open(dup(file));
    assert_non_null(traces);
}

static int begin(void **state) {
    (void)state;
    file = memfd_create("traces", 0);
    traces = traces_open(dup(file));
    return traces ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    traces_close(traces);
    traces = NULL;
    close(file);
    return 0;
}

static const struct trace *add(uint32_t tenant, uint64_t reference, const char *sealed) {
    return traces_add(traces, tenant, reference, (const uint8_t *)sealed, strlen(sealed), 1000, 5000);
}

static bool holds(const struct trace *t, enum trace_part part, const char *text) {
    size_t size = traces_read(traces, t, part, buffer);
    return size == strlen(text) && memcmp(buffer, text, size) == 0;
}

static void what_is_kept_is_there_again(void **state) {
    (void)state;
    const struct trace *a = add(7, 11, "one"), *b = add(8, 11, "two");
    assert_true(a && b && a->number == 1 && b->number == 2);
    assert_int_equal(add(7, 11, "another")->number, 1); /* the same message, sent again */
    assert_true(traces_answer(traces, 2, (const uint8_t *)"answer", 6, 2000));
    assert_true(traces_close_one(traces, 1));
    reopen();
    a = traces_find(traces, 1);
    b = traces_find(traces, 2);
    assert_true(holds(a, TRACE_MESSAGE, "one") && holds(b, TRACE_MESSAGE, "two") && holds(b, TRACE_ANSWER, "answer"));
    assert_int_equal(traces_read(traces, a, TRACE_ANSWER, buffer), 0);
    assert_true(a->state == SUPPORT_CLOSED && a->tenant == 7 && a->reference == 11 && a->received_ms == 1000 && a->until_ms == 5000);
    assert_true(b->state == SUPPORT_ANSWERED && b->answered_ms == 2000);
    assert_int_equal(add(9, 1, "x")->number, 3); /* numbers go on */
    assert_false(traces_answer(traces, 99, buffer, 1, 0));
    assert_int_equal(errno, ENOENT);
    assert_false(traces_close_one(traces, 0));
}

static void one_tenant_has_its_share_alone(void **state) {
    (void)state;
    uint32_t tenants = 0;
    for (uint64_t i = 0; i < SUPPORT_PER_TENANT; i++)
        assert_non_null(add(1, i, "x"));
    assert_null(add(1, 99, "x"));
    assert_int_equal(errno, EDQUOT);
    assert_non_null(add(1, 3, "x")); /* one that is there is no new one */
    for (uint32_t t = 2; add(t, 0, "x"); t++)
        tenants++;
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(tenants, SUPPORT_TRACES_MAX - SUPPORT_PER_TENANT);
    assert_true(lseek(file, 0, SEEK_END) <= (off_t)SUPPORT_TRACES_MAX * SLOT);
}

static bool file_has(const char *text) {
    static char all[SLOT];
    for (off_t at = 0; pread(file, all, sizeof all, at) > 0; at += SLOT)
        if (memmem(all, sizeof all, text, strlen(text))) return true;
    return false;
}

/* S7: after its term nothing of a message is left in the file */
static void after_its_term_nothing_is_left(void **state) {
    (void)state;
    struct trace removed;
    add(1, 1, "kanari-sealed");
    traces_answer(traces, 1, (const uint8_t *)"kanari-answer", 13, 1500);
    traces_add(traces, 1, 2, (const uint8_t *)"later", 5, 1000, 9000);
    assert_true(file_has("kanari-sealed") && file_has("kanari-answer"));
    assert_false(traces_expire(traces, 4999, &removed));
    assert_true(traces_expire(traces, 5000, &removed));
    assert_true(removed.number == 1 && removed.reference == 1 && removed.tenant == 1);
    assert_false(traces_expire(traces, 5000, &removed));
    assert_false(file_has("kanari"));
    reopen();
    assert_null(traces_find(traces, 1));
    assert_non_null(traces_find(traces, 2));
    assert_int_equal(add(1, 3, "x")->number, 3); /* not 1 again */
}

static void a_write_that_fails_changes_nothing(void **state) {
    (void)state;
    /* On a real file: a limit of its size stands for a full disk. */
    char path[] = "/tmp/traces-test-XXXXXX";
    close(file);
    file = mkstemp(path);
    unlink(path);
    reopen();
    add(1, 1, "one");
    struct rlimit was, small = {SLOT, 0};
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_null(add(1, 2, "two")); /* the next slot begins behind the limit */
    assert_null(traces_find(traces, 2));
    setrlimit(RLIMIT_FSIZE, &was);
    reopen();
    assert_null(traces_find(traces, 2));
    assert_true(holds(traces_find(traces, 1), TRACE_MESSAGE, "one"));
    assert_int_equal(add(1, 2, "two")->number, 2);
}

/* Whatever is in the file: what is taken for a trace is within bounds. */
static void garbage_is_no_trace(void **state) {
    (void)state;
    srandom(1);
    uint8_t head[96];
    add(1, 1, "one");
    assert_int_equal(pread(file, head, sizeof head, 0), sizeof head);
    for (int round = 0; round < 2000; round++) {
        assert_int_equal(pwrite(file, head, sizeof head, 0), sizeof head);
        uint8_t byte = (uint8_t)random();
        assert_int_equal(pwrite(file, &byte, 1, random() % (off_t)sizeof head), 1);
        reopen();
        for (size_t i = 0; i < SUPPORT_TRACES_MAX; i++) {
            const struct trace *t = traces_at(traces, i);
            if (!t) continue;
            assert_true(t->message_bytes <= SUPPORT_SEALED_MAX && t->answer_bytes <= SUPPORT_SEALED_MAX && t->state <= SUPPORT_CLOSED);
            traces_read(traces, t, TRACE_ANSWER, buffer);
        }
    }
}

int main(void) {
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_there_again, begin, end),
        cmocka_unit_test_setup_teardown(one_tenant_has_its_share_alone, begin, end),
        cmocka_unit_test_setup_teardown(after_its_term_nothing_is_left, begin, end),
        cmocka_unit_test_setup_teardown(a_write_that_fails_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(garbage_is_no_trace, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
