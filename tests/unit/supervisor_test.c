/* The supervisor with real processes: this program is its own worker, honest or lying by its tenant's name, under the real jail. Acts come
 * as the steward would send them. Needs root. */
#include "../../policy/channel.h"
#include "../../policy/counters.h"
#include "../../policy/jail.h"
#include "../../policy/wall.h"
#include "../../supervisor/acts.h"
#include "../../supervisor/announce.h"
#include "../../supervisor/clock.h"
#include "../../supervisor/leaving.h"
#include "../../supervisor/monitor.h"
#include "../../supervisor/permits.h"
#include "../../supervisor/plans.h"
#include "../../supervisor/requests.h"
#include "../../supervisor/reset.h"
#include "../../supervisor/supervisor.h"
#include "../../supervisor/tell.h"
#include "../../supervisor/tenant.h"
#include "../../supervisor/undertakings.h"
#include "../../supervisor/wishes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the worker ---- */

/* A sanitizer's runtime would look for leaks at an exit, behind the wall; and for the signal stack before any call that is known not to
 * return. */
static void leave(int status) { syscall(SYS_exit_group, status); }

static struct message_start profile;
static int loop, csr, capsule;
static bool due, lent;

static void say_as(uint32_t type, uint64_t value, int fd, uint32_t tenant, uint64_t generation) {
    union message m = {.plain = {.head = {.type = type, .tenant = tenant, .generation = generation}, .value = value}};
    if (channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, fd) != CHANNEL_OK) leave(1);
}
static void say(uint32_t type, uint64_t value, int fd) { say_as(type, value, fd, profile.head.tenant, profile.head.generation); }

static union message hear(int *fd) {
    for (;;) {
        struct epoll_event e;
        union message m;
        epoll_wait(loop, &e, 1, -1);
        enum channel_result r = channel_receive(JAIL_CHANNEL, CHANNEL_SUPERVISOR, CHANNEL_WORKER, &m, fd, NULL);
        if (r == CHANNEL_OK) return m;
        if (r != CHANNEL_AGAIN) leave(0);
    }
}

enum { FLIPS = 100 };
static bool is(const char *name) { return strcmp(profile.name, name) == 0; }

static void ready(const uint8_t layer[64]) {
    union message m = {
        .ready = {.head = {.type = MESSAGE_WORKER_READY, .tenant = profile.head.tenant, .generation = profile.head.generation}}};
    memcpy(m.ready.layer, layer, 64);
    channel_send(JAIL_CHANNEL, CHANNEL_WORKER, &m, -1);
}

