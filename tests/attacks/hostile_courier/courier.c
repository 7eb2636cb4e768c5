/*
 * A courier that was taken over, for tests only. It opens, jails and walls itself by the real one's own functions, says ready, and then
 * does the misdeed that a destination named evil-NAME tells it: at once, or when it is given a job. Without one it is the real one.
 *
 * How it ended is all that gets out: status THROUGH means that a wall let it through.
 */
#include "../../../supervisor/courier/courier.h"
#include "../../../policy/channel.h"
#include "../../../policy/jail.h"
#include "../raw_send.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { THROUGH = 99, BROKEN = 97, FDS_MOST = 253 };

struct misdeed {
    const char *name;
    void (*at_once)(void);
    void (*on_job)(struct message_job *job); /* instead of doing it; then it is the real one */
};

static struct courier courier = {.channel = JAIL_CHANNEL, .spool = -1};
static char state_dir[PATH_BYTES_MAX + 1]; /* told with the spool, before the wall */

static void send_raw(const void *bytes, size_t size, const int *fds, size_t count) { raw_send(JAIL_CHANNEL, bytes, size, fds, count, 0); }

static void wait_long(void) {
    for (;;)
        poll(NULL, 0, 1000);
}

/* ---- at once ---- */

static void send_size(size_t size) {
    static char bytes[65536];
    union message m = {.head.type = MESSAGE_COURIER_JOB_DONE};
    memcpy(bytes, &m, sizeof m.outcome);
    send_raw(bytes, size, NULL, 0);
}
static void size_0(void) { send_size(0); }
static void size_1(void) { send_size(1); }
static void size_head(void) { send_size(sizeof(struct message_head)); }
static void size_less(void) { send_size(sizeof(struct message_outcome) - 1); }
static void size_more(void) { send_size(sizeof(struct message_outcome) + 1); }
static void size_huge(void) { send_size(65536); }

static void send_type(uint32_t type) {
    union message m = {.head = {.type = type, .tenant = 1, .generation = 1}};
    size_t size = message_size(type);
    send_raw(&m, size ? size : sizeof m.plain, NULL, 0);
}
static void type_0(void) { send_type(0); }
static void type_wild(void) { send_type(0xffffffff); }
static void type_job(void) { send_type(MESSAGE_COURIER_JOB); }
static void type_seal(void) { send_type(MESSAGE_COURIER_SEAL); }
static void type_router_want(void) { send_type(MESSAGE_ROUTER_WANT); }
static void type_enrolled(void) { send_type(MESSAGE_WORKER_ENROLLED); }
static void type_plan(void) { send_type(MESSAGE_WORKER_PLAN); }
static void type_own_lines(void) { send_type(MESSAGE_STEWARD_OWN_LINES); }
static void ready_twice(void) { send_type(MESSAGE_COURIER_READY); }

/* As if it were the steward and somebody of the staff had asked. */
static void type_act(void) {
    union message m = {.act = {.head = {.type = MESSAGE_STEWARD_ACT}, .request = 1, .verb = 2}};
    memcpy(m.act.name, "acme", 5);
    send_raw(&m, sizeof m.act, NULL, 0);
}

static void send_fds(size_t count) {
    int fds[FDS_MOST];
    union message m = {.head = {.type = MESSAGE_COURIER_JOB_DONE, .tenant = 1}};
    m.outcome.task = TASK_LIST;
    for (size_t i = 0; i < count; i++)
        fds[i] = courier.spool;
    send_raw(&m, sizeof m.outcome, fds, count);
}
static void fds_two(void) { send_fds(2); }
static void fds_253(void) { send_fds(FDS_MOST); }

static void done_as(uint32_t tenant, uint64_t job) {
    union message m = {.outcome = {.head = {.type = MESSAGE_COURIER_JOB_DONE, .tenant = tenant}, .job = job, .task = TASK_ERASE}};
    courier_say(&courier, &m, -1);
}
static void done_unasked(void) { done_as(1, 1); }
static void done_of_nobody(void) { done_as(0, 1); }
static void done_of_a_wild_one(void) { done_as(UINT32_MAX, UINT64_MAX); }
static void done_flood(void) {
    for (int i = 0; i < 100000; i++)
        done_as((uint32_t)i % 8, (uint64_t)i);
}

static void letter(uint32_t number, uint32_t tenant, bool taken) {
    union message m = {.plain = {.head = {.type = MESSAGE_COURIER_LETTER_DONE, .tenant = tenant}, .value = (uint64_t)number << 1 | taken}};
    courier_say(&courier, &m, -1);
}
static void letter_unasked(void) { letter(1, 1, true); }
static void letter_flood(void) {
    for (int i = 0; i < 100000; i++)
        letter(1, 1, false);
}

static void crash(void) { raise(SIGSEGV); }
static void spin_deaf(void) { wait_long(); }
static void leave(void) { _exit(0); }

