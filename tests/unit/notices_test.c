/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../supervisor/courier/mail.h"
#include "../../supervisor/notices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY NOTICE_DAY_MS
static char root[] = "/tmp/cloison-notices-XXXXXX", error[NOTICES_ERROR_MAX];
static struct notices *notices;

static void delivery_is_an_acknowledgement_or_a_week_after_the_letter(void **state) {
    (void)state;
    static const struct {
        struct notice_trace trace;
        uint64_t now, delivered;
    } rows[] = {
        {{0, 0}, 100 * DAY, 0},
        {{5 * DAY, 0}, 6 * DAY, 5 * DAY},
        {{0, 5 * DAY}, 12 * DAY - 1, 0}, /* it may still come back */
        {{0, 5 * DAY}, 12 * DAY, 12 * DAY},
        {{6 * DAY, 5 * DAY}, 20 * DAY, 6 * DAY},
        {{15 * DAY, 5 * DAY}, 20 * DAY, 12 * DAY},
        {{0, 50 * DAY}, 5 * DAY, 0}, /* the clock was set back */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(notice_delivered(&rows[i].trace, rows[i].now), rows[i].delivered);
}

/* S13, C11: no date makes a change effective before delivery and period */
static void nothing_is_in_force_before_its_delivery_and_the_period(void **state) {
    (void)state;
    assert_int_equal(notice_in_force(40 * DAY, 0, 30), 0);
    assert_int_equal(notice_in_force(40 * DAY, 5 * DAY, 30), 40 * DAY);
    assert_int_equal(notice_in_force(40 * DAY, 15 * DAY, 30), 45 * DAY);
    assert_int_equal(notice_in_force(40 * DAY, 15 * DAY, 0), 40 * DAY);
}

static void a_text_is_one_that_can_be_shown_anywhere(void **state) {
    (void)state;
    static const char *const good[] = {"a", "é « » \t\n", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"", "\r\n", "a\x01", "\x7f", "\xc2\x85", "\xff", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(notice_text_is_fine(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(notice_text_is_fine(bad[i], strlen(bad[i])));
    assert_false(notice_text_is_fine("a\0b", 3));
}

static int text_fd(const char *text) {
    int fd = memfd_create("text", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static const struct notice *publish(const struct notice *wanted, const char *text) {
    int fd = text_fd(text);
    const struct notice *made = notices_publish(notices, wanted, fd);
    int why = errno;
    close(fd);
    errno = why;
    return made;
}

static int make(void **state) {
    (void)state;
    strcpy(root + sizeof root - 7, "XXXXXX");
    notices = mkdtemp(root) ? notices_open(root, error) : NULL;
    return notices ? 0 : -1;
}

static int unmake(void **state) {
    (void)state;
    char command[64];
    notices_close(notices);
    notices = NULL;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void what_is_kept_is_there_after_a_start(void **state) {
    (void)state;
    const struct notice terms = {.kind = NOTICE_terms, .published_ms = 10, .effective_ms = 20, .uid = 7};
    const struct notice transfer = {
        .kind = NOTICE_transfer, .published_ms = 11, .effective_ms = 21, .tenant = 3, .uid = 8, .entity = "Autre, SA"};
    assert_int_equal(publish(&terms, "un")->number, 1);
    assert_int_equal(publish(&transfer, "deux")->number, 2);
    assert_int_equal(notices_acknowledged(notices, 1, 3, 30, 7), 0);
    assert_int_equal(notices_acknowledged(notices, 1, 3, 31, 7), 0); /* the first time counts */
    assert_int_equal(notices_mailed(notices, 1, 4, 32, 7), 0);
    notices_close(notices);
    notices = notices_open(root, error);
    if (!notices) fail_msg("%s", error);
    assert_int_equal(notices_count(notices), 2);
    const struct notice *n = notices_find(notices, 2);
    char text[8] = "";
    assert_int_equal(n->kind, NOTICE_transfer);
    assert_int_equal(n->tenant, 3);
    assert_int_equal(n->uid, 8);
    assert_int_equal(n->effective_ms, 21);
    assert_string_equal(n->entity, "Autre, SA");
    assert_int_equal(n->bytes, 4);
    assert_int_equal(pread(n->text, text, sizeof text, 0), 4);
    assert_string_equal(text, "deux");
    assert_int_equal(pwrite(n->text, "x", 1, 0), -1); /* sealed */
    assert_int_equal(notices_trace(notices, 1, 3).acknowledged_ms, 30);
    assert_int_equal(notices_trace(notices, 1, 4).mailed_ms, 32);
    assert_int_equal(notices_trace(notices, 2, 3).acknowledged_ms, 0);
    assert_null(notices_find(notices, 3));
}

static void a_letter_is_due_until_it_was_taken_and_not_too_often(void **state) {
    (void)state;
    const struct notice terms = {.kind = NOTICE_terms, .published_ms = 10, .effective_ms = 20};
    publish(&terms, "un");
    assert_true(notices_letter_due(notices, 1, 3, 1000));
    assert_false(notices_letter_due(notices, 1, 3, 1000 + NOTICES_AGAIN_MS - 1));
    assert_true(notices_letter_due(notices, 1, 3, 1000 + NOTICES_AGAIN_MS));
    assert_int_equal(notices_mailed(notices, 1, 3, 50, 7), 0);
    assert_false(notices_letter_due(notices, 1, 3, 1000 + 9 * (uint64_t)NOTICES_AGAIN_MS));
    assert_int_equal(notices_acknowledged(notices, 1, 4, 50, 7), 0);
    assert_false(notices_letter_due(notices, 1, 4, 1000));
}

/* At a provider of five thousand each look costs the same, so that a tick of the supervisor's stays a moment. */
static void a_look_costs_the_same_with_many(void **state) {
    (void)state;
    enum { TENANTS = 5000, NOTICES = 4, LOOKS = 20000 };
    const struct notice terms = {.kind = NOTICE_terms, .published_ms = 10, .effective_ms = 20, .uid = 7};
    for (int i = 0; i < NOTICES; i++)
        assert_non_null(publish(&terms, "x"));
    clock_t took[2];
    for (int many = 0; many < 2; many++) {
        uint32_t tenants = many ? TENANTS : 1, due = 0;
        for (uint32_t n = 1; n <= NOTICES; n++)
            for (uint32_t t = 1; t <= tenants; t++)
                due += notices_letter_due(notices, n, t, 1000 + (uint64_t)many * NOTICES_AGAIN_MS);
        assert_int_equal(due, NOTICES * tenants);
        took[many] = clock();
        for (uint32_t i = 0; i < LOOKS; i++)
            assert_false(notices_letter_due(notices, 1 + i % NOTICES, 1 + i % tenants, 1001 + (uint64_t)many * NOTICES_AGAIN_MS));
        took[many] = clock() - took[many];
    }
    if (took[1] > 100 * took[0] + CLOCKS_PER_SEC / 10) fail_msg("%ld us against %ld", (long)took[1], (long)took[0]);
}

static void what_is_no_text_or_one_too_many_is_refused(void **state) {
    (void)state;
    static char large[NOTICE_BYTES + 2];
    const struct notice terms = {.kind = NOTICE_terms, .published_ms = 10, .effective_ms = 20};
    memset(large, 'a', sizeof large - 1);
    assert_null(publish(&terms, large));
    assert_int_equal(errno, EINVAL);
    assert_null(publish(&terms, ""));
    for (int i = 0; i < NOTICES_MAX; i++)
        assert_non_null(publish(&terms, "x"));
    assert_null(publish(&terms, "x"));
    assert_int_equal(errno, ENOSPC);
    notices_close(notices);
    notices = notices_open(root, error);
    assert_int_equal(notices_count(notices), NOTICES_MAX);
}

static void one_that_is_removed_gives_its_place_and_not_its_number(void **state) {
    (void)state;
    const struct notice terms = {.kind = NOTICE_terms, .published_ms = 10, .effective_ms = 20};
    for (int i = 0; i < NOTICES_MAX; i++)
        assert_non_null(publish(&terms, "x"));
    assert_int_equal(notices_acknowledged(notices, 2, 3, 40, 7), 0);
    assert_int_equal(notices_remove(notices, 2), 0);
    assert_int_equal(notices_remove(notices, NOTICES_MAX), 0);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(notices_count(notices), NOTICES_MAX - 2);
        assert_true(!notices_find(notices, 2) && notices_had(notices, NOTICES_MAX) && !notices_had(notices, NOTICES_MAX + 1));
        notices_close(notices);
        notices = notices_open(root, error);
        if (!notices) fail_msg("%s", error);
    }
    assert_int_equal(publish(&terms, "x")->number, NOTICES_MAX + 1);
}

static void put_record(const char *text) {
    char path[64];
    snprintf(path, sizeof path, "%s/notices/record", root);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void damage_is_found_and_a_cut_line_cut_off(void **state) {
    (void)state;
    static const char line[] = "notice\t1\tterms\t10\t20\t0\t7\t\n";
    static const char *const bad[] = {"x\n",
                                      "notice\t1\tprices\t10\t20\t0\t7\t\n",
                                      "notice\t0\tterms\t10\t20\t0\t7\t\n",
                                      "notice\t1\tterms\t-1\t20\t0\t7\t\n",
                                      "notice\t1\tterms\t10\t20\t0\t7\n",
                                      "acknowledged\t1\t3\t4\n",
                                      "notice\t1\tterms\t10\t20\t0\t7\t\nacknowledged\t1\t3\n",
                                      "notice\t2\tterms\t10\t20\t0\t7\t\n",
                                      "notice\t1\tterms\t10\t20\t0\t7\t\nnotice\t1\tterms\t10\t20\t0\t7\t\n"};
    const struct notice terms = {.kind = NOTICE_terms, .published_ms = 10, .effective_ms = 20};
    publish(&terms, "un");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_record(bad[i]);
        if (notices_open(root, error)) fail_msg("taken: %s", bad[i]);
        assert_non_null(strstr(error, "damaged"));
    }
    char cut[128];
    snprintf(cut, sizeof cut, "%sacknowledged\t1\t3", line);
    put_record(cut);
    notices_close(notices);
    notices = notices_open(root, error);
    assert_int_equal(notices_count(notices), 1);
    assert_int_equal(notices_acknowledged(notices, 1, 4, 40, 7), 0);
    notices_close(notices);
    notices = notices_open(root, error);
    assert_int_equal(notices_trace(notices, 1, 4).acknowledged_ms, 40);
    assert_int_equal(notices_trace(notices, 1, 3).acknowledged_ms, 0);
}

static void a_letter_is_one_and_no_text_ends_it_early(void **state) {
    (void)state;
    static const char text[] = "\n.\nQUIT\n";
    struct message_letter letter = {
        .head.tenant = 5, .number = 9, .kind = NOTICE_subprocessors, .effective_ms = 20 * DAY, .bytes = sizeof text - 1};
    size_t size;
    strcpy(letter.to, "a@b.example");
    strcpy(letter.host, "crm.b.example");
    char *mail = mail_compose(&letter, "n@h.example", text, 1700000000000, &size);
    assert_int_equal(strlen(mail), size);
    assert_non_null(strstr(mail, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: <n@h.example>\r\nTo: <a@b.example>\r\n"));
    assert_non_null(strstr(mail, "Message-ID: <notice-9-5@h.example>\r\nSubject: Notice of change: Sub-processors and regions\r\n"));
    assert_null(strstr(mail, "QUIT"));
    for (const char *end, *line = mail; *line; line = end + 2) {
        end = strstr(line, "\r\n");
        assert_non_null(end);
        assert_true(end - line <= 78 && line[0] != '.');
    }
    free(mail);
}

/* S13, C11: no clock that is set ends a notice period */
static void a_period_takes_its_time(void **state) {
    (void)state;
    const struct notice_trace none = {0}, read = {.acknowledged_ms = 1, .acknowledged_counted = 1000},
                              mailed = {.mailed_ms = 1, .mailed_counted = 1000};
    assert_false(notice_has_run(&none, 0, UINT64_MAX));
    assert_false(notice_has_run(&read, 30, 999)); /* a crash lost some of the count */
    assert_false(notice_has_run(&read, 30, 1000 + 30 * NOTICE_DAY_MS - 1));
    assert_true(notice_has_run(&read, 30, 1000 + 30 * NOTICE_DAY_MS));
    assert_false(notice_has_run(&mailed, 30, 1000 + 30 * NOTICE_DAY_MS));
    assert_true(notice_has_run(&mailed, 30, 1000 + (30 + NOTICE_MAIL_DAYS) * NOTICE_DAY_MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivery_is_an_acknowledgement_or_a_week_after_the_letter),
        cmocka_unit_test(nothing_is_in_force_before_its_delivery_and_the_period),
        cmocka_unit_test(a_text_is_one_that_can_be_shown_anywhere),
        cmocka_unit_test_setup_teardown(what_is_kept_is_there_after_a_start, make, unmake),
        cmocka_unit_test_setup_teardown(a_letter_is_due_until_it_was_taken_and_not_too_often, make, unmake),
        cmocka_unit_test_setup_teardown(a_look_costs_the_same_with_many, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_no_text_or_one_too_many_is_refused, make, unmake),
        cmocka_unit_test_setup_teardown(one_that_is_removed_gives_its_place_and_not_its_number, make, unmake),
        cmocka_unit_test_setup_teardown(damage_is_found_and_a_cut_line_cut_off, make, unmake),
        cmocka_unit_test(a_period_takes_its_time),
        cmocka_unit_test(a_letter_is_one_and_no_text_ends_it_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