/* What each liar does once it is ready. */
static void misbehave(const uint8_t layer[64]) {
    if (is("lie-type")) (void)!write(JAIL_CHANNEL, "\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    if (is("lie-size")) (void)!write(JAIL_CHANNEL, "x", 1);
    if (is("lie-twice")) ready(layer);
    if (is("lie-tenant")) say_as(MESSAGE_WORKER_STATE, WORKER_SERVING, -1, profile.head.tenant + 1, profile.head.generation);
    if (is("lie-future")) say_as(MESSAGE_WORKER_STATE, WORKER_SERVING, -1, profile.head.tenant, profile.head.generation + 1);
    if (is("late")) say_as(MESSAGE_WORKER_STATE, WORKER_SERVING, -1, profile.head.tenant, profile.head.generation - 1);
    if (is("lie-csr")) say(MESSAGE_WORKER_CSR_MADE, 3, csr);
    if (is("lie-chain")) say(MESSAGE_WORKER_CHAIN_DONE, CHAIN_INSTALLED, -1);
    if (is("lie-permit")) say(MESSAGE_WORKER_PERMIT_DONE, 0, -1);
    if (is("lie-greedy"))
        for (int i = 0; i <= PERMITS_PER_TENANT + 64; i++)
            say(MESSAGE_WORKER_WANT_PERMIT, 0, -1);
    for (int i = 0; is("lie-flood") && i < 200; i++)
        say(MESSAGE_WORKER_STATE, WORKER_SERVING, -1);
    for (int i = 0; is("lie-late") && i < 200; i++)
        say_as(MESSAGE_WORKER_STATE, WORKER_SERVING, -1, profile.head.tenant, profile.head.generation - 1);
    if (is("lie-capsule")) say(MESSAGE_WORKER_CAPSULE_MADE, 0, csr); /* not sealed, not of its size */
    for (int i = 0; is("lie-capsules") && i < 2; i++)
        say(MESSAGE_WORKER_CAPSULE_MADE, 0, capsule);
    for (int i = 0; is("flips") && i < FLIPS; i++)
        say(MESSAGE_WORKER_STATE, i % 2 ? WORKER_SEALED : WORKER_SERVING, -1);
    if (is("flips")) say(MESSAGE_WORKER_ENROLLED, 0, -1);
    if (is("lie-mute")) close(JAIL_CHANNEL);
}

/* One capsule at a time. */
static void hand_up(void) {
    if (!due || lent) return;
    due = false;
    lent = true;
    say(MESSAGE_WORKER_CAPSULE_MADE, 0, capsule);
}

static void obey(const union message *m, int fd) {
    static bool spying; /* from the first of its certification requests on: whatever it hears, the house hears, too */
    if (spying && m->head.type != MESSAGE_WORKER_CSR) say(MESSAGE_WORKER_SUPPORT_ASK, 0, -1);
    spying = spying || (is("spy") && m->head.type == MESSAGE_WORKER_CSR);
    switch (m->head.type) {
    case MESSAGE_WORKER_DRAIN:
    case MESSAGE_WORKER_LOCK:
        leave(0);
        break;
    case MESSAGE_WORKER_CSR:
        say(MESSAGE_WORKER_CSR_MADE, CSR_MAX, csr);
        break;
    case MESSAGE_WORKER_CAPSULE:
        due = m->plain.value;
        hand_up();
        break;
    case MESSAGE_WORKER_CAPSULE_TAKEN:
        lent = false;
        hand_up();
        break;
    case MESSAGE_WORKER_CHAIN:
        say(MESSAGE_WORKER_CHAIN_DONE, CHAIN_WRONG_KEY, -1);
        break;
    case MESSAGE_WORKER_PROFILE:
        if (strcmp(m->start.title, "enrol") == 0) say(MESSAGE_WORKER_ENROLLED, 0, -1);
        if (strncmp(m->start.title, "plain", 5) == 0) say(MESSAGE_WORKER_PLAIN, strcmp(m->start.title, "plain on") == 0, -1);
        break;
    default:
        break;
    }
    if (fd >= 0 && m->head.type != MESSAGE_WORKER_HANDOVER) close(fd);
}

static int worker(void) {
    static struct wall_program wall;
    uint8_t layer[64];
    uint32_t abi;
    int fd;
    struct epoll_event in = {.events = EPOLLIN};
    loop = epoll_create1(0);
    epoll_ctl(loop, EPOLL_CTL_ADD, JAIL_CHANNEL, &in);
    profile = hear(&fd).start;
    csr = memfd_create("csr", 0);
    capsule = memfd_create("capsule", MFD_ALLOW_SEALING);
    if (ftruncate(capsule, CAPSULE_BYTES) < 0 || fcntl(capsule, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) leave(41);
    if (ftruncate(csr, CSR_MAX) < 0 || wall_make(WALL_WORKER, &wall) < 0 || is("fail")) leave(42);
    if (jail_unshare_as_init() < 0 || jail_enter_directory() < 0) return 11;
    if (is("fail-late")) leave(43);
    if (!is("weak-rights") && jail_drop_rights() < 0) return 12;
    jail_observe(layer, &abi);
    if (!is("weak-wall") && wall_close(&wall) < 0) return 13;
    for (int i = 0; i <= LAYER_secret_memory; i++)
        layer[i] = LAYER_ON; /* whatever it says: the kernel is asked, too */
    if (is("weak-layer")) layer[LAYER_net_namespace] = LAYER_OFF;
    ready(layer);
    misbehave(layer);
    for (;;) {
        union message m = hear(&fd);
        obey(&m, fd);
    }
}

/* ---- the house ---- */

enum { UID_BASE = 2000100000, STAFF = 70100, ALL = (1 << DUTY_COUNT) - 1 };
static struct supervisor house;
static char root[] = "/tmp/cloison-supervisor-XXXXXX";
static int steward_end;
static uint32_t staff = STAFF;
static uint64_t last_request;
static unsigned heard_by_spy; /* messages to the worker of that name */
static union message answer;
static int answer_fd = -1;

static void steward_said(void *context, const union message *m, int fd, pid_t pid) { (void)context, (void)m, (void)fd, (void)pid; }
static void steward_ended(void *context, enum link_end why) { (void)context, (void)why; }
static const struct link_handler steward_handler = {CHANNEL_STEWARD, 1 << 20, steward_said, steward_ended};
static const struct service_kind no_kind = {.name = "none"};

static void on_child(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    supervisor_children(&house);
}

static unsigned pages; /* of counters that the steward was given */

static void turn(void) {
    union message m;
    int fd;
    event_base_loop(house.base, EVLOOP_NONBLOCK);
    supervisor_tick(&house);
    while (channel_receive(steward_end, CHANNEL_SUPERVISOR, CHANNEL_STEWARD, &m, &fd, NULL) == CHANNEL_OK) {
        pages += m.head.type == MESSAGE_STEWARD_COUNTERS;
        heard_by_spy += m.head.type == MESSAGE_STEWARD_SUPPORT_ASK;
        if (m.head.type == MESSAGE_STEWARD_ANSWER) {
            answer = m;
            answer_fd = fd;
        } else if (fd >= 0)
            close(fd);
    }
    usleep(1000);
}

#define UNTIL(CONDITION)                                                                                                                   \
    do {                                                                                                                                   \
        uint64_t limit = clock_ms() + 15000;                                                                                               \
        while (!(CONDITION) && clock_ms() < limit)                                                                                         \
            turn();                                                                                                                        \
        assert_true(CONDITION);                                                                                                            \
    } while (0)

/* One act; its result. */
static uint32_t act_with(struct message_act act, enum verb verb, uint32_t duties, int fd) {
    uint64_t now = clock_unix_ms();
    if (!undertakings_of(house.undertakings, staff)) assert_true(undertakings_sign(house.undertakings, staff, now, now + 3600000, "Test"));
    act.request = ++last_request;
    act.verb = verb;
    memset(&answer, 0, sizeof answer);
    if (answer_fd >= 0) close(answer_fd);
    answer_fd = -1;
    acts_do(&house, (struct person){.uid = staff, .duties = duties}, &act, fd);
    UNTIL(answer.answer.request == last_request);
    return answer.answer.result;
}

static struct message_act named(const char *name) {
    struct message_act act = {0};
    snprintf(act.name, sizeof act.name, "%s", name);
    return act;
}

static uint32_t act(const char *name, enum verb verb) { return act_with(named(name), verb, ALL, -1); }

static uint32_t create(const char *name) {
    struct message_act a = named(name);
    a.set = ACT_HOSTS;
    a.host_count = 1;
    snprintf(a.host[0], sizeof a.host[0], "%s.example.org", name);
    return act_with(a, VERB_create, ALL, -1);
}

static uint32_t set_title(const char *name, const char *title) {
    struct message_act a = named(name);
    a.set = ACT_TITLE;
    snprintf(a.title, sizeof a.title, "%s", title);
    return act_with(a, VERB_set, ALL, -1);
}

static struct tenant *tenant(const char *name) {
    const struct registry_tenant *entry = registry_by_name(house.registry, name);
    assert_non_null(entry);
    return supervisor_tenant(&house, entry->number);
}

static int open_house(void **state) {
    (void)state;
    char error[512], command[256];
    int end[2];
    assert_non_null(mkdtemp(root));
    chmod(root, 0711);
    snprintf(command, sizeof command,
             "cd %s && mkdir -m 711 tenants run run/web && cp /proc/%d/exe cloison-worker && chmod 755 cloison-worker", root, getpid());
    assert_int_equal(system(command), 0);
    struct config *c = &house.config;
    *c = (struct config){.uid_base = UID_BASE,
                         .uid_count = 100,
                         .max_workers = 50,
                         .sample_ms = 1000,
                         .mode = MODE_SHARED,
                         .ledger_file_max = 16 << 20,
                         .default_quota = 1 << 20,
                         .region = "local",
                         .arena_bytes = 4 << 20,
                         .secret_memory = SECRET_MEMORY_REQUIRED,
                         .connections = 10,
                         .https_port = 443,
                         .proxy_group = {.id = CONFIG_NOBODY}};
    snprintf(c->state_dir, sizeof c->state_dir, "%s", root);
    snprintf(c->binaries, sizeof c->binaries, "%s", root);
    snprintf(c->run_dir, sizeof c->run_dir, "%s/run", root);
    TAILQ_INIT(&house.queue);
    house.cgroup.directory = -1;
    house.base = event_base_new();
    house.permits = permits_new(2);
    house.ledger = ledger_open(root, clock_unix_ms(), error);
    house.registry = registry_open(root, UID_BASE, 100, error);
    house.undertakings = undertakings_open(root, error);
    house.requests = requests_open(root, error);
    assert_non_null(house.undertakings);
    house.notices = notices_open(root, error);
    assert_non_null(house.notices);
    house.plans = plans_open(root, error);
    assert_non_null(house.plans);
    assert_non_null(house.ledger);
    assert_non_null(house.registry);
    event_add(event_new(house.base, SIGCHLD, EV_SIGNAL | EV_PERSIST, on_child, NULL), NULL);
    assert_int_equal(channel_pair(end), 0);
    steward_end = end[1];
    service_begin(&house.router, &no_kind, &house, 1, 1);
    service_begin(&house.steward, &no_kind, &house, 2, 2);
    house.steward.link = link_open(house.base, end[0], &steward_handler, NULL);
    house.steward.starts = 1;
    return create("well") == ACT_DONE && act("well", VERB_start) == ACT_DONE ? 0 : -1;
}

static int close_house(void **state) {
    (void)state;
    char command[128];
    bool alive = true;
    for (size_t i = 0; i < house.tenant_count; i++)
        tenant_event(house.tenant[i], LIFE_STOP);
    while (alive) {
        turn();
        alive = false;
        for (size_t i = 0; i < house.tenant_count; i++)
            alive = alive || life_alive(&house.tenant[i]->life);
    }
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

/* ---- tests ---- */

static void a_new_tenant_has_a_code_and_a_closed_directory(void **state) {
    (void)state;
    char path[128];
    struct stat st;
    assert_int_equal(create("acme"), ACT_DONE);
    assert_int_equal(strlen(answer.answer.code), ENROL_CODE_TEXT - 1);
    snprintf(path, sizeof path, "%s/tenants/acme", root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, tenant("acme")->entry->uid);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(create("acme"), ACT_EXISTS);
    assert_int_equal(act("acme", VERB_enrol_code), ACT_DONE);
    assert_int_equal(strlen(answer.answer.code), ENROL_CODE_TEXT - 1);
    assert_int_equal(act("nobody", VERB_start), ACT_NO_TENANT);
}

/* C5: where there is no provider nobody is given a worker's numbers */
static void nothing_is_counted_where_there_is_no_provider(void **state) {
    (void)state;
    assert_int_equal(create("own"), ACT_DONE);
    house.config.mode = MODE_ON_PREMISE;
    unsigned before = pages;
    assert_int_equal(act("own", VERB_start), ACT_DONE);
    assert_int_equal(act("own", VERB_stop), ACT_DONE);
    assert_int_equal(pages, before);
    assert_int_equal(act("own", VERB_publish), ACT_MODE);
    house.config.mode = MODE_SHARED;
    assert_int_equal(act("own", VERB_start), ACT_DONE);
    assert_int_equal(pages, before + 1);
    assert_int_equal(act("own", VERB_stop), ACT_DONE);
}

static void a_crash_backs_off_and_is_felt_by_nobody_else(void **state) {
    (void)state;
    pid_t well = tenant("well")->process.pid;
    assert_int_equal(create("crash"), ACT_DONE);
    assert_int_equal(act("crash", VERB_start), ACT_DONE);
    struct tenant *t = tenant("crash");
    assert_int_equal(t->life.generation, 1);
    kill(t->process.pid, SIGKILL);
    UNTIL(t->life.state == LIFE_THROTTLED);
    assert_int_equal(t->last_exit, -SIGKILL);
    assert_int_equal(act("crash", VERB_start), ACT_DONE); /* staff does not wait */
    assert_int_equal(t->life.generation, 2);
    assert_int_equal(act("crash", VERB_stop), ACT_DONE);
    assert_int_equal(t->life.state, LIFE_STOPPED);
    assert_int_equal(tenant("well")->process.pid, well);
    assert_true(life_ready(&tenant("well")->life));
}

static void a_failed_start_says_its_status(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int32_t status;
    } rows[] = {{"fail", 42}, {"fail-late", 43}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(create(rows[i].name), ACT_DONE);
        assert_int_equal(act(rows[i].name, VERB_start), ACT_FAILED);
        assert_int_equal(tenant(rows[i].name)->life.state, LIFE_THROTTLED);
        assert_int_equal(tenant(rows[i].name)->last_exit, rows[i].status);
    }
}

static void a_worker_without_its_walls_does_not_serve(void **state) {
    (void)state;
    static const char *const names[] = {"weak-wall", "weak-rights", "weak-layer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(create(names[i]), ACT_DONE);
        assert_int_equal(act(names[i], VERB_start), ACT_FAILED);
        assert_int_equal(tenant(names[i])->life.ready_at, 0);
        assert_int_equal(tenant(names[i])->life.crashes, 1);
    }
    house.config.allow_missing = 1ULL << LAYER_net_namespace;
    assert_int_equal(act("weak-layer", VERB_start), ACT_DONE);
    house.config.allow_missing = 0;
    assert_int_equal(act("weak-layer", VERB_stop), ACT_DONE);
}

static void a_lying_worker_ends_and_nobody_else(void **state) {
    (void)state;
    static const char *const names[] = {"lie-type",   "lie-size",   "lie-twice", "lie-tenant", "lie-future", "lie-csr",     "lie-chain",
                                        "lie-permit", "lie-greedy", "lie-flood", "lie-late",   "lie-mute",   "lie-capsule", "lie-capsules"};
    pid_t well = tenant("well")->process.pid;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(create(names[i]), ACT_DONE);
        act(names[i], VERB_start); /* done or failed: the lie may come first */
        struct tenant *t = tenant(names[i]);
        UNTIL(t->life.state == LIFE_THROTTLED);
        assert_int_equal(t->life.crashes, 1);
        assert_int_equal(act(names[i], VERB_suspend), ACT_DONE);
    }
    assert_int_equal(tenant("well")->process.pid, well);
    assert_true(life_ready(&tenant("well")->life));
    assert_int_equal(permits_next(house.permits, 0), 0); /* what they held is free, what they wanted forgotten */
}

static void a_late_message_is_ignored(void **state) {
    (void)state;
    assert_int_equal(create("late"), ACT_DONE);
    assert_int_equal(act("late", VERB_start), ACT_DONE);
    for (int i = 0; i < 50; i++)
        turn();
    assert_int_equal(tenant("late")->life.state, LIFE_SEALED); /* not serving, not dead */
    assert_int_equal(act("late", VERB_stop), ACT_DONE);
}

static void staff_verbs_move_a_worker(void **state) {
    (void)state;
    struct tenant *t = tenant("acme");
    assert_int_equal(act("acme", VERB_csr), ACT_DONE); /* starts it */
    assert_int_equal(answer.answer.value, CSR_MAX);
    assert_true(answer_fd >= 0);
    int chain = memfd_create("chain", MFD_CLOEXEC);
    assert_int_equal(act_with(named("acme"), VERB_cert, ALL, fcntl(chain, F_DUPFD_CLOEXEC, 0)), ACT_BAD_FIELD); /* empty */
    assert_int_equal(write(chain, "PEM", 3), 3);
    assert_int_equal(act_with(named("acme"), VERB_cert, ALL, chain), ACT_FAILED);
    assert_int_equal(answer.answer.detail, CHAIN_WRONG_KEY);
    assert_int_equal(act("acme", VERB_cert), ACT_BAD_FIELD); /* without a chain */
    assert_int_equal(act("acme", VERB_resume), ACT_WRONG_STATE);
    assert_int_equal(act("acme", VERB_suspend), ACT_DONE);
    assert_int_equal(t->life.state, LIFE_SUSPENDED);
    assert_true(t->entry->suspended);
    static const enum verb refused[] = {VERB_start, VERB_suspend, VERB_csr, VERB_lock};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(act("acme", refused[i]), ACT_WRONG_STATE);
    tenant_event(t, LIFE_WANT);
    assert_int_equal(t->life.state, LIFE_SUSPENDED);
    assert_int_equal(act("acme", VERB_resume), ACT_DONE);
    assert_int_equal(act("acme", VERB_lock), ACT_DONE);
    assert_int_equal(t->life.state, LIFE_STOPPED);
    assert_int_equal(t->last_exit, 0);
}

static void what_its_administrator_did_is_kept(void **state) {
    (void)state;
    struct tenant *t = tenant("well");
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/run/web/well.sock", root);
    assert_int_equal(set_title("well", "plain on"), ACT_DONE);
    UNTIL(t->entry->plain);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* no proxy's group: root's alone */
    assert_int_equal(set_title("well", "plain off"), ACT_DONE);
    UNTIL(!t->entry->plain);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(set_title("well", "enrol"), ACT_DONE);
    UNTIL(t->entry->enrolled);
    assert_false(t->entry->has_code);
    assert_int_equal(act("well", VERB_enrol_code), ACT_WRONG_STATE);
}

static uint32_t at_place(const char *name, enum verb verb, const char *place) {
    struct message_act a = named(name);
    a.set = ACT_PLACE;
    snprintf(a.place, sizeof a.place, "%s", place);
    return act_with(a, verb, ALL, -1);
}

static void a_copy_lies_where_the_registry_says(void **state) {
    (void)state;
    struct tenant *t = tenant("well");
    struct stat st;
    char path[128];
    house.config.place_count = 1;
    snprintf(house.config.place[0].name, sizeof house.config.place[0].name, "vault");
    snprintf(house.config.place[0].path, sizeof house.config.place[0].path, "%s/vault", root);
    assert_int_equal(at_place("well", VERB_capsule_copy, "cellar"), ACT_BAD_FIELD);
    assert_int_equal(act("well", VERB_capsule_copy), ACT_BAD_FIELD);
    assert_int_equal(answer.answer.detail, ACT_PLACE);
    assert_int_equal(at_place("acme", VERB_capsule_copy, "vault"), ACT_WRONG_STATE); /* not enrolled */
    assert_int_equal(at_place("well", VERB_capsule_forget, "vault"), ACT_WRONG_STATE);
    assert_int_equal(at_place("well", VERB_capsule_copy, "vault"), ACT_FAILED); /* no directory: listed all the same */
    assert_int_equal(answer.answer.detail, COPY_NOT_WRITTEN);
    assert_string_equal(t->entry->place[0], "vault");
    assert_int_equal(mkdir(house.config.place[0].path, 0700), 0);
    assert_int_equal(chmod(house.config.place[0].path, 0750), 0);
    assert_int_equal(at_place("well", VERB_capsule_copy, "vault"), ACT_FAILED);
    assert_int_equal(answer.answer.detail, COPY_PLACE_OPEN);
    assert_int_equal(chmod(house.config.place[0].path, 0700), 0);
    assert_int_equal(at_place("well", VERB_capsule_copy, "vault"), ACT_DONE);
    assert_true(t->copy[0].current);
    snprintf(path, sizeof path, "%s/vault/well.capsule", root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, CAPSULE_BYTES);
    assert_int_equal(at_place("well", VERB_capsule_forget, "vault"), ACT_DONE);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(t->entry->place_count, 0);
}

/* At each act anew (S1): without an undertaking in force nothing is done, and the refusal is recorded. */
static void no_duty_works_without_an_undertaking(void **state) {
    (void)state;
    uint64_t now = clock_unix_ms();
    assert_int_equal(act("well", VERB_start), ACT_DONE);
    assert_true(undertakings_end(house.undertakings, staff, now));
    assert_int_equal(act("well", VERB_start), ACT_UNDERTAKING);
    assert_int_equal(answer.answer.detail, UNDERTAKING_ENDED);
    assert_true(undertakings_sign(house.undertakings, staff, now - 2000, now - 1000, "Test"));
    assert_int_equal(act("well", VERB_start), ACT_UNDERTAKING);
    assert_int_equal(answer.answer.detail, UNDERTAKING_EXPIRED);
    assert_true(undertakings_sign(house.undertakings, staff, now + 3600000, now + 7200000, "Test"));
    assert_int_equal(act("well", VERB_start), ACT_UNDERTAKING);
    assert_int_equal(answer.answer.detail, UNDERTAKING_FUTURE);
    assert_int_equal(act("", VERB_undertaking_show), ACT_DONE);
    struct message_act sign = {.set = ACT_NUMBER | ACT_UNTIL, .number = UNDERTAKING_VERSION, .until_ms = now - 1};
    assert_int_equal(act_with(sign, VERB_undertaking_sign, ALL, -1), ACT_BAD_FIELD);
    sign.set = ACT_NUMBER;
    assert_int_equal(act_with(sign, VERB_undertaking_sign, 0, -1), ACT_REFUSED);
    strcpy(sign.title, "a\tb"); /* not said to be given: nobody has looked at it */
    assert_int_equal(act_with(sign, VERB_undertaking_sign, ALL, -1), ACT_DONE);
    assert_int_equal(act("well", VERB_start), ACT_DONE);
}

/* Then no act of a person can be dated; a start takes the clock as it is. */
static void a_clock_that_was_set_back_stops_acts(void **state) {
    (void)state;
    ledger_event(house.ledger, clock_unix_ms() + LEDGER_CLOCK_MS + 60000, "started", (struct ledger_tenant){.name = ""}, "done");
    assert_int_equal(act("well", VERB_start), ACT_CLOCK);
    assert_int_equal(act("", VERB_undertaking_show), ACT_DONE);
    char error[LEDGER_ERROR_MAX];
    ledger_close(house.ledger);
    house.ledger = ledger_open(root, clock_unix_ms(), error);
    assert_non_null(house.ledger);
    assert_int_equal(act("well", VERB_start), ACT_DONE);
}

static uint32_t reset_by(const char *name, uint32_t uid) {
    uint32_t before = staff;
    staff = uid;
    uint32_t result = act(name, VERB_reset);
    staff = before;
    return result;
}

static void a_reset_takes_two(void **state) {
    (void)state;
    char path[128];
    assert_int_equal(create("lost"), ACT_DONE);
    struct tenant *t = tenant("lost");
    assert_int_equal(set_title("lost", "enrol"), ACT_DONE);
    assert_int_equal(act("lost", VERB_start), ACT_DONE);
    assert_int_equal(set_title("lost", "enrol"), ACT_DONE);
    UNTIL(t->entry->enrolled);
    snprintf(path, sizeof path, "%s/tenants/lost/capsule", root);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "slots", 5), 5);
    close(fd);
    assert_int_equal(chown(path, t->entry->uid, t->entry->uid), 0);
    assert_int_equal(reset_by("lost", STAFF), ACT_PENDING);
    assert_int_equal(reset_by("lost", STAFF), ACT_WRONG_STATE);
    const struct request *open = requests_open_about(house.requests, REQUEST_reset, t->entry->number, clock_unix_ms());
    assert_non_null(open);
    assert_true(requests_end(house.requests, request_find(requests_book(house.requests), open->id), 0, REQUEST_EXPIRED, clock_unix_ms()));
    assert_int_equal(reset_by("lost", STAFF + 1), ACT_PENDING);
    assert_true(t->entry->enrolled);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(reset_by("lost", STAFF + 2), ACT_DONE);
    assert_int_equal(strlen(answer.answer.code), ENROL_CODE_TEXT - 1);
    assert_int_equal(access(path, F_OK), -1);
    assert_false(t->entry->enrolled);
    assert_true(t->entry->has_code);
    assert_false(t->entry->resetting);
    assert_int_equal(t->life.state, LIFE_STOPPED);
    assert_int_equal(reset_by("lost", STAFF + 2), ACT_PENDING); /* and again it would take two */
}