/* ---- what it can reach ---- */

static void try(const char *path) {
    if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || openat(courier.spool, path, O_RDONLY | O_CLOEXEC) >= 0) _exit(THROUGH);
}

static void reach_files(void) {
    static const char *const below[] = {"registry", "ledger", "plans", "tenants", "tenants/acme/data.mdb", "tenants/acme/capsule",
                                        "notices"};
    char path[PATH_BYTES_MAX + 64];
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        snprintf(path, sizeof path, "%s/%s", state_dir, below[i]);
        try(path);
        snprintf(path, sizeof path, "../%s", below[i]);
        try(path);
    }
    try("..");
    try("/proc/self/root/..");
    try("/root");
    try("/var");
    try("/proc/1/environ");
    if (openat(courier.spool, "../planted", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0) _exit(THROUGH);
    _exit(0);
}
static void reach_exec(void) {
    char *const none[] = {NULL};
    execve("/bin/sh", none, none); /* the wall ends it */
    _exit(THROUGH);
}
static void reach_socket(void) {
    socket(AF_UNIX, SOCK_STREAM, 0); /* to the control socket, say: the wall ends it, or the namespace has none */
    _exit(errno == EACCES || errno == EPERM || errno == EAFNOSUPPORT ? 0 : THROUGH);
}
static void reach_kill(void) {
    kill(1, SIGKILL);
    _exit(THROUGH);
}

/* ---- on a job ---- */

static union message outcome_of(const struct message_job *job) {
    return (union message){
        .outcome = {
            .head = {.type = MESSAGE_COURIER_JOB_DONE, .tenant = job->head.tenant}, .job = job->job, .task = job->task, .kind = job->kind}};
}
static void say_outcome(const union message *m, int fd) { send_raw(m, sizeof m->outcome, &fd, fd >= 0); }

#define ON_JOB(NAME, CHANGE)                                                                                                               \
    static void NAME(struct message_job *job) {                                                                                            \
        union message m = outcome_of(job);                                                                                                 \
        CHANGE;                                                                                                                            \
        say_outcome(&m, -1);                                                                                                               \
    }
ON_JOB(other_tenant, m.head.tenant = m.head.tenant == 1 ? 2 : 1)
ON_JOB(other_job, m.outcome.job++)
ON_JOB(other_task, m.outcome.task = m.outcome.task == TASK_ERASE ? TASK_SEND : TASK_ERASE)
ON_JOB(other_kind, m.outcome.kind ^= 1)
ON_JOB(wild_task, m.outcome.task = 99)
ON_JOB(wild_kind, m.outcome.kind = 77)
ON_JOB(wild_result, m.outcome.result = 0xffff)
ON_JOB(wild_number, m.outcome.newest = ((struct snapshot_row){.number = UINT64_MAX, .taken_ms = job->now_ms}))
ON_JOB(old_number, m.outcome.newest = ((struct snapshot_row){.number = job->known, .taken_ms = job->now_ms}))
ON_JOB(wild_time, m.outcome.newest = ((struct snapshot_row){.number = job->known + 1, .taken_ms = UINT64_MAX}))

