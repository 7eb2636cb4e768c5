/*
 * cloison-worker: one tenant. Open, then seal, then say ready, then work: this file is that list; policy/README.md says why in this order.
 *
 * fds: 2 the log until the wall closes, 3 the channel, 4 the counter page, 5 the tenant's directory with the lock on it.
 * The first thread only waits: everything runs on threads whose stacks lie in the secret arena.
 */
#include "../policy/jail.h"
#include "../policy/limits.h"
#include "../policy/wall.h"
#include "backup/backup.h"
#include "crm/crm.h"
#include "documents/sweep.h"
#include "memory/arena.h"
#include "memory/registers.h"
#include "rotation/rotation.h"
#include "selftest.h"
#include "tenant.h"
#include "uplink.h"
#include "usage/usage.h"
#include "watchdog.h"
#include "web/account.h"
#include "web/identity.h"
#include "web/tls.h"
#include "web/web.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_STACK = 256 * 1024 };

struct tenant self;
static struct wall_program wall;
static enum arena_kind arena;
static int null_fd;
/* The capsule says which of them is in use. */
static const char *const data_file[] = {"data.mdb", "data-2.mdb"};

/* Only before the wall: nothing secret has been read then, and stderr is still the supervisor's log. */
__attribute__((noreturn)) static void die(const char *step) {
    dprintf(STDERR_FILENO, "cloison-worker: tenant %u: %s: %s\n", self.profile.head.tenant, step, strerrorname_np(errno));
    _exit(1);
}

static int open_file(const char *name) {
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) die(name);
    return fd;
}

/* What the libraries know: the same for every tenant, and larger than all that is secret at a start. It is made before the arena is mapped,
 * since a page of secret memory costs a flush of every processor's TLB. */
static void prepare_libraries(void) {
    tzset();
    errno = ENOMEM;
    if (!tls_init()) die("OpenSSL");
    if (!crm_start()) die("ICU");
    if (wall_make(WALL_WORKER, &wall) < 0) die("seccomp");
}

/* All files there will ever be. Landlock comes after them and is inherited by the threads, so this is the first thread's work. */
static void open_files(void) {
    int capsule = open_file("capsule");
    self.capsule = self.profile.enrolled ? capsule_open_enrolled(capsule) : capsule_open(capsule);
    if (!self.capsule) die("capsule");
    if (identity_open(open_file("identity")) < 0) die("identity");
    const char *used = data_file[capsule_data_file(self.capsule)], *other = data_file[!capsule_data_file(self.capsule)];
    if (store_clear_spare(other) < 0) die(other);
    self.store = store_prepare(used, self.profile.quota_bytes);
    if (!self.store) die(used);
    self.second = store_prepare(other, self.profile.quota_bytes);
    if (!self.second) die(other);
}

/* A compromised worker must not fill the provider's disk. Twice the quota, so that one that is raised meanwhile need not always wait for
 * the next start; a file that is larger already, of a quota that was lowered, stays writable. */
static void limit_files(void) {
    struct stat st;
    uint64_t most = 2 * self.profile.quota_bytes + FILE_SLACK;
    for (int i = 0; i < 2; i++) {
        if (stat(data_file[i], &st) < 0) die(data_file[i]);
        if ((uint64_t)st.st_size > most) most = (uint64_t)st.st_size;
    }
    if (jail_limit_files(most) < 0) die("file size");
}

/* The JSON library would open /dev/urandom at its first object. Never zero: that means "find one yourself". */
static void seed_json(void) {
    size_t seed;
    random_bytes(&seed, sizeof seed);
    json_object_seed(seed | 1);
}

static void start_parts(void) {
    seed_json();
    self.base = event_base_new();
    if (!self.base) die("event loop");
    if (account_start() < 0) die("account");
    if (web_start() < 0) die("web");
    uplink_start();
}

/* On the first thread: its stack is ordinary memory, while one in the arena would be shared with the children. */
static void prove_walls(void) {
    const char *broken = selftest(&wall);
    if (!broken) return;
    errno = EPERM;
    die(broken);
}

static void close_wall(void) {
    uint8_t layer[64];
    uint32_t landlock_abi;
    jail_observe(layer, &landlock_abi);
    if (dup2(null_fd, STDERR_FILENO) < 0) die("stderr"); /* S2: from here on no text leaves */
    if (wall_close(&wall) < 0) _exit(1);
    /* Only now are the files taken apart: they may hold what a compromised worker of yesterday put there. The exit status is all that tells
     * why. */
    if (store_begin(self.store) < 0 || identity_begin() < 0) _exit(errno);
    layer[LAYER_seccomp] = LAYER_ON; /* the supervisor reads it in /proc, too */
    layer[LAYER_secret_memory] = arena == ARENA_SECRET ? LAYER_ON : LAYER_UNAVAILABLE;
    uplink_capsule();
    uplink_ready(layer, landlock_abi, wall.calls, wall.hash, arena_size());
    uplink_state();
}

static void *work(void *unused) {
    (void)unused;
    start_parts();
    close_wall();
    for (;;) {
        if (event_base_loop(self.base, EVLOOP_ONCE) < 0) _exit(1);
        web_turn_end();
        rotation_turn();
        usage_turn();
        sweep_turn();
        backup_turn();
        uplink_turn();
        watchdog_turn();
        registers_clear();
    }
    return NULL;
}

int main(void) {
    prepare_libraries();
    uplink_wait_start();
    arena = arena_open(self.profile.memory_bytes, self.profile.secret_memory != SECRET_MEMORY_BEST_EFFORT);
    if (arena == ARENA_NONE) die("secret memory");
    self.counters = counters_map(JAIL_COUNTERS, 1);
    if (!self.counters || close(JAIL_COUNTERS) < 0) die("counters");
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) die("/dev/null");

    if (jail_unshare_as_init() < 0) die("namespaces");
    if (jail_enter_directory() < 0) die("root");
    open_files();
    limit_files();
    if (jail_drop_rights() < 0) die("rights");
    prove_walls();

    pthread_t loop;
    errno = arena_thread(&loop, LOOP_STACK, work, NULL);
    if (errno) die("thread");
    watchdog_run(loop, WATCHDOG_SECONDS);
}