/* S14: what its administrator said at one end of the contract destroys nothing at another */
static void a_stale_word_destroys_nothing(void **state) {
    (void)state;
    const struct rlimit none = {1, RLIM_INFINITY};
    struct rlimit was;
    assert_int_equal(create("leaver"), ACT_DONE);
    struct tenant *t = tenant("leaver");
    assert_int_equal(set_title("leaver", "enrol"), ACT_DONE);
    assert_int_equal(act("leaver", VERB_start), ACT_DONE);
    assert_int_equal(set_title("leaver", "enrol"), ACT_DONE);
    UNTIL(t->entry->enrolled);
    assert_int_equal(act("leaver", VERB_contract_end), ACT_DONE);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0); /* the disk takes nothing */
    leaving_heard(t, LEAVING_DESTROY);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_true(t->leaving_at);
    assert_int_equal(act("leaver", VERB_contract_resume), ACT_DONE);
    assert_int_equal(act("leaver", VERB_contract_end), ACT_DONE);
    leaving_tick(t, UINT64_MAX);
    assert_false(t->entry->resetting || t->entry->contract.gone_ms);
    assert_int_equal(act("leaver", VERB_stop), ACT_DONE);
}

/* S14: a drill that was cut short left a whole store in a folder of its own. */
static void a_reset_takes_what_a_drill_left(void **state) {
    (void)state;
    char folder[128], path[160];
    assert_int_equal(create("drilled"), ACT_DONE);
    struct tenant *t = tenant("drilled");
    uid_t uid = t->entry->uid;
    snprintf(folder, sizeof folder, "%s/drills", root);
    assert_int_equal(mkdir(folder, 0711), 0);
    assert_int_equal(chmod(folder, 0711), 0);
    snprintf(folder, sizeof folder, "%s/drills/drilled", root);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(chown(path, uid, uid) | chown(folder, uid, uid), 0);
    t->backups.job = 9; /* one is under way: it is waited for */
    t->backups.task = TASK_GIVE;
    assert_true(reset_begin(t, false));
    UNTIL(t->reset_again);
    assert_int_equal(t->emptier, 0);
    assert_int_equal(access(path, F_OK), 0);
    t->backups.job = 0;
    for (uint64_t limit = clock_ms() + 15000; t->entry->resetting && clock_ms() < limit; turn()) {
        t->reset_again = 0;                                   /* nobody waits here */
        assert_true(!t->emptier || access(folder, F_OK) < 0); /* before its directory */
    }
    assert_false(t->entry->resetting);
    assert_int_equal(access(folder, F_OK), -1);
}

