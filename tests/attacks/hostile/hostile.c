#include "hostile.h"

#include "../../../policy/jail.h"
#include "../raw_send.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct message_start profile;
struct counter_page *counters;
struct wall_program wall;
int spare_memfd, spare_pipe, spare_directory, spare_device, own_file;
char own_path[4096];

static const struct misdeed *deed;
static int loop = -1, handover = -1;

void got_through(void) { _exit(THROUGH); }

void broken(const char *step) {
    dprintf(STDERR_FILENO, "hostile: tenant %u: %s: %s\n", profile.head.tenant, step, strerrorname_np(errno));
    _exit(BROKEN);
}

/* ---- talking ---- */

union message plain_message(uint32_t type, uint64_t value) {
    return (union message){
        .plain = {.head = {.type = type, .tenant = profile.head.tenant, .generation = profile.head.generation}, .value = value}};
}

void say(uint32_t type, uint64_t value, int fd) {
    union message m = plain_message(type, value);
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, fd) == CHANNEL_ERROR) _exit(BROKEN);
}

union message ready_message(void) {
    union message m = {
        .ready = {.head = {.type = MESSAGE_WORKER_READY, .tenant = profile.head.tenant, .generation = profile.head.generation},
                  .landlock_abi = 1,
                  .syscalls = wall.calls,
                  .arena_bytes = 1 << 20}};
    memcpy(m.ready.filter_hash, wall.hash, sizeof m.ready.filter_hash);
    for (int i = 0; i < LAYER_COUNT; i++)
        m.ready.layer[i] = i <= LAYER_secret_memory ? LAYER_ON : LAYER_UNKNOWN;
    return m;
}

int send_raw(int socket, const void *bytes, size_t size, const int *fds, size_t count) {
    return raw_send(socket, bytes, size, fds, count, MSG_DONTWAIT) == (ssize_t)size ? 0 : -1;
}

void wait_ms(int ms) {
    struct epoll_event event;
    epoll_wait(loop, &event, 1, ms); /* behind the wall no other way of waiting is left; it holds no fd yet */
}

void unwatch(int fd) { epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL); }

/* ---- start ---- */

/* A name may go on behind two hyphens, for several tenants with one misdeed. */
static const struct misdeed *find(const char *name) {
    const char *end = strstr(name, "--");
    size_t size = end ? (size_t)(end - name) : strlen(name);
    const struct misdeed *const tables[] = {start_misdeeds, call_misdeeds, channel_misdeeds, csr_misdeeds, handover_misdeeds};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct misdeed *m = tables[t]; m->name; m++)
            if (strlen(m->name) == size && memcmp(m->name, name, size) == 0) return m;
    return NULL;
}

/* Nothing is jailed and nothing read yet: the honest program starts as if it had been asked for. */
static int become_real(char **argv) {
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - sizeof ".real");
    if (size < 0) return BROKEN;
    memcpy(path + size, ".real", sizeof ".real");
    char *const none[] = {NULL};
    execve(path, argv, none);
    return BROKEN;
}

static void wait_start(void) {
    union message m;
    int fd;
    struct pollfd waiting = {.fd = JAIL_CHANNEL, .events = POLLIN};
    if (poll(&waiting, 1, START_MS) != 1) broken("poll");
    if (channel_receive(JAIL_CHANNEL, CHANNEL_SUPERVISOR, CHANNEL_WORKER, &m, &fd, NULL) != CHANNEL_OK) broken("first message");
    if (m.head.type != MESSAGE_WORKER_START) broken("not a START");
    profile = m.start;
}

static void open_spares(void) {
    int ends[2];
    if (!getcwd(own_path, sizeof own_path)) broken("getcwd");
    counters = counters_map(JAIL_COUNTERS, 1);
    if (!counters || close(JAIL_COUNTERS) < 0) broken("counters");
    spare_memfd = memfd_create("csr", MFD_CLOEXEC);
    if (spare_memfd < 0 || ftruncate(spare_memfd, CSR_MAX) < 0) broken("memfd");
    if (pipe2(ends, O_CLOEXEC) < 0) broken("pipe");
    spare_pipe = ends[0];
    spare_device = open("/dev/zero", O_RDWR | O_CLOEXEC);
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (spare_device < 0 || loop < 0 || wall_make(WALL_WORKER, &wall) < 0) broken("spares");
}

