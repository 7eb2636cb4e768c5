/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../policy/ledger_line.h"
#include "../../supervisor/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64], path[128], error[LEDGER_ERROR_MAX];
static struct ledger *ledger;
static const struct ledger_tenant acme = {1, "acme"}, bois = {2, "bois"}, nobody = {0, ""};

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/ledger_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/ledger", directory);
    ledger = ledger_open(directory, 1, error);
    return ledger ? 0 : -1;
}

static int clean(void **state) {
    (void)state;
    ledger_close(ledger);
    unlink(path);
    return rmdir(directory);
}

static void reopen(void) {
    ledger_close(ledger);
    ledger = ledger_open(directory, 99, error);
    if (!ledger) fail_msg("%s", error);
}

static char text[65536];
static size_t size;
static struct ledger_line lines[64];

/* Reads the whole ledger into lines[]; false: it is broken. */
static bool read_ledger(uint64_t *count) {
    int fd = open(path, O_RDONLY);
    size = (size_t)read(fd, text, sizeof text);
    close(fd);
    struct ledger_chain chain = {0};
    size_t at = 0, used;
    enum ledger_verdict verdict;
    *count = 0;
    while (*count < 64 && (verdict = ledger_chain_next(&chain, text + at, size - at, &used, &lines[*count])) == LEDGER_LINE) {
        at += used;
        ++*count;
    }
    return at == size;
}

static uint64_t count_lines(void) {
    uint64_t count;
    assert_true(read_ledger(&count));
    return count;
}

static void lines_are_written_and_chained(void **state) {
    (void)state;
    uint64_t count;
    uint8_t hash[LEDGER_HASH], zero[LEDGER_HASH] = {0};
    ledger_head(ledger, &count, hash);
    assert_int_equal(count, 0);
    assert_memory_equal(hash, zero, sizeof zero);
    assert_int_equal(ledger_act(ledger, 1000, 501, VERB_create, acme, "done"), 0);
    ledger_event(ledger, 1001, "started", acme, "done");
    assert_int_equal(ledger_act(ledger, 1002, 502, VERB_lock, acme, "begun"), 0);
    ledger_event(ledger, 1003, "reloaded", nobody, "done");
    assert_int_equal(ledger_act(ledger, 1003, 501, VERB_create, (struct ledger_tenant){0, "new"}, "refused"), 0);
    assert_int_equal(ledger_act(ledger, 1003, 501, VERB_create, (struct ledger_tenant){0, "No Tenant\n"}, "refused"), 0);
    assert_int_equal(count_lines(), 6);
    assert_string_equal(lines[4].name, "new");
    assert_string_equal(lines[5].name, "");
    assert_string_equal(lines[0].verb, "create");
    assert_true(lines[0].has_uid);
    assert_int_equal(lines[0].uid, 501);
    assert_int_equal(lines[0].time_ms, 1000);
    assert_string_equal(lines[0].name, "acme");
    assert_string_equal(lines[1].verb, "started");
    assert_false(lines[1].has_uid);
    assert_string_equal(lines[2].result, "begun");
    assert_string_equal(lines[3].name, "");
    assert_int_equal(lines[3].tenant, 0);
    ledger_head(ledger, &count, hash);
    assert_int_equal(count, 6);
    assert_memory_equal(hash, lines[5].hash, sizeof hash);
    reopen();
    ledger_head(ledger, &count, hash);
    assert_int_equal(count, 6);
    assert_memory_equal(hash, lines[5].hash, sizeof hash);
    assert_int_equal(ledger_act(ledger, 1004, 501, VERB_stop, acme, "done"), 0);
    assert_int_equal(count_lines(), 7);
    char byte;
    assert_int_equal(pread(ledger_reader(ledger, 0), &byte, 1, 0), 1);
    assert_int_equal(write(ledger_reader(ledger, 0), &byte, 1), -1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, size);
}

static void one_supervisor_at_a_time(void **state) {
    (void)state;
    assert_null(ledger_open(directory, 1, error));
    assert_non_null(strstr(error, "another supervisor"));
}