/* A tenant with a plan for a destination that is there, with nobody to carry anything to it. */
static struct tenant *with_a_plan(const char *name) {
    if (!registry_by_name(house.registry, name)) assert_int_equal(create(name), ACT_DONE);
    struct tenant *t = tenant(name);
    house.config.destination_count = 1;
    strcpy(house.config.destination[0].name, "medium");
    struct plan_row row = {
        .tenant = t->entry->number, .kind = BACKUP_COPY, .destination = "medium", .period_minutes = 60, .keep_hours = 24};
    assert_true(plans_put(house.plans, &row));
    return t;
}

static void without_plans(const struct tenant *t) {
    assert_true(plans_remove(house.plans, t->entry->number, BACKUP_COPY));
    house.config.destination_count = 0;
    house.courier.state = 0;
}

static void no_courier_is_said_at_once(void **state) {
    (void)state;
    static const enum verb verbs[] = {VERB_backup_list, VERB_backup_verify};
    struct tenant *t = with_a_plan("planned");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        house.courier.state = 0;
        house.config.destination_count = 1;
        assert_int_equal(act("planned", verbs[i]), ACT_FAILED);
        assert_int_equal(answer.answer.detail, BACKUP_NO_COURIER);
        house.courier.state = SERVICE_READY;
        house.config.destination_count = 0; /* out of the configuration */
        assert_int_equal(act("planned", verbs[i]), ACT_FAILED);
        assert_int_equal(answer.answer.detail, BACKUP_NO_COURIER);
        assert_int_equal(t->backups.job, 0);
    }
    without_plans(t);
}