uint64_t file_ceiling(void) { return 2 * profile.quota_bytes + FILE_SLACK; }

/* The order of worker/main.c, less what this misdeed leaves out. */
static void enter_jail(void) {
    if (!(deed->omit & OMIT_NAMESPACES) && jail_unshare_as_init() < 0) broken("namespaces");
    if (!(deed->omit & (OMIT_ROOT | OMIT_NAMESPACES)) && jail_enter_directory() < 0) broken("root");
    own_file = open("mine", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    spare_directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own_file < 0 || spare_directory < 0) broken("its own file");
    if (jail_limit_files(file_ceiling()) < 0) broken("file size");
    if (!(deed->omit & OMIT_RIGHTS) && jail_drop_rights() < 0) broken("rights");
    if (deed->before_wall) deed->before_wall();
    if (!(deed->omit & OMIT_WALL) && wall_close(&wall) < 0) broken("wall");
    if (deed->before_ready) deed->before_ready();
}

/* ---- an honest life, but for what the misdeed does in it ---- */

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0) _exit(BROKEN);
}

static void take_connections(int socket) {
    union message m;
    int fd;
    uint64_t taken = 0;
    while (taken < HANDOVER_CREDITS && channel_receive(socket, CHANNEL_ROUTER, CHANNEL_WORKER, &m, &fd, NULL) == CHANNEL_OK) {
        taken++;
        close(fd);
    }
    m = plain_message(MESSAGE_CREDIT, taken);
    if (taken) channel_send(socket, CHANNEL_WORKER, &m, -1);
}

static void take_handover(int fd) {
    if (handover >= 0) close(handover);
    handover = fd;
    watch(fd);
}

static void obey(const union message *m, int fd) {
    if (m->head.type == MESSAGE_WORKER_HANDOVER)
        take_handover(fd);
    else if (m->head.type == MESSAGE_WORKER_CSR && deed->on_csr)
        deed->on_csr();
    else if (m->head.type == MESSAGE_WORKER_CHAIN && deed->on_chain)
        deed->on_chain();
    else if (m->head.type == MESSAGE_WORKER_PERMIT && deed->on_permit)
        deed->on_permit();
    else if (m->head.type == MESSAGE_WORKER_LEDGER && deed->on_lines)
        deed->on_lines();
    else if (m->head.type == MESSAGE_WORKER_SNAPSHOT && deed->on_snapshot)
        deed->on_snapshot(); /* and the pipe stays open */
    else if (m->head.type == MESSAGE_WORKER_PLANS && deed->on_plans)
        deed->on_plans();
    else if (m->head.type == MESSAGE_WORKER_DRAIN && deed->on_drain)
        deed->on_drain();
    else if (m->head.type == MESSAGE_WORKER_DRAIN || m->head.type == MESSAGE_WORKER_LOCK)
        _exit(0);
    if (m->head.type == MESSAGE_WORKER_CHAIN || m->head.type == MESSAGE_WORKER_LEDGER) close(fd);
}

static void hear(void) {
    union message m;
    int fd;
    enum channel_result result;
    while ((result = channel_receive(JAIL_CHANNEL, CHANNEL_SUPERVISOR, CHANNEL_WORKER, &m, &fd, NULL)) == CHANNEL_OK)
        obey(&m, fd);
    if (result != CHANNEL_AGAIN) unwatch(JAIL_CHANNEL); /* an honest one would leave */
}

static void live(void) {
    watch(JAIL_CHANNEL);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(loop, &event, 1, -1) != 1) continue;
        if (event.data.fd == JAIL_CHANNEL)
            hear();
        else if (deed->on_handover)
            deed->on_handover(handover);
        else
            take_connections(handover);
    }
}

int main(int argc, char **argv) {
    const char *name = argc > 0 ? strstr(argv[0], ": evil-") : NULL;
    if (!name) return become_real(argv);
    deed = find(name + strlen(": evil-"));
    if (!deed) return UNKNOWN;
    if (deed->first) deed->first();
    wait_start();
    open_spares();
    enter_jail();
    if (!(deed->omit & OMIT_READY)) {
        union message m = ready_message();
        if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1) != CHANNEL_OK) return BROKEN;
        say(MESSAGE_WORKER_STATE, WORKER_SEALED, -1);
    }
    if (deed->after_ready) deed->after_ready();
    live();
}
