/* The jail and the wall for real: children are born by spawn.c as a tenant's uid and report what they see. Needs root. */
#include "../../policy/channel.h"
#include "../../policy/counters.h"
#include "../../policy/jail.h"
#include "../../policy/wall.h"
#include "../../supervisor/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UID = 2000000777 };
static char base[64], directory[96], self_path[4096];

/* The jailed side: this very program, started by spawn_worker with the title "jailed". */
static int jailed(void) {
    static struct wall_program wall;
    union message m = {.ready = {.head.type = MESSAGE_WORKER_READY}};
    if (wall_make(WALL_WORKER, &wall) < 0) return 10;
    if (jail_unshare_as_init() < 0) return 11;
    if (jail_enter_directory() < 0) return 12;
    if (open("mine", O_RDWR | O_CREAT, 0600) < 0) return 13;
    if (jail_drop_rights() < 0) return 14;
    jail_observe(m.ready.layer, &m.ready.landlock_abi);
    /* What it sees, as numbers: entries of its root, and whether it is pid 1. */
    m.ready.syscalls = 0;
    m.ready.arena_bytes = (uint64_t)getpid();
    if (open("mine", O_RDWR) >= 0 || open("other", O_RDWR | O_CREAT, 0600) >= 0) return 15; /* Landlock */
    if (access("/proc", F_OK) == 0 || access("/etc", F_OK) == 0) return 16;
    if (wall_close(&wall) < 0) return 17;
    m.ready.layer[LAYER_seccomp] = LAYER_ON;
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1) != CHANNEL_OK) return 18;
    char byte;
    fcntl(JAIL_CHANNEL, F_SETFL, 0);
    while (read(JAIL_CHANNEL, &byte, 1) > 0) {
    } /* until the end */
    return 0;
}

static void start(struct spawned *s, union message *m, pid_t *pid) {
    int counters = counters_create(), fd;
    assert_true(counters >= 0);
    assert_int_equal(spawn_worker(self_path, "jailed", UID, directory, -1, counters, s), 0);
    close(counters);
    struct pollfd p = {.fd = s->channel, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    enum channel_result r = channel_receive(s->channel, CHANNEL_WORKER, CHANNEL_SUPERVISOR, m, &fd, pid);
    if (r != CHANNEL_OK) {
        int status;
        waitpid(s->pid, &status, 0);
        fail_msg("the child ended with %d before it was ready", WEXITSTATUS(status));
    }
}

static void end(struct spawned *s, pid_t pid) {
    int status;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0); /* the first process left by itself */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid); /* the real one is our own child */
    assert_true(WIFSIGNALED(status));
    close(s->channel);
    close(s->pidfd);
}

static long status_field(pid_t pid, const char *name) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    long value = -1;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, strstr(name, "Cap") ? 16 : 10);
    if (f) fclose(f);
    return value;
}

/* H1: every wall stands around a child, and nobody of its uid reaches in */
static void every_layer_stands(void **state) {
    (void)state;
    struct spawned s;
    union message m;
    pid_t pid;
    start(&s, &m, &pid);
    for (int i = LAYER_user_namespace; i <= LAYER_seccomp; i++)
        if (m.ready.layer[i] != LAYER_ON && !(i == LAYER_mdwe && m.ready.layer[i] == LAYER_UNAVAILABLE))
            fail_msg("layer %d is %d", i, m.ready.layer[i]);
    assert_int_equal(m.ready.arena_bytes, 1); /* pid 1 of its namespace */
    assert_int_not_equal(pid, s.pid);
    assert_int_equal(status_field(pid, "PPid"), getpid());
    assert_int_equal(status_field(pid, "Seccomp"), 2);
    assert_int_equal(status_field(pid, "NoNewPrivs"), 1);
    assert_int_equal(status_field(pid, "CapEff"), 0);
    assert_int_equal(status_field(pid, "CapBnd"), 0);
    assert_int_equal(status_field(pid, "Uid"), UID);
    end(&s, pid);
}

/* As the tenant's uid outside, and as root with the supervisor's capabilities only, the worker is out of reach. */
static int reach(pid_t pid, uid_t uid, uint64_t capabilities) {
    pid_t child = fork();
    if (child == 0) {
        if (uid && jail_become(uid, uid) < 0) _exit(90);
        if (!uid && jail_keep_capabilities(capabilities) < 0) _exit(91);
        char path[64], link[64], byte;
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x10000, 1};
        int got = 0;
        if (open(path, O_RDONLY) >= 0) got |= 1;
        if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0) got |= 2;
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno != EPERM) got |= 4;
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (syscall(SYS_pidfd_getfd, pidfd, 3, 0) >= 0) got |= 8;
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        if (open(path, O_RDONLY) >= 0) got |= 16;
        snprintf(path, sizeof path, "/proc/%d/fd/3", pid);
        if (readlink(path, link, sizeof link) >= 0) got |= 32;
        _exit(got);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void nobody_outside_reaches_in(void **state) {
    (void)state;
    struct spawned s;
    union message m;
    pid_t pid;
    start(&s, &m, &pid);
    enum { SETGID = 6, SETUID = 7, CHOWN = 0, KILL = 5 };
    assert_int_equal(reach(pid, UID, 0), 0);
    assert_int_equal(reach(pid, 0, 1ULL << SETGID | 1ULL << SETUID | 1ULL << CHOWN | 1ULL << KILL), 0);
    assert_int_equal(reach(pid, 65534, 0), 0);
    end(&s, pid);
}

