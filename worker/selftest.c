#include "selftest.h"

#include "memory/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK = 16384 };

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

struct attempt {
    const struct wall_program *wall; /* NULL: not closed */
    bool (*gets_through)(void);
};

/* 0: it was refused; 1: it got through. */
static int child(void *p) {
    const struct attempt *attempt = p;
    if (attempt->wall && wall_close(attempt->wall) < 0) return 2;
    return attempt->gets_through() ? 1 : 0;
}

/* The child is as after vfork(): this process stands still meanwhile and lends its memory, which saves nine copies of the page tables; all
 * that is tried is the child's own. */
static bool held(const struct wall_program *wall, size_t i, uint8_t *stack) {
    struct attempt attempt = {tries[i].walled ? wall : NULL, tries[i].attempt};
    pid_t pid = clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &attempt);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return false;
    if (tries[i].walled) return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *selftest(const struct wall_program *wall) {
    const char *broken = NULL;
    uint8_t *stack = arena_scratch(STACK);
    if (!stack) return "memory for the self-test";
    for (size_t i = 0; !broken && i < sizeof tries / sizeof *tries; i++)
        if (!held(wall, i, stack)) broken = tries[i].name;
    arena_scratch_free(stack, STACK);
    return broken;
}
