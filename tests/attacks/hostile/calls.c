/* Misdeeds that are one system call behind the closed wall, and all of them at once from children within the jail. */
#include "hostile.h"

#include "../../../policy/jail.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The arguments are such that the call would do something were it allowed. */
#define CALL(NAME, NUMBER, ...)                                                                                                            \
    static void call_##NAME(void) {                                                                                                        \
        syscall(NUMBER, __VA_ARGS__);                                                                                                      \
        got_through();                                                                                                                     \
    }

static char none[64];
#define HERE       ((long)(uintptr_t)none)
#define PATH(TEXT) ((long)(uintptr_t)(TEXT))

CALL(openat, SYS_openat, AT_FDCWD, PATH("mine"), O_RDONLY, 0)
CALL(openat2, SYS_openat2, AT_FDCWD, PATH("mine"), HERE, 24)
CALL(execve, SYS_execve, PATH("/mine"), HERE, HERE)
CALL(execveat, SYS_execveat, own_file, PATH(""), HERE, HERE, AT_EMPTY_PATH)
CALL(clone, SYS_clone, SIGCHLD, 0, 0, 0, 0)
CALL(clone3, SYS_clone3, HERE, CLONE_ARGS_SIZE_VER0)
CALL(unshare, SYS_unshare, CLONE_NEWUSER)
CALL(setns, SYS_setns, spare_directory, CLONE_NEWNET)
CALL(socket, SYS_socket, AF_INET, SOCK_STREAM, 0)
CALL(socketpair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, HERE)
CALL(connect, SYS_connect, JAIL_CHANNEL, HERE, 2)
CALL(bind, SYS_bind, JAIL_CHANNEL, HERE, 2)
CALL(listen, SYS_listen, JAIL_CHANNEL, 1)
CALL(accept4, SYS_accept4, JAIL_CHANNEL, 0, 0, 0)
CALL(sendto, SYS_sendto, JAIL_CHANNEL, HERE, 16, 0, HERE, 16)
CALL(ptrace, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)
CALL(process_vm_readv, SYS_process_vm_readv, 1, HERE, 1, HERE, 1, 0)
CALL(kill, SYS_kill, -1, SIGTERM)
CALL(pidfd_open, SYS_pidfd_open, 1, 0)
CALL(pidfd_getfd, SYS_pidfd_getfd, JAIL_CHANNEL, 0, 0)
CALL(mount, SYS_mount, PATH("none"), PATH("/"), PATH("tmpfs"), 0, 0)
CALL(umount2, SYS_umount2, PATH("/"), 2)
CALL(pivot_root, SYS_pivot_root, PATH("."), PATH("."))
CALL(chroot, SYS_chroot, PATH("."))
CALL(fchdir, SYS_fchdir, JAIL_LOCK)
CALL(getdents64, SYS_getdents64, spare_directory, HERE, sizeof none)
CALL(unlinkat, SYS_unlinkat, AT_FDCWD, PATH("mine"), 0)
CALL(ftruncate, SYS_ftruncate, own_file, 1L << 40)
CALL(fallocate, SYS_fallocate, own_file, 3 /* a hole in what is there */, 0, 4096)
CALL(dup2, SYS_dup3, JAIL_CHANNEL, 100, 0)
CALL(ioctl, SYS_ioctl, 2, 0x5412, HERE)
CALL(memfd_create, SYS_memfd_create, PATH("x"), 0)
CALL(memfd_secret, SYS_memfd_secret, 0)
CALL(io_uring_setup, SYS_io_uring_setup, 8, HERE)
CALL(bpf, SYS_bpf, 0, HERE, 48)
CALL(perf_event_open, SYS_perf_event_open, HERE, 0, -1, -1, 0)
CALL(userfaultfd, SYS_userfaultfd, 1)
CALL(keyctl, SYS_keyctl, 0, -3, 1)
CALL(add_key, SYS_add_key, PATH("user"), PATH("x"), HERE, 1, -3)
CALL(shmget, SYS_shmget, 1, 4096, 01600)
CALL(msgget, SYS_msgget, 1, 01600)
CALL(prctl, SYS_prctl, 4, 1, 0, 0, 0)
CALL(seccomp, SYS_seccomp, 1, 0, HERE)
CALL(setresuid, SYS_setresuid, 0, 0, 0)
CALL(capset, SYS_capset, HERE, HERE)
CALL(personality, SYS_personality, 0x0400000)
CALL(setrlimit, SYS_prlimit64, 0, RLIMIT_CORE, HERE, 0)
CALL(name_to_handle_at, SYS_name_to_handle_at, AT_FDCWD, PATH("."), HERE, HERE, 0)
CALL(open_by_handle_at, SYS_open_by_handle_at, spare_directory, HERE, 0)
CALL(init_module, SYS_init_module, HERE, 1, PATH(""))
CALL(kexec_load, SYS_kexec_load, 0, 0, HERE, 0)
CALL(reboot, SYS_reboot, 0xfee1dead, 672274793, 0, 0)
CALL(syslog, SYS_syslog, 10, 0, 0)
CALL(mremap, SYS_mremap, HERE & ~4095L, 4096, 8192, 1, 0)
CALL(pkey_mprotect, SYS_pkey_mprotect, HERE & ~4095L, 4096, PROT_READ | PROT_EXEC, -1)
/* Listed, with the one argument that is not. */
CALL(mmap_executable, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(mprotect_executable, SYS_mprotect, HERE & ~4095L, 4096, PROT_READ | PROT_EXEC)
CALL(fcntl_seals, SYS_fcntl, spare_memfd, 1033, 0)
CALL(fcntl_owner, SYS_fcntl, JAIL_CHANNEL, F_SETOWN, 1)
CALL(setsockopt, SYS_setsockopt, JAIL_CHANNEL, IPPROTO_TCP, TCP_ULP, HERE, 4)

#ifdef __x86_64__
CALL(open, SYS_open, PATH("mine"), O_RDONLY, 0)
CALL(fork, SYS_fork, 0)
CALL(vfork, SYS_vfork, 0)
CALL(x32_getpid, 0x40000000 | SYS_getpid, 0)

static void call_i386_getpid(void) {
    long number = 20;
    __asm__ volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
    got_through();
}
#endif

/* ---- all of them ---- */

static bool is_listed(int number) {
    for (size_t i = 0; i < wall_row_count; i++)
        if (wall_row(i).wall == WALL_WORKER && wall_row(i).number == number) return true;
    return false;
}

static bool is_killed(int number) {
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        if (wall_close(&wall) < 0) _exit(1);
        syscall(number, -1, 0, 0, 0, 0, 0);
        _exit(0);
    }
    int status;
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* 335 and 336, uretprobe and uprobe: newer kernels let them pass every filter; they work from the kernel's own trampoline only. */
static void all_calls(void) {
    for (int number = 0; number < 480; number++)
        if (!is_listed(number) && number != 335 && number != 336 && !is_killed(number)) got_through();
}

#define DEED(NAME, TEXT)                                                                                                                   \
    { .name = "call-" TEXT, .after_ready = call_##NAME }

const struct misdeed call_misdeeds[] = {
    {.name = "all-calls", .before_wall = all_calls},
    DEED(openat, "openat"),
    DEED(openat2, "openat2"),
    DEED(execve, "execve"),
    DEED(execveat, "execveat"),
    DEED(clone, "clone"),
    DEED(clone3, "clone3"),
    DEED(unshare, "unshare"),
    DEED(setns, "setns"),
    DEED(socket, "socket"),
    DEED(socketpair, "socketpair"),
    DEED(connect, "connect"),
    DEED(bind, "bind"),
    DEED(listen, "listen"),
    DEED(accept4, "accept4"),
    DEED(sendto, "sendto"),
    DEED(ptrace, "ptrace"),
    DEED(process_vm_readv, "process-vm-readv"),
    DEED(kill, "kill"),
    DEED(pidfd_open, "pidfd-open"),
    DEED(pidfd_getfd, "pidfd-getfd"),
    DEED(mount, "mount"),
    DEED(umount2, "umount2"),
    DEED(pivot_root, "pivot-root"),
    DEED(chroot, "chroot"),
    DEED(fchdir, "fchdir"),
    DEED(getdents64, "getdents64"),
    DEED(unlinkat, "unlinkat"),
    DEED(ftruncate, "ftruncate"),
    DEED(fallocate, "fallocate"),
    DEED(dup2, "dup3"),
    DEED(ioctl, "ioctl"),
    DEED(memfd_create, "memfd-create"),
    DEED(memfd_secret, "memfd-secret"),
    DEED(io_uring_setup, "io-uring-setup"),
    DEED(bpf, "bpf"),
    DEED(perf_event_open, "perf-event-open"),
    DEED(userfaultfd, "userfaultfd"),
    DEED(keyctl, "keyctl"),
    DEED(add_key, "add-key"),
    DEED(shmget, "shmget"),
    DEED(msgget, "msgget"),
    DEED(prctl, "prctl"),
    DEED(seccomp, "seccomp"),
    DEED(setresuid, "setresuid"),
    DEED(capset, "capset"),
    DEED(personality, "personality"),
    DEED(setrlimit, "prlimit64"),
    DEED(name_to_handle_at, "name-to-handle-at"),
    DEED(open_by_handle_at, "open-by-handle-at"),
    DEED(init_module, "init-module"),
    DEED(kexec_load, "kexec-load"),
    DEED(reboot, "reboot"),
    DEED(syslog, "syslog"),
    DEED(mremap, "mremap"),
    DEED(pkey_mprotect, "pkey-mprotect"),
    DEED(mmap_executable, "mmap-executable"),
    DEED(mprotect_executable, "mprotect-executable"),
    DEED(fcntl_seals, "fcntl-seals"),
    DEED(fcntl_owner, "fcntl-owner"),
    DEED(setsockopt, "setsockopt"),
#ifdef __x86_64__
    DEED(open, "open"),
    DEED(fork, "fork"),
    DEED(vfork, "vfork"),
    DEED(x32_getpid, "x32"),
    DEED(i386_getpid, "i386"),
#endif
    {0},
};