/* The lock: a second worker of one directory waits for the first, an orphan included. */
static void one_worker_a_directory(void **state) {
    (void)state;
    struct spawned a, b;
    union message m;
    pid_t pid, second;
    start(&a, &m, &pid);
    int counters = counters_create(), fd;
    assert_int_equal(spawn_worker(self_path, "jailed", UID, directory, -1, counters, &b), 0);
    close(counters);
    struct pollfd p = {.fd = b.channel, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 300), 0);
    end(&a, pid);
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(channel_receive(b.channel, CHANNEL_WORKER, CHANNEL_SUPERVISOR, &m, &fd, &second), CHANNEL_OK);
    end(&b, second);
}

/* Every call that is not on the list ends the process; masked ones only with the wrong argument. */
static void the_wall_kills_every_other_call(void **state) {
    (void)state;
    static struct wall_program wall;
    assert_int_equal(wall_make(WALL_WORKER, &wall), 0);
    assert_in_range(wall.calls, 20, 40);
    int killed = 0, total = 0;
    for (int number = 0; number < 470; number++) {
        bool listed = false;
        for (size_t i = 0; i < wall_row_count; i++)
            listed |= wall_row(i).wall == WALL_WORKER && wall_row(i).number == number;
        /* uretprobe and uprobe: newer kernels pass them by every filter; they work only from the kernel's own trampoline. */
        if (listed || number == 335 || number == 336) continue;
        total++;
        pid_t child = fork();
        if (child == 0) {
            if (jail_drop_rights() < 0 || wall_close(&wall) < 0) _exit(1);
            syscall(number, -1, 0, 0, 0, 0, 0);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
            killed++;
        else
            print_message("call %d got through\n", number);
    }
    assert_int_equal(killed, total);
}

static int masked_child(const struct wall_program *wall, const struct wall_row *row, uint64_t value) {
    pid_t child = fork();
    if (child == 0) {
        uint64_t a[6] = {~0ULL, 0, 0, 0, 0, 0}; /* fd -1: refused by the kernel, if it gets there */
        a[row->argument] = value;
        if (jail_drop_rights() < 0 || wall_close(wall) < 0) _exit(1);
        syscall(row->number, a[0], a[1], a[2], a[3], a[4], a[5]);
        syscall(SYS_exit_group, 0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void masked_arguments_are_compared(void **state) {
    (void)state;
    static struct wall_program wall;
    assert_int_equal(wall_make(WALL_WORKER, &wall), 0);
    int rows = 0;
    for (size_t i = 0; i < wall_row_count; i++) {
        struct wall_row row = wall_row(i);
        if (row.wall != WALL_WORKER || !row.masked || row.number < 0) continue;
        rows++;
        assert_int_equal(masked_child(&wall, &row, row.value), 0);
        assert_int_equal(masked_child(&wall, &row, row.value ^ (row.mask & (~row.mask + 1))), SIGSYS); /* the lowest compared bit flipped */
    }
    assert_true(rows >= 3);
}

static int setup(void **state) {
    (void)state;
    if (geteuid() != 0) return -1;
    strcpy(base, "/tmp/jail_test.XXXXXX");
    if (!mkdtemp(base) || chmod(base, 0711) < 0) return -1;
    snprintf(directory, sizeof directory, "%s/tenant", base);
    ssize_t size = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    if (size < 0) return -1;
    /* A copy that the tenant's uid can execute, wherever the build is. */
    char copy[128], command[4400];
    snprintf(copy, sizeof copy, "%s/program", base);
    snprintf(command, sizeof command, "install -m 0755 '%s' '%s'", self_path, copy);
    if (system(command) != 0) return -1; /* NOLINT: a test */
    strcpy(self_path, copy);
    return spawn_make_directory(UID, directory);
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", base);
    return system(command); /* NOLINT: a test */
}

int main(int argc, char **argv) {
    (void)argc;
    if (strcmp(argv[0], "jailed") == 0) return jailed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_stands),
        cmocka_unit_test(nobody_outside_reaches_in),
        cmocka_unit_test(one_worker_a_directory),
        cmocka_unit_test(the_wall_kills_every_other_call),
        cmocka_unit_test(masked_arguments_are_compared),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