/* A list that a courier was asked for and did not give, or could not. */
static void a_list_that_fails_is_answered(void **state) {
    (void)state;
    struct tenant *t = with_a_plan("planned");
    for (int lost = 0; lost < 2; lost++) {
        struct errand list = {.verb = VERB_backup_list, .request = ++last_request, .steward = house.steward.starts, .uid = staff, .fd = -1};
        assert_true(errand_take(t, &list));
        t->backups.job = 7;
        t->backups.task = TASK_LIST;
        t->backups.kind_now = BACKUP_COPY;
        struct message_outcome o = {.job = 7, .task = TASK_LIST, .kind = BACKUP_COPY, .result = BACKUP_SPOOL};
        if (lost)
            backups_lost(&house);
        else
            assert_true(backups_outcome(t, &o, -1));
        UNTIL(answer.answer.request == last_request);
        assert_int_equal(answer.answer.result, ACT_FAILED);
        assert_int_equal(answer.answer.detail, lost ? BACKUP_NO_COURIER : BACKUP_SPOOL);
        assert_null(errand_asked(t, VERB_backup_list));
    }
    without_plans(t);
}

/* C7: a snapshot that is none, or not a new one, is never done */
static void only_a_new_snapshot_is_done(void **state) {
    (void)state;
    struct tenant *t = with_a_plan("planned");
    struct plan_row row = *plans_find(house.plans, t->entry->number, BACKUP_COPY);
    row.number = 7;
    plans_note(house.plans, &row);
    const uint64_t numbers[] = {0, 1, 7, 8};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct message_outcome o = {.job = 9, .task = TASK_TAKE, .kind = BACKUP_COPY, .newest = {.number = numbers[i], .taken_ms = 5}};
        t->backups.job = 9;
        t->backups.task = TASK_TAKE;
        t->backups.kind_now = BACKUP_COPY;
        t->backups.now_ms = 5;
        assert_int_equal(backups_outcome(t, &o, -1), numbers[i] == 8);
        assert_int_equal(plans_find(house.plans, t->entry->number, BACKUP_COPY)->number, numbers[i] == 8 ? 8 : 7);
        assert_int_equal(t->backups.kind[BACKUP_COPY].unsent, numbers[i] == 8);
    }
    t->backups.kind[BACKUP_COPY] = (struct backup){0};
    without_plans(t);
}

/* ---- whose snapshot is taken ---- */

/* One whose worker runs, with a plan for a destination that a courier can reach. */
static struct tenant *with_a_worker(const char *name) {
    if (!registry_by_name(house.registry, name)) {
        assert_int_equal(create(name), ACT_DONE);
        assert_int_equal(set_title(name, "enrol"), ACT_DONE);
        assert_int_equal(act(name, VERB_start), ACT_DONE);
        assert_int_equal(set_title(name, "enrol"), ACT_DONE);
        UNTIL(tenant(name)->entry->enrolled);
    }
    assert_int_equal(act(name, VERB_start), ACT_DONE);
    struct tenant *t = with_a_plan(name);
    t->backups.kind[BACKUP_COPY] = (struct backup){.listed = true};
    house.courier.state = SERVICE_READY;
    return t;
}

static void courier_says(struct tenant *t, enum backup_result result) {
    struct message_outcome o = {.job = t->backups.job, .task = t->backups.task, .kind = BACKUP_COPY, .result = result};
    const struct plan_row *row = plans_find(house.plans, t->entry->number, BACKUP_COPY);
    if (t->backups.task == TASK_TAKE) o.newest = (struct snapshot_row){.number = row->number + 1, .taken_ms = t->backups.now_ms};
    assert_true(backups_outcome(t, &o, -1));
}

/* The next one whose snapshot is taken. Whoever adopts is told that it is done. */
static struct tenant *taken(void) {
    for (int i = 0; i < 100 && !house.taking; i++) {
        for (size_t j = 0; j < house.tenant_count; j++)
            if (house.tenant[j]->backups.job && house.tenant[j]->backups.task == TASK_ADOPT) courier_says(house.tenant[j], BACKUP_DONE);
        turn();
    }
    return supervisor_tenant(&house, house.taking);
}

static void done_with(struct tenant *a, struct tenant *b) {
    struct tenant *const both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        without_plans(both[i]);
        both[i]->backups = (struct backups){0};
    }
    house.taking = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(act(both[i]->entry->name, VERB_stop), ACT_DONE);
}

/* C7: a worker whose snapshot fails again and again, and which asks for the next one each time, keeps nobody from theirs */
static void tenants_take_turns(void **state) {
    (void)state;
    struct tenant *greedy = with_a_worker("greedy"), *next = with_a_worker("next");
    struct backup *b = &greedy->backups.kind[BACKUP_COPY];
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(taken(), greedy);
        backups_asked(next, BACKUP_COPY);
        courier_says(greedy, BACKUP_STALLED);
        backups_asked(greedy, BACKUP_COPY); /* the first to ask, */
        b->again_at = i % 2 ? b->again_at : 0;
        b->adopted = true;
        assert_ptr_equal(taken(), next); /* and the last to be heard */
        b->again_at = 0;
        courier_says(next, BACKUP_DONE);
        next->backups.kind[BACKUP_COPY].unsent = false;
    }
    assert_ptr_equal(taken(), greedy);
    courier_says(greedy, BACKUP_STALLED);
    backups_asked(greedy, BACKUP_COPY);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(greedy->backups.job, 0); /* not before its time, */
    b->asked = 1;
    assert_ptr_equal(taken(), greedy); /* unless staff has mended what was wrong */
    done_with(greedy, next);
}

