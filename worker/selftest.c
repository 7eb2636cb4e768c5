#include "selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each returns true when it got through. Raw calls: what matters is the kernel's answer. */
static bool try_open(void) { return syscall(SYS_openat, AT_FDCWD, "data.mdb", O_RDONLY) >= 0; }
static bool try_create(void) { return syscall(SYS_openat, AT_FDCWD, "new", O_RDWR | O_CREAT, 0600) >= 0; }
static bool try_outside(void) { return syscall(SYS_openat, AT_FDCWD, "/../etc/passwd", O_RDONLY) >= 0; }
static bool try_socket(void) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0; }
static bool try_fork(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0; }
static bool try_exec(void) {
    char *const none[] = {NULL};
    return syscall(SYS_execve, "/data.mdb", none, none) == 0;
}
static bool try_ptrace(void) { return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0; }
static bool try_executable(void) {
    return (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool try_mount(void) { return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL) == 0; }

static const struct {
    const char *name;
    bool (*attempt)(void);
    bool walled; /* with the seccomp wall closed: it must kill; else the other walls must refuse */
} tries[] = {
    {"open under seccomp", try_open, true},           {"socket under seccomp", try_socket, true},
    {"fork under seccomp", try_fork, true},           {"exec under seccomp", try_exec, true},
    {"ptrace under seccomp", try_ptrace, true},       {"executable memory under seccomp", try_executable, true},
    {"create under Landlock", try_create, false},     {"open outside the root", try_outside, false},
    {"mount without capabilities", try_mount, false},
};

/* 0: it was refused; 1: it got through. */
__attribute__((noreturn)) static void child(const struct wall_program *wall, bool (*attempt)(void)) {
    if (wall && wall_close(wall) < 0) _exit(2);
    _exit(attempt() ? 1 : 0);
}

static bool held(const struct wall_program *wall, size_t i) {
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); /* a plain fork, without the C library's handlers */
    if (pid == 0) child(tries[i].walled ? wall : NULL, tries[i].attempt);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return false;
    if (tries[i].walled) return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *selftest(const struct wall_program *wall) {
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        if (!held(wall, i)) return tries[i].name;
    return NULL;
}
