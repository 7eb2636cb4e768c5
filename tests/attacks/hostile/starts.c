/* Misdeeds of a start and of a life: lies about the walls, silence, sudden ends, too much of everything. */
#include "hostile.h"

#include "../../../policy/jail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ends ---- */

static void leave_well(void) { _exit(0); }
static void leave_badly(void) { _exit(3); }
static void crash(void) { raise(SIGSEGV); }
static void crash_behind_the_wall(void) { *(volatile char *)own_path = *(volatile char *)(uintptr_t)(profile.head.tenant); }
static void close_channel(void) { close(JAIL_CHANNEL); }

static void close_channel_and_live(void) {
    close(JAIL_CHANNEL);
    for (;;)
        wait_ms(1000);
}

static void be_silent(void) {
    for (;;)
        wait_ms(1000);
}

static void nothing(void) {}

static void spin(void) {
    for (volatile unsigned long i = 0;; i++) {
    }
}

/* ---- too much ---- */

/* Bounded: where no cgroup bounds it, the machine of the test must live on. */
static void memory_bomb(void) {
    enum { PIECE = 16 << 20, PIECES = 32 };
    for (int i = 0; i < PIECES; i++) {
        char *p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) break;
        for (size_t at = 0; at < PIECE; at += 4096)
            p[at] = (char)i;
    }
}

static void *idle(void *unused) { return unused; }

static void thread_bomb(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, idle, NULL);
    got_through();
}

/* Every number a reader could stumble over, for ever changing. */
static void counters_garbage(void) {
    static const uint64_t odd[] = {~0ULL, 1ULL << 63, (1ULL << 63) - 1, 1ULL << 53, 0x7ff0000000000000, 0x7ff8000000000001, 10, 0};
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        atomic_store(&counters->value[i], odd[i % (sizeof odd / sizeof *odd)]);
    memset((char *)counters + sizeof *counters, 0xa5, 4096 - sizeof *counters);
}

/* ---- what is in reach with every wall but seccomp ---- */

static bool opens(const char *path, int flags) { return open(path, flags | O_CLOEXEC, 0600) >= 0; }

static bool connects_tcp(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(22), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    /* Refused would mean that it got as far as a machine. */
    return connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == ECONNREFUSED;
}

/* The staff's sockets lie beside the state: ROOT/state/tenants/NAME and ROOT/run/control.sock in a test's house. */
static bool connects_unix(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    snprintf(at.sun_path, sizeof at.sun_path, "%.60s/../../../run/control.sock", own_path);
    return connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

/* Landlock does not look at datagrams; where there is no network they have no way. */
static bool connects_udp(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

/* Not even "you may not": there is nobody else. */
static bool sees_others(void) {
    for (pid_t pid = 2; pid < 2000; pid++)
        if (kill(pid, 0) == 0 || errno != ESRCH) return true;
    return getppid() != 0;
}

static bool reaches(const char *suffix, int flags) {
    char path[4200];
    snprintf(path, sizeof path, "%.4000s/%s", own_path, suffix);
    return opens(path, flags) || opens(suffix, flags);
}

/* The directory that carries the lock was opened outside: it must lead nowhere. */
static bool leaves_by_lock(const char *path) { return openat(JAIL_LOCK, path, O_RDONLY | O_CLOEXEC) >= 0; }

static void try_other_walls(void) {
    const bool got[] = {
        reaches("../acme/data.mdb", O_RDONLY),
        reaches("../acme/identity", O_RDONLY),
        reaches("../../registry", O_RDONLY),
        reaches("../../ledger", O_WRONLY),
        opens("/etc/passwd", O_RDONLY),
        opens("/proc/1/environ", O_RDONLY),
        opens("/proc/self/mem", O_RDWR),
        opens("mine", O_RDWR),
        opens("new", O_RDWR | O_CREAT),
        mkdir("directory", 0700) == 0,
        unlink("mine") == 0,
        rename("mine", "other") == 0,
        leaves_by_lock("../acme/data.mdb"),
        leaves_by_lock("../../../../../../../../etc/passwd"),
        connects_tcp(),
        connects_udp(),
        connects_unix(),
        sees_others(),
        mount("none", "/", "tmpfs", 0, NULL) == 0,
        umount2("/", MNT_DETACH) == 0,
        setresuid(0, 0, 0) == 0,
        setgroups(0, NULL) == 0,
        sethostname("x", 1) == 0,
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
    };
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        if (got[i]) {
            dprintf(STDERR_FILENO, "hostile: attempt %zu got through\n", i);
            got_through();
        }
}

/* As the tenant's uid, but outside of every namespace: uids and modes alone must hold. */
static void try_modes(void) {
    static const char *const others[] = {"../acme/data.mdb", "../acme/capsule", "../acme/identity", "../../ledger", "../../registry", ".."};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (opens(others[i], O_RDONLY) || opens(others[i], O_WRONLY)) got_through();
    if (mkdir("../mine", 0700) == 0 || chown(".", 0, 0) == 0) got_through();
}

/* ---- lies ---- */

/* Ready comes from a child of its own, not from a child of the supervisor. */
static void ready_by_child(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        union message m = ready_message();
        channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1);
        poll(NULL, 0, 60000);
        _exit(0);
    }
}