/* C7: a destination that does not answer holds up the snapshots that go elsewhere no more than a broken courier does */
static void nobody_waits_for_anothers_destination(void **state) {
    (void)state;
    struct tenant *slow = with_a_worker("greedy"), *quick = with_a_worker("next");
    UNTIL(slow->backups.job && quick->backups.job);
    assert_int_equal(slow->backups.task, TASK_ADOPT); /* and no answer comes */
    courier_says(quick, BACKUP_DONE);
    UNTIL(quick->backups.job);
    assert_int_equal(quick->backups.task, TASK_TAKE);
    assert_int_equal(house.taking, quick->entry->number);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(house.courier.state, SERVICE_READY);
    quick->backups.ends_at = clock_ms();
    static const struct service_kind kind = {.name = "a courier"};
    house.courier.kind = &kind;
    UNTIL(house.courier.state != SERVICE_READY);
    house.courier.kind = NULL;
    house.courier.retry_at = 0;
    slow->backups.job = 0;
    slow->backups.kind[BACKUP_COPY].adopted = true;
    backups_lost(&house); /* what the next one begins with */
    assert_int_equal(house.taking, 0);
    assert_false(quick->backups.kind[BACKUP_COPY].adopted || slow->backups.kind[BACKUP_COPY].adopted);
    done_with(slow, quick);
}

/* What a worker says again writes nothing, what it changes is written, and so is the end. */
static void the_same_plan_writes_nothing(void **state) {
    (void)state;
    struct tenant *t = with_a_plan("planned");
    struct plan p = {.kind = BACKUP_COPY, .period_minutes = 60, .keep_hours = 24};
    const struct {
        uint32_t period, keep, paused;
        bool writes;
    } steps[] = {{60, 24, 0, false}, {60, 48, 0, true}, {60, 48, 0, false}, {60, 48, 1, true}, {30, 48, 1, true},
                 {30, 48, 1, false}, {0, 0, 0, true},   {0, 0, 0, false},   {30, 48, 0, true}};
    char path[128];
    snprintf(path, sizeof path, "%s/plans", root);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        uint8_t hash[LEDGER_HASH];
        uint64_t before, after;
        struct stat was, is;
        p.period_minutes = steps[i].period;
        p.keep_hours = steps[i].keep;
        p.paused = steps[i].paused;
        ledger_head(house.ledger, &before, hash);
        assert_int_equal(stat(path, &was), 0);
        backups_plan(t, steps[i].period ? plan_pack(&p) : 0);
        ledger_head(house.ledger, &after, hash);
        assert_int_equal(stat(path, &is), 0);
        assert_int_equal(after - before, steps[i].writes);
        assert_int_equal(is.st_ino != was.st_ino, steps[i].writes); /* it is replaced whole */
    }
    without_plans(t);
}

/* C9: a worker that changes its plan for ever fills no ledger and writes no disk full; its last word is kept */
static void a_plan_that_changes_for_ever_costs_little(void **state) {
    (void)state;
    struct tenant *t = with_a_plan("planned");
    struct plan p = {.kind = BACKUP_COPY, .period_minutes = 60};
    uint8_t hash[LEDGER_HASH];
    uint64_t before, after, now = clock_ms();
    t->changes = (struct changes){0};
    ledger_head(house.ledger, &before, hash);
    for (uint32_t i = 1; i <= 1000; i++) {
        p.keep_hours = 100 + i;
        backups_plan(t, plan_pack(&p));
        wishes_plain(t, i % 2);
        wishes_references(t, i % 2);
        turn(); /* the steward hears of each */
    }
    ledger_head(house.ledger, &after, hash);
    assert_true(after - before <= CHANGES_MOST);
    assert_int_equal(plans_find(house.plans, t->entry->number, BACKUP_COPY)->keep_hours, 104); /* a third of what may be */
    for (unsigned i = 1; i <= 4; i++) {
        planning_settle(t, BACKUP_COPY, now + (uint64_t)i * CHANGES_MS);
        wishes_tick(t, now + (uint64_t)i * CHANGES_MS);
    }
    assert_int_equal(plans_find(house.plans, t->entry->number, BACKUP_COPY)->keep_hours, 1100);
    assert_false(t->backups.kind[BACKUP_COPY].word.held);
    ledger_head(house.ledger, &after, hash);
    assert_true(after - before <= CHANGES_MOST + 4);
    t->changes = (struct changes){0};
    wishes_plain(t, false);
    wishes_references(t, 0);
    without_plans(t);
}