static void refusals_are_aggregated_by_the_minute(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++)
        ledger_refused(ledger, 1000 + (uint64_t)i, 600, VERB_export, acme);
    assert_int_equal(count_lines(), 1);
    assert_string_equal(lines[0].verb, "export");
    assert_string_equal(lines[0].result, "refused");
    assert_int_equal(lines[0].times, 1);
    assert_int_equal(lines[0].uid, 600);
    ledger_refused(ledger, 2000, 600, VERB_read, acme);
    ledger_refused(ledger, 2000, 601, VERB_export, acme);
    assert_int_equal(count_lines(), 3);
    ledger_tick(ledger, 60999);
    assert_int_equal(count_lines(), 3);
    ledger_tick(ledger, 61000);
    assert_int_equal(count_lines(), 4);
    assert_int_equal(lines[3].times, 99);
    assert_string_equal(lines[3].name, "acme");
    ledger_refused(ledger, 61001, 600, VERB_export, acme);
    ledger_refused(ledger, 61002, 600, VERB_export, bois);
    ledger_tick(ledger, 120999);
    assert_int_equal(count_lines(), 4);
    ledger_tick(ledger, 121000);
    assert_int_equal(count_lines(), 5);
    assert_int_equal(lines[4].times, 2);
    assert_int_equal(lines[4].tenant, 0); /* of two tenants */
    ledger_tick(ledger, 181000);
    ledger_refused(ledger, 200000, 600, VERB_export, bois);
    ledger_refused(ledger, 200001, 600, VERB_export, bois);
    assert_int_equal(count_lines(), 6);
    ledger_flush(ledger, 200002);
    assert_int_equal(count_lines(), 7);
    assert_int_equal(lines[6].tenant, 2);
    ledger_refused(ledger, 10, 600, VERB_export, bois); /* the clock was set back */
    ledger_tick(ledger, 11);
    ledger_refused(ledger, 12, 600, VERB_export, bois);
    assert_int_equal(count_lines(), 8);
}

static void a_flood_of_refusals_is_counted(void **state) {
    (void)state;
    for (uint32_t uid = 0; uid < 300; uid++)
        ledger_refused(ledger, 1000, uid, VERB_copy, nobody);
    assert_int_equal(ledger_gaps(ledger), 44);
    ledger_tick(ledger, 1001);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    int fd = open(path, O_RDONLY);
    char last[LEDGER_LINE_MAX + 1] = {0};
    assert_true(pread(fd, last, LEDGER_LINE_MAX, st.st_size - 200) > 0);
    close(fd);
    assert_non_null(strstr(last, "\tgap\t0\t-\tlost\t44\t"));
}

static void write_text(const char *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static void an_unfinished_line_is_cut_off_and_recorded(void **state) {
    (void)state;
    for (int i = 0; i < 9; i++)
        ledger_event(ledger, 1000, "started", acme, "done");
    assert_int_equal(count_lines(), 9);
    static char whole[65536];
    size_t n = size, start = 0;
    memcpy(whole, text, n);
    for (size_t i = 0; i + 1 < n; i++)
        if (whole[i] == '\n') start = i + 1;
    for (size_t cut = start; cut < n; cut++) {
        ledger_close(ledger);
        ledger = NULL;
        write_text(whole, cut);
        reopen();
        uint64_t count = count_lines();
        if (cut == start) {
            assert_int_equal(count, 8);
        } else {
            assert_int_equal(count, 9);
            assert_string_equal(lines[8].verb, "recovered");
            assert_int_equal(lines[8].times, cut - start);
        }
    }
    ledger_close(ledger);
    ledger = NULL;
    memset(whole + start + 3, 0, n - start - 10); /* a block that never came */
    write_text(whole, n);
    reopen();
    assert_int_equal(count_lines(), 9);
    assert_int_equal(lines[8].times, n - start);
    ledger_close(ledger);
    ledger = NULL;
    write_text("12\t34", 5); /* the very first line */
    reopen();
    assert_int_equal(count_lines(), 1);
}

/* S11: every damaged byte of the ledger is found */
static void damage_is_refused(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        ledger_event(ledger, 1000, "started", acme, "done");
    assert_int_equal(count_lines(), 3);
    static char whole[65536];
    size_t n = size;
    uint64_t count;
    memcpy(whole, text, n);
    ledger_close(ledger);
    ledger = NULL;
    for (size_t i = 0; i < n; i++) {
        memcpy(text, whole, n);
        text[i] ^= 1;
        write_text(text, n);
        assert_false(read_ledger(&count) && count == 3);
        if (i + 1 == n) continue; /* an unfinished line to all appearances */
        assert_null(ledger_open(directory, 1, error));
        assert_non_null(strstr(error, "is damaged or does not follow"));
    }
    char *second = strchr(whole, '\n') + 1;
    write_text(second, n - (size_t)(second - whole));
    assert_false(read_ledger(&count));
    assert_null(ledger_open(directory, 1, error));
    memset(text, 'x', 4000);
    write_text(text, 4000);
    assert_null(ledger_open(directory, 1, error));
    write_text("", 0);
    reopen();
}

static void a_kill_loses_no_recorded_act(void **state) {
    (void)state;
    for (int round = 0; round < 30; round++) {
        int acknowledged[2];
        assert_int_equal(pipe(acknowledged), 0);
        uint64_t last, before, count;
        uint8_t hash[LEDGER_HASH];
        ledger_head(ledger, &before, hash);
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t i = before + 1; i <= before + 2; i++)
                if (ledger_act(ledger, 1, 1, VERB_start, acme, "done") < 0 || write(acknowledged[1], &i, sizeof i) != sizeof i) _exit(1);
            _exit(0);
        }
        close(acknowledged[1]);
        usleep((useconds_t)(rand() % 1500));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        last = before;
        while (read(acknowledged[0], &count, sizeof count) == sizeof count)
            last = count;
        close(acknowledged[0]);
        reopen();
        ledger_head(ledger, &count, hash);
        assert_true(count >= last);
    }
}