/* All walls but no_new_privs and the capabilities, which its own namespace would let it keep. */
static void keep_capabilities(void) {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) broken("dumpable");
}

static void claim(size_t layer, uint8_t state) {
    union message m = ready_message();
    m.ready.layer[layer] = state;
    send_raw(JAIL_CHANNEL, &m, sizeof m.ready, NULL, 0);
}
static void claim_landlock_off(void) { claim(LAYER_landlock, LAYER_OFF); }
static void claim_no_secret_memory(void) { claim(LAYER_secret_memory, LAYER_UNAVAILABLE); }
static void claim_nonsense(void) { claim(LAYER_seccomp, 9); }
static void claim_unnamed_layer(void) { claim(63, LAYER_ON); }

/* The provider's disk: a sparse file would do to show it. */
static void fill_the_disk(void) {
    if (pwrite(own_file, "x", 1, (off_t)file_ceiling()) >= 0) got_through();
    if (pwrite(own_file, "x", 1, (off_t)file_ceiling() - 1) != 1) broken("its share");
}

const struct misdeed start_misdeeds[] = {
    {.name = "none"}, /* goes through all of it and harms nobody: what is refused below is refused for its misdeed */
    {.name = "leave-at-once", .first = leave_well},
    {.name = "fail-at-once", .first = leave_badly},
    {.name = "crash-at-once", .first = crash},
    {.name = "crash-ready", .after_ready = crash_behind_the_wall},
    {.name = "leave-ready", .after_ready = leave_well},
    {.name = "close-channel", .after_ready = close_channel_and_live},
    {.name = "close-before-ready", .before_ready = close_channel, .omit = OMIT_READY, .after_ready = be_silent},
    {.name = "never-ready", .omit = OMIT_READY, .after_ready = be_silent},
    {.name = "never-drain", .on_drain = nothing},
    {.name = "deaf", .after_ready = be_silent},
    {.name = "spin", .after_ready = spin},
    {.name = "memory-bomb", .after_ready = memory_bomb},
    {.name = "thread-bomb", .after_ready = thread_bomb},
    {.name = "counters", .after_ready = counters_garbage},
    {.name = "fill-the-disk", .after_ready = fill_the_disk},
    {.name = "other-walls", .before_wall = try_other_walls},
    {.name = "modes", .first = try_modes},
    {.name = "no-namespaces", .omit = OMIT_NAMESPACES},
    {.name = "no-wall", .omit = OMIT_WALL},
    {.name = "no-rights", .omit = OMIT_RIGHTS, .before_wall = keep_capabilities},
    {.name = "nothing-closed", .omit = OMIT_NAMESPACES | OMIT_RIGHTS | OMIT_WALL},
    {.name = "ready-by-child", .omit = OMIT_READY, .before_wall = ready_by_child},
    {.name = "claim-landlock-off", .omit = OMIT_READY, .after_ready = claim_landlock_off},
    {.name = "claim-no-secret-memory", .omit = OMIT_READY, .after_ready = claim_no_secret_memory},
    {.name = "claim-nonsense", .omit = OMIT_READY, .after_ready = claim_nonsense},
    {.name = "claim-unnamed-layer", .omit = OMIT_READY, .after_ready = claim_unnamed_layer},
    {0},
};
