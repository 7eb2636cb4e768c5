/*
 * cloisond: the supervisor, root with four capabilities. Open, drop, close the wall, start router and steward, then work: this file is that
 * list. It parses no byte from a network, opens no tenant's store and holds no tenant's key.
 *
 *   ps:  cloisond                       root     registry, ledger, listeners; starts and ends the others
 *         ├ cloison-router              own uid  accepts and hands over
 *         ├ cloison-steward             own uid  answers staff
 *         ├ cloison-courier             own uid  moves sealed files off the machine; where a destination or a mail relay is configured
 *         └ cloison-worker: NAME        the tenant's uid, own namespaces, one for each tenant that runs
 */
#include "../policy/jail.h"
#include "../policy/version.h"
#include "../policy/wall.h"
#include "anchors.h"
#include "clock.h"
#include "log.h"
#include "monitor.h"
#include "permits.h"
#include "plans.h"
#include "posture.h"
#include "program.h"
#include "requests.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"
#include "undertakings.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BIND_TRIES = 100 }; /* 50 ms apart */

enum { FDS = 262144, PATH_ROOM = PATH_BYTES_MAX + 32 };

static struct supervisor house;
static struct wall_program wall;
static const struct service_kind router_kind = {"cloison-router", PROGRAM_ROUTER, &monitor_router, tell_router_all};
static const struct service_kind steward_kind = {"cloison-steward", PROGRAM_STEWARD, &monitor_steward, tell_steward_all};
static const struct service_kind courier_kind = {"cloison-courier", PROGRAM_COURIER, &monitor_courier, tell_courier_all};

__attribute__((noreturn)) static void die(const char *step) { log_fatal("%s: %s", step, strerror(errno)); }

/* ---- open ---- */

/* A directory of root's that nobody else can change; made when it is not there. */
static void open_directory(const char *path, mode_t mode) {
    struct stat st;
    if (mkdir(path, mode) < 0 && errno != EEXIST) die(path);
    if (stat(path, &st) < 0) die(path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || st.st_mode & 022) log_fatal("%s: must be a directory that root alone can change", path);
    if ((st.st_mode & mode) != mode && chmod(path, mode) < 0) die(path); /* children of other uids pass through it */
}

