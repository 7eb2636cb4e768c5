#include "spawn.h"

#include "../policy/channel.h"
#include "../policy/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

struct birth {
    const char *binary, *title, *directory; /* directory NULL: a service */
    uid_t uid;
    gid_t gid;
    int channel, counters; /* counters -1: none */
    char *argument[2];     /* or NULL */
};

/* The child has only stderr; what went wrong before exec is one line there and an exit status. */
__attribute__((noreturn)) static void die(const char *step) {
    dprintf(STDERR_FILENO, "cloisond: start of a child: %s: %s\n", step, strerrorname_np(errno));
    _exit(127);
}

/* Default signals, nothing blocked: what the supervisor's event loop set is not the child's. */
static void signals_default(void) {
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < SIGRTMIN; s++)
        signal(s, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The child's fds: 0, 1 /dev/null; 2 the log, until the child closes its wall; 3 the channel; 4 the counter page; 5 the tenant's directory,
 * which carries the lock. Each source is moved above those numbers first, so that no dup2 covers another's source.
 */
static void fds_arrange(const struct birth *b) {
    int channel = fcntl(b->channel, F_DUPFD, 16), counters = b->counters < 0 ? -1 : fcntl(b->counters, F_DUPFD, 16);
    int null = open("/dev/null", O_RDWR);
    if (channel < 0 || null < 0 || (b->counters >= 0 && counters < 0)) die("fds");
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(channel, JAIL_CHANNEL) < 0) die("dup2");
    if (counters >= 0 && dup2(counters, JAIL_COUNTERS) < 0) die("dup2");
    if (jail_close_from(counters >= 0 ? JAIL_LOCK : JAIL_COUNTERS) < 0) die("close_range");
}

__attribute__((noreturn)) static void child(const struct birth *b) {
    signals_default();
    fds_arrange(b);
    umask(0077);
    setsid();
    if (jail_become(b->uid, b->gid) < 0) die("setresuid");
    if (chdir(b->directory ? b->directory : "/") < 0) die("chdir");
    if (b->directory) {
        int lock = open(".", O_RDONLY | O_DIRECTORY); /* the lowest free fd */
        if (lock != (b->counters >= 0 ? JAIL_LOCK : JAIL_COUNTERS)) die("lock");
        while (flock(lock, LOCK_EX) < 0)
            if (errno != EINTR) die("flock");
    }
    char *const arguments[] = {(char *)(uintptr_t)b->title, b->argument[0], b->argument[1], NULL};
    char *const environment[] = {NULL};
    execve(b->binary, arguments, environment);
    die("execve");
}

static pid_t fork_into(int cgroup, int *pidfd) {
    struct clone_args how = {
        .flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
    };
    return (pid_t)syscall(SYS_clone3, &how, sizeof how);
}

static int spawn(struct birth *b, int cgroup, struct spawned *out) {
    int end[2];
    if (channel_pair(end) < 0) return -1;
    b->channel = end[1];
    pid_t pid = fork_into(cgroup, &out->pidfd);
    if (pid == 0) child(b);
    int why = errno;
    close(end[1]);
    if (pid < 0) {
        close(end[0]);
        errno = why;
        return -1;
    }
    out->pid = pid;
    out->channel = end[0];
    return 0;
}

int spawn_service(const char *binary, uid_t uid, gid_t gid, struct spawned *out) {
    struct birth b = {.binary = binary, .title = strrchr(binary, '/') + 1, .uid = uid, .gid = gid, .counters = -1};
    return spawn(&b, -1, out);
}

/* H1: a process for each tenant, by fork and exec, with the tenant's uid and directory */
int spawn_worker(const char *binary, const char *title, uid_t uid, const char *directory, int cgroup, int counters, struct spawned *out) {
    struct birth b = {.binary = binary, .title = title, .directory = directory, .uid = uid, .gid = uid, .counters = counters};
    return spawn(&b, cgroup, out);
}

pid_t spawn_loader(const char *binary, uid_t uid, const char *directory, int stream, uint64_t quota, bool by_capsule) {
    char bytes[24];
    struct birth b = {.binary = binary, .title = "cloison-loader", .directory = directory, .uid = uid, .gid = uid, .counters = -1};
    b.channel = stream;
    b.argument[0] = bytes;
    b.argument[1] = by_capsule ? "capsule" : NULL;
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)quota);
    int pidfd = -1;
    pid_t pid = fork_into(-1, &pidfd);
    if (pid == 0) child(&b);
    if (pid > 0) close(pidfd);
    return pid;
}

/* What opens older copies of the rest goes first, and not by its name alone. */
static bool overwrite(int directory, const char *name) {
    static const char zeros[4096];
    struct stat st;
    int fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    bool fine = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    for (off_t done = 0; fine && done < st.st_size; done += (off_t)sizeof zeros)
        fine = write(fd, zeros, sizeof zeros) == sizeof zeros;
    fine = fine && fsync(fd) == 0;
    close(fd);
    return fine;
}

static bool remove_all(int directory) {
    DIR *list = fdopendir(directory);
    bool fine = list;
    for (struct dirent *e; fine && (e = readdir(list));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) fine = unlinkat(directory, e->d_name, 0) == 0;
    return fine && fsync(directory) == 0;
}

__attribute__((noreturn)) static void empty(uid_t uid, const char *path, pid_t parent) {
    signals_default();
    if (jail_close_from(STDERR_FILENO + 1) < 0 || jail_become(uid, uid) < 0) die("setresuid");
    /* Nobody may go on emptying what the next supervisor has given to somebody anew. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 || flock(directory, LOCK_EX | LOCK_NB) < 0) die("flock");
    if (!overwrite(directory, "capsule") || !overwrite(directory, "identity") || !remove_all(directory)) die("emptying");
    _exit(0);
}

pid_t spawn_emptier(uid_t uid, const char *directory) {
    int pidfd = -1;
    pid_t parent = getpid(), pid = fork_into(-1, &pidfd);
    if (pid == 0) empty(uid, directory, parent);
    if (pid > 0) close(pidfd);
    return pid;
}

int spawn_make_directory(uid_t uid, const char *directory) {
    if (mkdir(directory, 0700) < 0) return -1;
    if (chown(directory, uid, uid) == 0) return 0;
    int why = errno;
    rmdir(directory);
    errno = why;
    return -1;
}