/* A file system of 512 KiB that is then filled. */
static int mount_small(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/ledger_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/ledger", directory);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("t", directory, "tmpfs", 0, "size=512k") < 0)
        directory[0] = '\0';
    return 0;
}

static void fill(const char *name) {
    char file[128], block[4096] = {1};
    snprintf(file, sizeof file, "%s/%s", directory, name);
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    while (write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

static void a_full_disk_refuses_acts_but_not_lock_stop_suspend(void **state) {
    (void)state;
    if (!directory[0]) skip();
    ledger = ledger_open(directory, 1, error);
    assert_non_null(ledger);
    fill("filler");
    int recorded = 0;
    while (ledger_act(ledger, 1000, 501, VERB_create, acme, "done") == 0)
        recorded++;
    assert_int_equal(errno, ENOSPC);
    assert_true(recorded < 1000);
    ledger_event(ledger, 1001, "crashed", acme, "done");
    ledger_event(ledger, 1002, "started", acme, "done");
    ledger_refused(ledger, 1003, 600, VERB_export, acme);
    assert_int_equal(ledger_gaps(ledger), 3);
    assert_false(ledger_holds(ledger, 0));
    assert_int_equal(errno, ENOSPC);
    assert_true(ledger_holds(ledger, 3));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ledger_act(ledger, 1004, 501, VERB_lock, acme, "done"), 0);
        assert_int_equal(ledger_act(ledger, 1004, 501, VERB_suspend, acme, "done"), 0);
    }
    assert_int_equal(ledger_act(ledger, 1004, 501, VERB_resume, acme, "done"), -1);
    assert_int_equal(ledger_act(ledger, 1004, 501, VERB_stop, acme, "done"), 0);
    char filler[128];
    snprintf(filler, sizeof filler, "%s/filler", directory);
    assert_int_equal(unlink(filler), 0);
    uint64_t before, after;
    uint8_t hash[LEDGER_HASH];
    ledger_head(ledger, &before, hash);
    assert_int_equal(ledger_act(ledger, 1005, 501, VERB_create, bois, "done"), 0);
    ledger_head(ledger, &after, hash);
    assert_int_equal(after, before + 2); /* the gap, then the act */
    ledger_close(ledger);
    ledger = ledger_open(directory, 1, error);
    assert_non_null(ledger);
    fill("filler"); /* a supervisor starts on a full disk too, and finds its reserve */
    ledger_close(ledger);
    ledger = ledger_open(directory, 1, error);
    assert_non_null(ledger);
    assert_int_equal(ledger_act(ledger, 1006, 501, VERB_lock, acme, "done"), 0);
    ledger_close(ledger);
    ledger = NULL;
    assert_int_equal(umount2(directory, MNT_DETACH), 0);
    rmdir(directory);
}

/* --- lines alone --- */