static const char *within(const char *directory, const char *name) {
    static char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void open_directories(const struct config *c) {
    umask(0022);
    open_directory(c->state_dir, 0711);
    open_directory(within(c->state_dir, "tenants"), 0711);
    open_directory(c->run_dir, 0755);
    open_directory(within(c->run_dir, "web"), 0711);
    umask(0077);
    int lock = open(c->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* for as long as we live */
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
        log_fatal("%s: %s", c->state_dir, errno == EWOULDBLOCK ? "another cloisond runs on it" : strerror(errno));
}

/* A file of the steward's, which has no right to open one. */
static int open_own(const char *name) {
    int fd = open(within(house.config.state_dir, name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) die(name);
    return fd;
}

static void open_state(void) {
    static char ledger_error[LEDGER_ERROR_MAX], registry_error[REGISTRY_ERROR_MAX], record_error[RECORD_ERROR_MAX];
    static char plans_error[PLANS_ERROR_MAX], anchors_error[ANCHORS_WHY_MAX];
    const struct config *c = &house.config;
    house.ledger = ledger_open(c->state_dir, clock_unix_ms(), ledger_error);
    if (!house.ledger) log_fatal("%s", ledger_error);
    ledger_rotate_at(house.ledger, c->ledger_file_max);
    house.registry = registry_open(c->state_dir, c->uid_base, c->uid_count, registry_error);
    if (!house.registry) log_fatal("%s", registry_error);
    house.undertakings = undertakings_open(c->state_dir, record_error);
    if (!house.undertakings) log_fatal("%s", record_error);
    house.notices = notices_open(c->state_dir, record_error);
    if (!house.notices) log_fatal("%s", record_error);
    house.plans = plans_open(c->state_dir, plans_error);
    if (!house.plans) log_fatal("%s", plans_error);
    house.requests = requests_open(c->state_dir, record_error);
    if (!house.requests) log_fatal("%s", record_error);
    if (!anchors_check(&house, anchors_error)) log_fatal("%s", anchors_error);
    for (size_t i = 0; i < registry_count(house.registry); i++)
        if (!supervisor_take(&house, registry_at(house.registry, i))) die("memory");
    house.groups = open_own("groups");
    house.traces = open_own("support");
    const char *wrong = supervisor_open_files(&house, c);
    if (wrong) log_fatal("%s: %s", wrong, strerror(errno));
    if (!cgroup_open(&house.cgroup, c->cgroup)) log_fatal("cgroup: %s", house.cgroup.why);
    if (house.cgroup.directory < 0) log_say("no limits by cgroup: %s", house.cgroup.why);
}

static void open_sockets(void) {
    static const struct listeners none;
    static struct listeners opened;
    const struct config *c = &house.config;
    const char *which;
    /* The router of a supervisor that was killed holds the ports until it has followed it. */
    for (int tries = 0; !listeners_change(&none, c, &opened, &which); tries++) {
        if (errno != EADDRINUSE || tries == BIND_TRIES) log_fatal("listener %s: %s", which, strerror(errno));
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    }
    house.listeners = opened;
    house.status_socket = listener_unix(within(c->run_dir, "status.sock"), c->duty[DUTY_viewer].id, 0660);
    if (house.status_socket < 0) die("status.sock");
    /* Three groups have a duty there and others are told that they have none: the steward asks the kernel who it is. */
    house.control_socket = listener_unix(within(c->run_dir, "control.sock"), 0, 0666);
    if (house.control_socket < 0) die("control.sock");
    for (size_t i = 0; i < house.tenant_count; i++)
        tenant_open_plain(house.tenant[i]);
}

/* As far as we may: a limit that stays low means fewer connections, or a worker that says why it does not start. */
static void raise_limit(int which, rlim_t wanted) {
    struct rlimit limit;
    if (getrlimit(which, &limit) < 0) return;
    struct rlimit more = {wanted, wanted}, most = {limit.rlim_max, limit.rlim_max};
    if (limit.rlim_max >= wanted || setrlimit(which, &more) < 0) setrlimit(which, &most);
}

/* ---- the loop ---- */

static void on_child(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    supervisor_children(&house);
}

static void on_reload(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    supervisor_reload(&house);
}

static void on_end(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    supervisor_leave(&house);
}

static void on_tick(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    supervisor_tick(&house);
}

static void on(evutil_socket_t signal_number, short what, event_callback_fn handler, const struct timeval *every) {
    struct event *e = event_new(house.base, signal_number, what | EV_PERSIST, handler, NULL);
    if (!e || event_add(e, every) < 0) log_fatal("event loop: %s", "no memory");
}

static void open_loop(void) {
    static const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    house.base = event_base_new();
    house.permits = permits_new(processors > 0 ? (uint32_t)processors : 1);
    if (!house.base || !house.permits) die("event loop");
    on(SIGCHLD, EV_SIGNAL, on_child, NULL);
    on(SIGHUP, EV_SIGNAL, on_reload, NULL);
    on(SIGTERM, EV_SIGNAL, on_end, NULL);
    on(SIGINT, EV_SIGNAL, on_end, NULL);
    on(-1, 0, on_tick, &tick);
}

/* ---- seal ---- */

/* While every file can still be read. The others' are known then, too: they are read again only when they have changed. */
static void know_programs(void) {
    static const char *const names[PROGRAMS] = {NULL, "cloison-router", "cloison-steward", "cloison-courier", "cloison-worker"};
    program_hash(PROGRAM_SUPERVISOR, "/proc/self/exe", house.program.hash);
    for (int p = PROGRAM_ROUTER; p < PROGRAMS; p++) {
        uint8_t hash[PROGRAM_HASH];
        program_hash((enum program)p, within(house.config.binaries, names[p]), hash);
    }
}

static void drop(void) {
    if (wall_make(WALL_SUPERVISOR, &wall) < 0) die("list of system calls");
    house.program.syscalls = wall.calls;
    memcpy(house.program.filter_hash, wall.hash, sizeof wall.hash);
    if (jail_keep_capabilities(POSTURE_KEPT) < 0) die("capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) die("no_new_privs");
    if (wall_close(&wall) < 0) die("wall");
    posture_observe(house.layer, &house.capabilities);
    if (house.layer[LAYER_supervisor_caps] != LAYER_ON)
        log_fatal("capabilities: more than SETUID, SETGID, CHOWN, KILL are left (is CAP_SETPCAP missing?)");
    if (house.layer[LAYER_supervisor_seccomp] != LAYER_ON) log_fatal("wall: not closed");
}

static void begin(const char *config_path) {
    house.config_path = config_path;
    house.started_ms = clock_unix_ms();
    house.zones.fd = house.support.fd = -1;
    TAILQ_INIT(&house.queue);
    const struct config *c = &house.config;
    service_begin(&house.router, &router_kind, &house, c->router_uid.id, c->router_gid.id);
    service_begin(&house.steward, &steward_kind, &house, c->steward_uid.id, c->steward_gid.id);
    service_begin(&house.courier, &courier_kind, &house, c->courier_uid.id, c->courier_gid.id);
}

static int usage(void) {
    fprintf(stderr, "usage: cloisond [-tV] [-c FILE]\n");
    return 2;
}

static int version(void) {
    puts("cloisond " CLOISON_VERSION);
    return 0;
}

int main(int argc, char **argv) {
    static char error[CONFIG_ERROR_MAX];
    const char *path = CONFIG_PATH;
    bool test = false;
    for (int option; (option = getopt(argc, argv, "c:tV")) != -1;) {
        if (option == 'c')
            path = optarg;
        else if (option == 't')
            test = true;
        else if (option == 'V')
            return version();
        else
            return usage();
    }
    if (optind != argc) return usage();
    if (!config_load(path, &house.config, error)) log_fatal("%s", error);
    if (test) {
        log_say("%s: fine", path);
        return 0;
    }
    if (geteuid() != 0) log_fatal("needs root, to become the tenants");

    signal(SIGPIPE, SIG_IGN);
    begin(path);
    open_directories(&house.config);
    open_state();
    open_sockets();
    raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
    raise_limit(RLIMIT_NOFILE, FDS);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) die("subreaper");
    open_loop();
    ledger_event(house.ledger, house.started_ms, "begun", (struct ledger_tenant){.name = ""}, "done");
    anchors_keep(&house, house.started_ms);
    know_programs();
    drop();
    service_start(&house.router); /* as at every later time: with what is left */
    service_start(&house.steward);
    if (config_has_courier(&house.config)) service_start(&house.courier);

    if (event_base_dispatch(house.base) < 0) die("event loop");
    plans_keep(house.plans, true);
    for (size_t i = 0; i < house.tenant_count; i++)
        changes_tick(house.tenant[i], clock_ms(), true);
    ledger_event(house.ledger, clock_unix_ms(), "left", (struct ledger_tenant){.name = ""}, "done");
    ledger_flush(house.ledger, clock_unix_ms());
    ledger_close(house.ledger);
    registry_close(house.registry);
    undertakings_close(house.undertakings);
    requests_close(house.requests);
    log_say("gone");
    return 0;
}
