/* The plans' file: whole or as before, damage found, and a count of the time that the house has run which no clock moves. */
#include "../../supervisor/plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96], error[PLANS_ERROR_MAX];

static struct plan_row row(uint32_t tenant, enum backup_kind kind) {
    struct plan_row r = {.tenant = tenant, .kind = kind, .destination = "medium", .period_minutes = 60, .keep_hours = 48, .number = 3};
    memset(r.hash, (int)tenant, sizeof r.hash);
    return r;
}

static int begin(void **state) {
    (void)state;
    strcpy(folder, "/tmp/cloison-plans-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/plans", folder);
    return 0;
}

static int end(void **state) {
    (void)state;
    char fresh[128];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(path);
    unlink(fresh);
    return rmdir(folder);
}

static struct plans *opened(void) {
    struct plans *p = plans_open(folder, error);
    assert_non_null(p);
    return p;
}

static void same(const struct plan_row *a, const struct plan_row *b) {
    assert_non_null(a);
    assert_int_equal(a->tenant, b->tenant);
    assert_string_equal(a->destination, b->destination);
    assert_int_equal(a->period_minutes, b->period_minutes);
    assert_int_equal(a->keep_hours, b->keep_hours);
    assert_int_equal(a->paused, b->paused);
    assert_int_equal(a->number, b->number);
    assert_memory_equal(a->hash, b->hash, sizeof a->hash);
}

static void comes_back(void **state) {
    (void)state;
    struct plans *p = opened();
    struct plan_row one = row(1, BACKUP_COPY), two = row(1, BACKUP_ARCHIVE), other = row(9, BACKUP_COPY);
    two.paused = true;
    assert_true(plans_put(p, &one) && plans_put(p, &two) && plans_put(p, &other));
    one.keep_hours = 96;
    assert_true(plans_put(p, &one));
    plans_close(p);
    p = opened();
    same(plans_find(p, 1, BACKUP_COPY), &one);
    same(plans_find(p, 1, BACKUP_ARCHIVE), &two);
    same(plans_find(p, 9, BACKUP_COPY), &other);
    assert_null(plans_find(p, 9, BACKUP_ARCHIVE));
    assert_true(plans_remove(p, 1, BACKUP_COPY) && plans_remove(p, 1, BACKUP_COPY));
    plans_close(p);
    p = opened();
    assert_null(plans_find(p, 1, BACKUP_COPY));
    same(plans_find(p, 1, BACKUP_ARCHIVE), &two);
    plans_close(p);
}

static void damage_is_found(void **state) {
    (void)state;
    struct plans *p = opened();
    struct plan_row one = row(1, BACKUP_COPY);
    struct stat st;
    assert_true(plans_put(p, &one));
    plans_close(p);
    int fd = open(path, O_RDWR);
    fstat(fd, &st);
    for (off_t at = 0; at < st.st_size; at++) {
        char byte, other;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        other = (char)(byte ^ 1);
        assert_int_equal(pwrite(fd, &other, 1, at), 1);
        assert_null(plans_open(folder, error));
        assert_non_null(strstr(error, "damaged"));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
    assert_null(plans_open(folder, error));
    close(fd);
}

static void full_disk(void **state) {
    (void)state;
    struct rlimit unlimited, none;
    struct plans *p = opened();
    struct plan_row one = row(1, BACKUP_COPY), changed = one, other = row(2, BACKUP_COPY);
    changed.keep_hours = 1;
    signal(SIGXFSZ, SIG_IGN);
    assert_true(plans_put(p, &one));
    getrlimit(RLIMIT_FSIZE, &unlimited);
    for (rlim_t most = 0; most < 100; most += 33) {
        none = (struct rlimit){most, unlimited.rlim_max};
        setrlimit(RLIMIT_FSIZE, &none);
        struct plan_row noted = one;
        noted.number = most;
        plans_note(p, &noted); /* counts, though it is not written */
        same(plans_find(p, 1, BACKUP_COPY), &noted);
        bool put = plans_put(p, &changed), added = plans_put(p, &other), removed = plans_remove(p, 1, BACKUP_COPY);
        setrlimit(RLIMIT_FSIZE, &unlimited);
        assert_false(put || added || removed);
        same(plans_find(p, 1, BACKUP_COPY), &noted);
        assert_null(plans_find(p, 2, BACKUP_COPY));
    }
    one.number = 99;
    plans_keep(p, true);
    plans_close(p);
    p = opened();
    same(plans_find(p, 1, BACKUP_COPY), &one);
    plans_close(p);
}

/* C9: no clock that is set moves a plan */
static void time_only_grows(void **state) {
    (void)state;
    struct plans *p = opened();
    struct plan_row one = row(1, BACKUP_COPY);
    uint64_t first = plans_counted(p);
    assert_true(plans_put(p, &one));
    usleep(20000);
    uint64_t second = plans_counted(p);
    assert_true(second >= first + 20 && second < first + 10000);
    plans_keep(p, true);
    plans_close(p);
    usleep(20000); /* does not count */
    p = opened();
    uint64_t third = plans_counted(p);
    assert_true(third >= second && third < second + 20);
    plans_close(p);
}

static void due(void **state) {
    (void)state;
    struct plan_row r = row(1, BACKUP_COPY);
    r.last_ms = 1000000;
    assert_false(plan_due(&r, 1000000 + 3599999));
    assert_true(plan_due(&r, 1000000 + 3600000));
    assert_true(plan_due(&r, 999999)); /* the clock was set back */
    r.period_minutes = 0;
    assert_false(plan_due(&r, UINT64_MAX));
}

int main(void) {
#define WITH(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {WITH(comes_back), WITH(damage_is_found), WITH(full_disk), WITH(time_only_grows),
                                       cmocka_unit_test(due)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