/* Right in all but the file, which goes on to the tenant's worker. */
static void with_rows(struct message_job *job, int fd, uint32_t rows) {
    union message m = outcome_of(job);
    m.outcome.rows = rows;
    m.outcome.newest = (struct snapshot_row){.number = job->known + 1, .taken_ms = job->now_ms, .kind = job->kind};
    say_outcome(&m, fd);
}
static void rows_directory(struct message_job *job) { with_rows(job, courier.spool, 1); }
static void rows_channel(struct message_job *job) { with_rows(job, JAIL_CHANNEL, 1); }
static int file_of(size_t size, int seals) {
    int fd = memfd_create("rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || (size && pwrite(fd, "", 1, (off_t)size - 1) != 1) || fcntl(fd, F_ADD_SEALS, seals) < 0) _exit(BROKEN);
    return fd;
}
enum { SEALED = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
static void rows_open(struct message_job *job) { with_rows(job, file_of(sizeof(struct snapshot_row), 0), 1); }
static void rows_shrinking(struct message_job *job) { with_rows(job, file_of(sizeof(struct snapshot_row), SEALED & ~F_SEAL_SHRINK), 1); }
static void rows_fewer(struct message_job *job) { with_rows(job, file_of(sizeof(struct snapshot_row), SEALED), 2); }
static void rows_many(struct message_job *job) { with_rows(job, file_of((size_t)1 << 40, SEALED), 1); }
static void rows_half(struct message_job *job) { with_rows(job, file_of(sizeof(struct snapshot_row) - 1, SEALED), 1); }

/* A fair answer, and once more. */
static void twice(struct message_job *job) {
    union message m = outcome_of(job);
    m.outcome.result = BACKUP_UNREACHABLE;
    say_outcome(&m, -1);
    say_outcome(&m, -1);
}
static void crash_on_job(struct message_job *job) {
    (void)job;
    crash();
}

/* Says that all is done, every time, and has done nothing: nobody can know but by a check. */
static void pretend(struct message_job *job) { with_rows(job, file_of(0, SEALED), 0); }

static const struct misdeed misdeeds[] = {
    {"size-0", size_0, NULL},
    {"size-1", size_1, NULL},
    {"size-head", size_head, NULL},
    {"size-less", size_less, NULL},
    {"size-more", size_more, NULL},
    {"size-huge", size_huge, NULL},
    {"type-0", type_0, NULL},
    {"type-wild", type_wild, NULL},
    {"type-job", type_job, NULL},
    {"type-seal", type_seal, NULL},
    {"type-router-want", type_router_want, NULL},
    {"type-enrolled", type_enrolled, NULL},
    {"type-plan", type_plan, NULL},
    {"type-own-lines", type_own_lines, NULL},
    {"type-act", type_act, NULL},
    {"ready-twice", ready_twice, NULL},
    {"fds-two", fds_two, NULL},
    {"fds-253", fds_253, NULL},
    {"done-unasked", done_unasked, NULL},
    {"done-of-nobody", done_of_nobody, NULL},
    {"done-of-a-wild-one", done_of_a_wild_one, NULL},
    {"done-flood", done_flood, NULL},
    {"letter-unasked", letter_unasked, NULL},
    {"letter-flood", letter_flood, NULL},
    {"crash", crash, NULL},
    {"leave", leave, NULL},
    {"deaf", spin_deaf, NULL},
    {"reach-files", reach_files, NULL},
    {"reach-exec", reach_exec, NULL},
    {"reach-socket", reach_socket, NULL},
    {"reach-kill", reach_kill, NULL},
    {"job-other-tenant", NULL, other_tenant},
    {"job-other-job", NULL, other_job},
    {"job-other-task", NULL, other_task},
    {"job-other-kind", NULL, other_kind},
    {"job-wild-task", NULL, wild_task},
    {"job-wild-kind", NULL, wild_kind},
    {"job-wild-result", NULL, wild_result},
    {"job-wild-number", NULL, wild_number},
    {"job-old-number", NULL, old_number},
    {"job-wild-time", NULL, wild_time},
    {"job-rows-directory", NULL, rows_directory},
    {"job-rows-channel", NULL, rows_channel},
    {"job-rows-open", NULL, rows_open},
    {"job-rows-shrinking", NULL, rows_shrinking},
    {"job-rows-fewer", NULL, rows_fewer},
    {"job-rows-many", NULL, rows_many},
    {"job-rows-half", NULL, rows_half},
    {"job-twice", NULL, twice},
    {"job-crash", NULL, crash_on_job},
    {"job-pretend", NULL, pretend},
};

static const struct misdeed *told(void) {
    for (int i = 0; i < DESTINATIONS_MAX; i++) {
        if (strncmp(courier.label[i], "evil-", 5) != 0) continue;
        for (size_t m = 0; m < sizeof misdeeds / sizeof *misdeeds; m++)
            if (strcmp(misdeeds[m].name, courier.label[i] + 5) == 0) return &misdeeds[m];
        _exit(BROKEN);
    }
    return NULL;
}

/* Every job that takes a snapshot or is none of those that come before one; the others are done as they should be. */
static void serve(const struct misdeed *deed) {
    for (;;) {
        union message m;
        int fd;
        enum channel_result got = channel_receive(JAIL_CHANNEL, CHANNEL_SUPERVISOR, CHANNEL_COURIER, &m, &fd, NULL);
        if (got == CHANNEL_AGAIN) {
            poll(&(struct pollfd){.fd = JAIL_CHANNEL, .events = POLLIN}, 1, -1);
            continue;
        }
        if (got != CHANNEL_OK) _exit(0);
        if (m.head.type == MESSAGE_COURIER_JOB) deed->on_job(&m.job);
        if (fd >= 0) close(fd);
    }
}

int main(void) {
    union message ready = {.head.type = MESSAGE_COURIER_READY};
    signal(SIGPIPE, SIG_IGN);
    if (jail_close_from(JAIL_CHANNEL + 1) < 0 || courier_open(&courier) < 0) return BROKEN;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", courier.spool);
    if (readlink(link, state_dir, sizeof state_dir - 1) < 0) return BROKEN;
    *strrchr(state_dir, '/') = '\0';
    const struct misdeed *deed = told();
    if (courier_seal(&courier, &ready.ready) < 0) return BROKEN;
    courier_say(&courier, &ready, -1);
    if (deed && deed->at_once) {
        poll(NULL, 0, 300); /* its READY is heard: how it ends after that is told */
        deed->at_once();
    }
    if (deed && deed->on_job) serve(deed);
    return courier_work(&courier) < 0 ? BROKEN : 0;
}