static void a_line_has_one_spelling(void **state) {
    (void)state;
    struct ledger_line line = {.count = 1,
                               .time_ms = UINT64_MAX,
                               .has_uid = true,
                               .uid = UINT32_MAX,
                               .tenant = UINT32_MAX,
                               .times = UINT64_MAX},
                       again;
    char out[LEDGER_LINE_MAX];
    line.count = UINT64_MAX;
    memset(line.verb, 'v', LEDGER_WORD_MAX);
    memset(line.result, 'r', LEDGER_WORD_MAX);
    memset(line.name, 'n', TENANT_NAME_MAX);
    size_t n = ledger_line_format(&line, out);
    assert_in_range(n, 300, LEDGER_LINE_MAX);
    assert_int_equal(out[n - 1], '\n');
    assert_true(ledger_line_parse(out, n - 1, &again));
    assert_memory_equal(&line, &again, sizeof line);
    assert_false(ledger_line_parse(out, n, &again));
    assert_false(ledger_line_parse(out, n - 2, &again));
    assert_false(ledger_line_parse("", 0, &again));
    struct ledger_line bad = line;
    bad.count = 0;
    assert_int_equal(ledger_line_format(&bad, out), 0);
    bad = line;
    strcpy(bad.verb, "Read");
    assert_int_equal(ledger_line_format(&bad, out), 0);
    bad = line;
    strcpy(bad.result, "a b");
    assert_int_equal(ledger_line_format(&bad, out), 0);
    bad = line;
    bad.name[0] = '\0';
    assert_int_equal(ledger_line_format(&bad, out), 0);
    bad = line;
    bad.tenant = 0;
    n = ledger_line_format(&bad, out);
    assert_true(n && ledger_line_parse(out, n - 1, &again));
    assert_string_equal(again.name, bad.name);
    bad = line;
    bad.times = 0;
    assert_int_equal(ledger_line_format(&bad, out), 0);
}

static void the_hash_is_what_the_header_says(void **state) {
    (void)state;
    struct ledger_line line = {.count = 1,
                               .time_ms = 1000,
                               .has_uid = true,
                               .uid = 501,
                               .verb = "create",
                               .tenant = 1,
                               .name = "acme",
                               .result = "done",
                               .times = 1};
    char out[LEDGER_LINE_MAX + 1] = {0};
    assert_true(ledger_line_format(&line, out) > 0);
    /* printf '1\t1000\t501\tcreate\t1\tacme\tdone\t1\t%064d' 0 | sha256sum */
    assert_non_null(strstr(out, "\tdone\t1\t0000000000000000000000000000000000000000000000000000000000000000\t"
                                "8783283f4a7d4ef007ee4e95e472d82c036e8774dc6806fddc67fb1566092099\n"));
}

static void chains_are_walked_piece_by_piece(void **state) {
    (void)state;
    struct ledger_line line;
    struct ledger_chain chain = {0};
    size_t used;
    for (int i = 0; i < 3; i++)
        ledger_event(ledger, 1000, "started", acme, "done");
    assert_int_equal(count_lines(), 3);
    size_t at = 0, found = 0;
    for (size_t end = 0; end <= size; end++) {
        enum ledger_verdict verdict = ledger_chain_next(&chain, text + at, end - at, &used, &line);
        assert_int_not_equal(verdict, LEDGER_BROKEN);
        if (verdict == LEDGER_LINE) {
            assert_int_equal(line.count, ++found);
            at += used;
        }
    }
    assert_int_equal(found, 3);
    assert_int_equal(ledger_chain_next(&chain, text, size, &used, &line), LEDGER_BROKEN); /* again from the first */
    memset(text, 'x', LEDGER_LINE_MAX);
    assert_int_equal(ledger_chain_next(&chain, text, LEDGER_LINE_MAX - 1, &used, &line), LEDGER_MORE);
    assert_int_equal(ledger_chain_next(&chain, text, LEDGER_LINE_MAX, &used, &line), LEDGER_BROKEN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_written_and_chained, make, clean),
        cmocka_unit_test_setup_teardown(one_supervisor_at_a_time, make, clean),
        cmocka_unit_test_setup_teardown(refusals_are_aggregated_by_the_minute, make, clean),
        cmocka_unit_test_setup_teardown(a_flood_of_refusals_is_counted, make, clean),
        cmocka_unit_test_setup_teardown(an_unfinished_line_is_cut_off_and_recorded, make, clean),
        cmocka_unit_test_setup_teardown(damage_is_refused, make, clean),
        cmocka_unit_test_setup_teardown(a_kill_loses_no_recorded_act, make, clean),
        cmocka_unit_test(a_line_has_one_spelling),
        cmocka_unit_test(the_hash_is_what_the_header_says),
        cmocka_unit_test_setup_teardown(chains_are_walked_piece_by_piece, make, clean),
        cmocka_unit_test_setup(a_full_disk_refuses_acts_but_not_lock_stop_suspend, mount_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
