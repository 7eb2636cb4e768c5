/* What can be held anywhere: where nothing is delegated everything goes on, and the limits are written where they belong. That they bite is
 * tested on a real Debian with cgroup v2. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../supervisor/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct config_limits limits = {.memory_max = 268435456, .pids_max = 20, .cpu_weight = 50, .io_weight = 60};
static char directory[64];
static struct cgroup cgroup;

static void off_is_unavailable_and_no_error(void **state) {
    (void)state;
    assert_true(cgroup_open(&cgroup, "off"));
    assert_int_equal(cgroup.directory, -1);
    assert_string_equal(cgroup.why, "cgroup = off in the configuration");
    assert_int_equal(cgroup_tenant(&cgroup, "acme", &limits), -1);
    assert_int_equal(errno, ENOTSUP);
    assert_int_equal(cgroup_remove(&cgroup, "acme"), 0);
    assert_int_equal(cgroup_number(-1, "memory.current"), 0);
    assert_int_equal(cgroup_oom_kills(-1), 0);
    cgroup_close(&cgroup);
}

static void a_named_path_that_does_not_work_is_an_error(void **state) {
    (void)state;
    assert_false(cgroup_open(&cgroup, "/nowhere/at/all"));
    assert_string_equal(cgroup.why, "/nowhere/at/all: No such file or directory");
    assert_int_equal(cgroup.directory, -1);
    assert_false(cgroup_open(&cgroup, "/tmp"));
    assert_string_equal(cgroup.why, "/tmp: no cgroup v2 is mounted there");
    assert_int_equal(cgroup.directory, -1);
}

/* --- a directory that looks like a delegated one --- */

static void put(const char *file, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/tenant-acme/%s", directory, file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect(const char *file, const char *text) {
    char path[160], got[64] = {0};
    snprintf(path, sizeof path, "%s/tenant-acme/%s", directory, file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(got, sizeof got, f));
    fclose(f);
    assert_string_equal(got, text);
}

static const char *const files[] = {"memory.max", "memory.swap.max", "pids.max",     "cpu.weight",
                                    "io.weight",  "memory.current",  "memory.events"};
enum { FILES = sizeof files / sizeof *files };

static int make(void **state) {
    (void)state;
    char path[96];
    snprintf(directory, sizeof directory, "/tmp/cgroup_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/tenant-acme", directory);
    if (mkdir(path, 0755) < 0) return -1;
    cgroup = (struct cgroup){.directory = open(directory, O_RDONLY | O_DIRECTORY), .cpu = true, .io = true};
    return 0;
}

static int clean(void **state) {
    (void)state;
    char path[160];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/tenant-acme/%s", directory, files[i]);
        unlink(path);
    }
    int removed = cgroup_remove(&cgroup, "acme");
    cgroup_close(&cgroup);
    return removed | rmdir(directory);
}

static void limits_are_written(void **state) {
    (void)state;
    for (int i = 0; i < FILES; i++)
        put(files[i], "");
    int tenant = cgroup_tenant(&cgroup, "acme", &limits);
    assert_true(tenant >= 0);
    assert_true(fcntl(tenant, F_GETFD) & FD_CLOEXEC);
    expect("memory.max", "268435456");
    expect("memory.swap.max", "0");
    expect("pids.max", "20");
    expect("cpu.weight", "50");
    expect("io.weight", "60");
    put("memory.current", "123456789\n");
    put("memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 1\n");
    assert_int_equal(cgroup_number(tenant, "memory.current"), 123456789);
    assert_int_equal(cgroup_number(tenant, "memory.max"), limits.memory_max);
    assert_int_equal(cgroup_number(tenant, "cpu.weight"), limits.cpu_weight);
    put("pids.max", "max\n");
    assert_int_equal(cgroup_number(tenant, "pids.max"), 0);
    assert_int_equal(cgroup_number(tenant, "nothing"), 0);
    assert_int_equal(cgroup_oom_kills(tenant), 2);
    close(tenant);
}

static void a_limit_that_is_not_taken_is_an_error(void **state) {
    (void)state;
    assert_int_equal(cgroup_tenant(&cgroup, "acme", &limits), -1); /* no memory.max */
    assert_int_equal(errno, ENOENT);
    put("memory.max", "");
    put("pids.max", "");
    assert_int_equal(cgroup_tenant(&cgroup, "acme", &limits), -1); /* no cpu.weight */
    put("cpu.weight", "");
    int tenant = cgroup_tenant(&cgroup, "acme", &limits); /* no io.weight, no swap: there is nothing to bound */
    assert_true(tenant >= 0);
    close(tenant);
    cgroup.cpu = false;
    assert_int_equal(cgroup_remove(&cgroup, "acme"), -1); /* not empty here */
    assert_int_equal(cgroup_remove(&cgroup, "nemo"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_is_unavailable_and_no_error),
        cmocka_unit_test(a_named_path_that_does_not_work_is_an_error),
        cmocka_unit_test_setup_teardown(limits_are_written, make, clean),
        cmocka_unit_test_setup_teardown(a_limit_that_is_not_taken_is_an_error, make, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