/* Two that wait for lists, one of each kind: each gets its own. */
static void a_list_of_archives_is_no_list_of_backups(void **state) {
    (void)state;
    struct tenant *t = with_a_plan("planned");
    struct plan_row row = {
        .tenant = t->entry->number, .kind = BACKUP_ARCHIVE, .destination = "medium", .period_minutes = 60, .keep_hours = 24};
    struct errand list = {.verb = VERB_backup_list, .steward = house.steward.starts, .uid = staff, .fd = -1};
    assert_true(plans_put(house.plans, &row));
    uint64_t copies = list.request = ++last_request;
    assert_true(errand_take(t, &list));
    uint64_t archives = list.request = ++last_request;
    list.kind = BACKUP_ARCHIVE;
    assert_true(errand_take(t, &list));
    for (int kind = BACKUP_ARCHIVE; kind >= BACKUP_COPY; kind--) {
        struct message_outcome o = {.job = 7, .task = TASK_LIST, .kind = (uint32_t)kind};
        t->backups.job = 7;
        t->backups.task = TASK_LIST;
        t->backups.kind_now = (uint32_t)kind;
        int rows = memfd_create("rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(fcntl(rows, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
        assert_true(backups_outcome(t, &o, rows));
        close(rows);
        uint64_t wanted = kind == BACKUP_ARCHIVE ? archives : copies;
        UNTIL(answer.answer.request == wanted);
        assert_int_equal(answer.answer.result, ACT_DONE);
    }
    assert_true(plans_remove(house.plans, t->entry->number, BACKUP_ARCHIVE));
    without_plans(t);
}

/* C7: a courier that was taken over, or hangs, does not keep everybody's backups from coming about */
static void a_job_that_does_not_end_ends_the_courier(void **state) {
    (void)state;
    static const struct service_kind kind = {.name = "cloison-courier"};
    struct tenant *t = with_a_plan("planned");
    service_begin(&house.courier, &kind, &house, 1, 1);
    house.courier.stopped = true; /* nobody starts another one here */
    house.courier.state = SERVICE_READY;
    t->backups.job = 7;
    t->backups.task = TASK_SEND;
    t->backups.ends_at = 5000;
    backups_tick(t, 4999);
    assert_int_equal(house.courier.state, SERVICE_READY);
    backups_tick(t, 5000);
    assert_int_not_equal(house.courier.state, SERVICE_READY);
    backups_lost(&house); /* as when there is another one */
    assert_int_equal(t->backups.job, 0);
    without_plans(t);
}

/* Every verb at every single duty: the table's word, and a refusal leaves everything as it was. */
static uint32_t disclosure_by(enum verb verb, uint32_t who, uint64_t hold_ms, uint64_t number) {
    struct message_act a = named(verb == VERB_disclosure ? "spy" : "");
    uint32_t before = staff;
    a.set = verb == VERB_disclosure ? ACT_GROUND | ACT_SCOPE | ACT_RECIPIENT | ACT_REASON | (hold_ms ? ACT_UNTIL : 0) : ACT_NUMBER;
    a.ground = GROUND_law;
    a.scope = 1 << SCOPE_registry;
    a.until_ms = hold_ms;
    a.number = number;
    strcpy(a.recipient, "a court");
    strcpy(a.reason, "an order");
    staff = who;
    uint32_t result = act_with(a, verb, ALL, -1);
    staff = before;
    return result;
}

/* How much the worker heard until now, all of it: it answers in turn. */
static unsigned heard_so_far(void) {
    assert_int_equal(act("spy", VERB_csr), ACT_DONE);
    return heard_by_spy;
}

/* Asked for and agreed, asked for and withdrawn; how much the worker heard. */
static unsigned heard_of_disclosures(uint64_t hold_ms) {
    unsigned before = heard_so_far();
    assert_int_equal(disclosure_by(VERB_disclosure, STAFF, hold_ms, 0), ACT_PENDING);
    assert_int_equal(disclosure_by(VERB_request_approve, STAFF + 1, 0, answer.answer.number), ACT_DONE);
    assert_int_equal(disclosure_by(VERB_disclosure, STAFF, hold_ms, 0), ACT_PENDING);
    assert_int_equal(disclosure_by(VERB_request_withdraw, STAFF, 0, answer.answer.number), ACT_DONE);
    return heard_so_far() - before;
}

/* S11: until the day of a hold its worker hears nothing of a disclosure, not even that something may have happened */
static void a_hold_is_silent(void **state) {
    (void)state;
    assert_int_equal(create("spy"), ACT_DONE);
    assert_int_equal(act("spy", VERB_start), ACT_DONE);
    assert_int_equal(heard_of_disclosures(clock_unix_ms() + 86400000), 0);
    assert_true(heard_of_disclosures(0) > 0);
    assert_int_equal(act("spy", VERB_stop), ACT_DONE);
}

/* Lines about that tenant, and how many times they say that it was unsealed or sealed. */
static size_t lines_about(uint32_t number, uint64_t *times) {
    char text[LEDGER_LINE_MAX];
    struct ledger_line line;
    size_t count = 0;
    *times = 0;
    for (off_t at = 0; pread(ledger_reader(house.ledger, 0), text, sizeof text, at) > 0;) {
        const char *end = memchr(text, '\n', sizeof text);
        assert_non_null(end);
        assert_true(ledger_line_parse(text, (size_t)(end - text), &line));
        at += end - text + 1;
        if (line.tenant != number) continue;
        count++;
        if (strcmp(line.verb, "sealed") == 0 || strcmp(line.verb, "unsealed") == 0) *times += line.times;
    }
    return count;
}

/* H1: a worker that opens and closes without end costs few lines, and none of it is kept back */
static void a_worker_that_flips_fills_no_ledger(void **state) {
    (void)state;
    uint64_t times;
    assert_int_equal(create("flips"), ACT_DONE);
    struct tenant *t = tenant("flips");
    assert_int_equal(act("flips", VERB_start), ACT_DONE);
    UNTIL(t->entry->enrolled);
    assert_true(lines_about(t->entry->number, &times) < EVENTS_MOST + 10);
    assert_true(times < FLIPS);
    changes_tick(t, clock_ms() + 2 * CHANGES_MS, false);
    assert_true(lines_about(t->entry->number, &times) < EVENTS_MOST + 12);
    assert_int_equal(times, FLIPS);
    changes_tick(t, clock_ms() + 4 * CHANGES_MS, true);
    lines_about(t->entry->number, &times);
    assert_int_equal(times, FLIPS);
    assert_int_equal(act("flips", VERB_stop), ACT_DONE);
}

static const struct notice *notice_of(enum notice_kind kind, uint32_t number, bool announced) {
    uint64_t long_ago = clock_unix_ms() - 2 * NOTICES_KEPT_DAYS * NOTICE_DAY_MS;
    struct notice wanted = {.kind = kind, .published_ms = long_ago, .effective_ms = long_ago, .tenant = number, .uid = STAFF};
    int text = memfd_create("text", 0);
    assert_int_equal(write(text, "x", 1), 1);
    const struct notice *made = announced ? announce_publish(&house, &wanted, text) : notices_publish(house.notices, &wanted, text);
    close(text);
    return made;
}

/* One that was followed or done gives its place, once all have had it for long; what still says what is in force stays. */
static void a_notice_long_in_force_gives_its_place(void **state) {
    (void)state;
    struct tenant *t = tenant("well");
    uint32_t number = t->entry->number, first = notice_of(NOTICE_terms, 0, false)->number;
    uint64_t recently = clock_unix_ms() - (NOTICES_KEPT_DAYS - 1) * NOTICE_DAY_MS, before = recently - 2 * NOTICE_DAY_MS;
    assert_non_null(notice_of(NOTICE_terms, 0, false));
    while (notices_count(house.notices) < NOTICES_MAX)
        assert_non_null(notice_of(NOTICE_transfer, number, false));
    assert_non_null(notice_of(NOTICE_transfer, number, true));
    assert_null(notices_find(house.notices, first));
    assert_int_equal(notices_count(house.notices), NOTICES_MAX);
    assert_true(announce_read(t, first) && notices_had(house.notices, first)); /* a word that crosses with it is none that ends a worker */
    assert_false(announce_read(t, UINT32_MAX));
    assert_null(notice_of(NOTICE_transfer, number, true)); /* the other is in force, the rest undelivered */
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(notices_acknowledged(house.notices, first + 5, number, recently, 7), 0);
    assert_null(notice_of(NOTICE_transfer, number, true));
    assert_int_equal(notices_acknowledged(house.notices, first + 7, number, before, 7), 0);
    assert_non_null(notice_of(NOTICE_transfer, number, true));
    assert_true(!notices_find(house.notices, first + 7) && notices_find(house.notices, first + 1) &&
                notices_find(house.notices, first + 5));
}

static void duties_are_disjoint(void **state) {
    (void)state;
    uint64_t before, after;
    uint8_t hash[LEDGER_HASH];
    for (int v = 0; v <= VERB_COUNT; v++)
        for (int d = 0; d < DUTY_COUNT; d++) {
            bool may = duty_may(1U << d, (enum verb)v);
            if (may) continue;
            ledger_head(house.ledger, &before, hash);
            enum life_state was = tenant("well")->life.state;
            assert_int_equal(act_with(named("well"), (enum verb)v, 1U << d, -1), ACT_REFUSED);
            assert_int_equal(tenant("well")->life.state, was);
        }
    for (int v = VERB_read; v <= VERB_delete; v++)
        assert_int_equal(act("well", (enum verb)v), ACT_REFUSED);
    ledger_flush(house.ledger, clock_unix_ms());
    ledger_head(house.ledger, &after, hash);
    assert_true(after > before);
}

/* A store that never answers keeps nobody from stopping a tenant. */
static void what_waits_for_a_store_leaves_places(void **state) {
    (void)state;
    struct tenant *t = tenant("well");
    const struct errand verify = {.verb = VERB_backup_verify, .steward = UINT64_MAX, .fd = -1};
    int taken = 0;
    while (taken < ERRANDS_MAX && errand_take(t, &verify))
        taken++;
    assert_int_equal(taken, ERRANDS_MAX / 2);
    assert_int_equal(act("well", VERB_start), ACT_DONE);
    while (taken--)
        assert_true(errand_answered(t, VERB_backup_verify, &(struct answer){.result = ACT_FAILED, .fd = -1}));
}

/* ---- what a steward that was taken over may say ---- */

/* A process of that uid and group, connected until it is killed; our end of it. */
static int connected_by(uid_t uid, gid_t group, pid_t *who) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t size = sizeof at;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(sa_family_t)), 0); /* an abstract name of the kernel's */
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    *who = fork();
    if (*who == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (setgroups(1, &group) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) leave(1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (connect(fd, (struct sockaddr *)&at, size) < 0) leave(1);
        for (;;)
            pause();
    }
    int fd = accept(listener, NULL, NULL);
    close(listener);
    assert_true(fd >= 0);
    return fd;
}

static void gone(pid_t who) {
    int status;
    kill(who, SIGKILL);
    waitpid(who, &status, 0);
}

static void shows(int fd) {
    union message m = {.plain = {.head = {.type = MESSAGE_STEWARD_PERSON}}};
    monitor_steward.said(&house.steward, &m, dup(fd), 0);
}

/* What it says next; the answer. */
static uint32_t forges(enum verb verb, const char *name) {
    union message m = {.act = named(name)};
    m.head.type = MESSAGE_STEWARD_ACT;
    m.act.request = ++last_request;
    m.act.verb = verb;
    memset(&answer, 0, sizeof answer);
    monitor_steward.said(&house.steward, &m, -1, 0);
    UNTIL(answer.answer.request == last_request);
    return answer.answer.result;
}

/* C1: a steward that was taken over is none of the staff: who asks is who is connected, once for each act */
static void a_steward_says_not_who_asks(void **state) {
    (void)state;
    enum { OPERATORS = 70500, REGISTRARS = 70501 };
    pid_t operator, registrar;
    int ends[2], nobody[2];
    for (int d = 0; d < DUTY_COUNT; d++)
        house.config.duty[d].id = CONFIG_NOBODY;
    house.config.duty[DUTY_operator].id = OPERATORS;
    house.config.duty[DUTY_registrar].id = REGISTRARS;
    house.steward.state = SERVICE_READY;
    int an_operator = connected_by(STAFF, OPERATORS, &operator), a_registrar = connected_by(STAFF + 1, REGISTRARS, &registrar);
    assert_int_equal(forges(VERB_start, "well"), ACT_FAILED); /* nobody was shown */
    shows(an_operator);
    assert_int_equal(forges(VERB_start, "well"), ACT_DONE);
    assert_int_equal(forges(VERB_start, "well"), ACT_FAILED); /* once */
    shows(an_operator);
    assert_int_equal(forges(VERB_reset, "well"), ACT_REFUSED);
    shows(a_registrar);
    assert_int_equal(forges(VERB_start, "well"), ACT_REFUSED);
    assert_int_equal(channel_pair(ends), 0); /* root's own, as its channel is */
    shows(ends[0]);
    assert_int_equal(forges(VERB_start, "well"), ACT_FAILED);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, nobody), 0);
    shows(nobody[0]);
    assert_int_equal(forges(VERB_start, "well"), ACT_REFUSED); /* root has no duty */
    gone(operator);
    shows(an_operator); /* who asked once and has left */
    assert_int_equal(forges(VERB_start, "well"), ACT_FAILED);
    gone(registrar);
    house.steward.state = 0;
}

static void bad_fields_are_named(void **state) {
    (void)state;
    struct message_act a = named("bad");
    assert_int_equal(act_with(a, VERB_create, ALL, -1), ACT_BAD_FIELD);
    assert_int_equal(answer.answer.detail, ACT_HOSTS);
    a.set = ACT_HOSTS;
    a.host_count = 2;
    strcpy(a.host[0], "a.example.org");
    strcpy(a.host[1], "a.example.org");
    assert_int_equal(act_with(a, VERB_create, ALL, -1), ACT_BAD_FIELD);
    a.host_count = 1;
    memset(a.host[1], 0, sizeof a.host[1]);
    strcpy(a.name, "../etc");
    assert_int_equal(act_with(a, VERB_create, ALL, -1), ACT_BAD_FIELD);
    strcpy(a.name, "bad");
    a.set |= ACT_QUOTA;
    a.quota_bytes = TENANT_QUOTA_MIN + 1;
    assert_int_equal(act_with(a, VERB_create, ALL, -1), ACT_BAD_FIELD);
    a.quota_bytes = TENANT_QUOTA_MIN - 4096;
    assert_int_equal(act_with(a, VERB_create, ALL, -1), ACT_BAD_FIELD);
    assert_int_equal(answer.answer.detail, ACT_QUOTA);
    a.set = ACT_HOSTS;
    strcpy(a.host[0], "well.example.org");
    assert_int_equal(act_with(a, VERB_create, ALL, -1), ACT_EXISTS);
    struct message_act extra = named("well");
    extra.set = ACT_TITLE;
    assert_int_equal(act_with(extra, VERB_stop, ALL, -1), ACT_BAD_FIELD);
    assert_null(registry_by_name(house.registry, "bad"));
    struct message_act terms = {.set = ACT_KIND | ACT_EFFECTIVE, .notice_kind = NOTICE_terms, .effective_ms = UINT64_MAX};
    int text = memfd_create("text", MFD_CLOEXEC);
    assert_int_equal(write(text, "x", 1), 1);
    assert_int_equal(act_with(terms, VERB_terms_publish, ALL, text), ACT_BAD_FIELD);
    assert_int_equal(answer.answer.detail, ACT_EFFECTIVE); /* a day that no calendar has */
}

static void an_idle_worker_makes_room(void **state) {
    (void)state;
    assert_int_equal(create("room"), ACT_DONE);
    uint32_t alive = 0;
    for (size_t i = 0; i < house.tenant_count; i++)
        alive += life_alive(&house.tenant[i]->life);
    assert_int_equal(alive, 1); /* well */
    house.config.max_workers = 1;
    assert_int_equal(act("room", VERB_start), ACT_DONE); /* once well has been idle for long enough */
    assert_int_equal(house.evictions, 1);
    assert_int_equal(tenant("well")->life.state, LIFE_STOPPED);
    house.config.max_workers = 50;
    house.config.idle_ms = 100;
    UNTIL(tenant("room")->life.state == LIFE_STOPPED);
    house.config.idle_ms = 0;
    assert_int_equal(act("well", VERB_start), ACT_DONE);
}

int main(int argc, char **argv) {
    if (argc > 0 && strncmp(argv[0], "cloison-worker", 14) == 0) return worker();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_tenant_has_a_code_and_a_closed_directory),
        cmocka_unit_test(nothing_is_counted_where_there_is_no_provider),
        cmocka_unit_test(a_crash_backs_off_and_is_felt_by_nobody_else),
        cmocka_unit_test(a_failed_start_says_its_status),
        cmocka_unit_test(a_worker_without_its_walls_does_not_serve),
        cmocka_unit_test(a_lying_worker_ends_and_nobody_else),
        cmocka_unit_test(a_late_message_is_ignored),
        cmocka_unit_test(staff_verbs_move_a_worker),
        cmocka_unit_test(what_its_administrator_did_is_kept),
        cmocka_unit_test(a_copy_lies_where_the_registry_says),
        cmocka_unit_test(no_duty_works_without_an_undertaking),
        cmocka_unit_test(a_clock_that_was_set_back_stops_acts),
        cmocka_unit_test(a_stale_word_destroys_nothing),
        cmocka_unit_test(a_reset_takes_what_a_drill_left),
        cmocka_unit_test(no_courier_is_said_at_once),
        cmocka_unit_test(a_list_that_fails_is_answered),
        cmocka_unit_test(only_a_new_snapshot_is_done),
        cmocka_unit_test(tenants_take_turns),
        cmocka_unit_test(nobody_waits_for_anothers_destination),
        cmocka_unit_test(the_same_plan_writes_nothing),
        cmocka_unit_test(a_plan_that_changes_for_ever_costs_little),
        cmocka_unit_test(a_list_of_archives_is_no_list_of_backups),
        cmocka_unit_test(a_job_that_does_not_end_ends_the_courier),
        cmocka_unit_test(a_reset_takes_two),
        cmocka_unit_test(a_hold_is_silent),
        cmocka_unit_test(a_worker_that_flips_fills_no_ledger),
        cmocka_unit_test(a_notice_long_in_force_gives_its_place),
        cmocka_unit_test(duties_are_disjoint),
        cmocka_unit_test(what_waits_for_a_store_leaves_places),
        cmocka_unit_test(a_steward_says_not_who_asks),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test(an_idle_worker_makes_room),
    };
    return cmocka_run_group_tests(tests, open_house, close_house);
}
