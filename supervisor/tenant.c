#include "tenant.h"

#include "../policy/channel.h"
#include "announce.h"
#include "clock.h"
#include "leaving.h"
#include "log.h"
#include "monitor.h"
#include "permits.h"
#include "program.h"
#include "proof.h"
#include "reset.h"
#include "room.h"
#include "supervisor.h"
#include "tell.h"
#include "text.h"
#include "wishes.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOST_MS = 500,        /* from the end of the channel to the news of the death */
    CONNECTED_MS = 90000, /* longer than a worker keeps a connection on which nothing is asked */
    PATH_ROOM = PATH_BYTES_MAX + 64,
};

struct tenant *tenant_new(struct supervisor *house, const struct registry_tenant *entry) {
    struct tenant *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    *t =
        (struct tenant){.house = house, .entry = entry, .counters = -1, .cgroup = -1, .plain = -1, .save_plain = -1, .save_references = -1};
    t->since_ms = clock_unix_ms();
    t->process.fd = t->process.launcher_fd = -1;
    for (int i = 0; i < ERRANDS_MAX; i++)
        t->errand[i].fd = -1;
    life_begin(&t->life, entry->suspended || entry->resetting || entry->contract.gone_ms, 0);
    copies_look(t);
    return t;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void tenant_say(struct tenant *t, uint32_t type, uint64_t value, int fd) {
    union message m = {.plain = {.head = {.type = type, .tenant = t->entry->number, .generation = t->life.generation}, .value = value}};
    link_send(t->link, &m, fd);
}

/* ---- start ---- */

static void directory_of(const struct tenant *t, char path[PATH_ROOM]) {
    snprintf(path, PATH_ROOM, "%s/tenants/%s", t->house->config.state_dir, t->entry->name);
}

/* Only what the provider itself entered (C10), and the head of its ledger. */
static void say_profile(struct tenant *t, uint32_t type) {
    const struct registry_tenant *e = t->entry;
    const struct config *c = &t->house->config;
    union message m = {.start = {.head = {.type = type, .tenant = e->number, .generation = t->life.generation},
                                 .host_count = e->host_count,
                                 .enrolled = e->enrolled,
                                 .quota_bytes = e->quota_bytes,
                                 .memory_bytes = c->arena_bytes,
                                 .secret_memory = c->secret_memory,
                                 .connections = c->connections,
                                 .https_port = c->https_port,
                                 .end_ms = e->contract.end_ms,
                                 .term_ms = e->contract.term_ms,
                                 .returned_ms = e->contract.returned_ms,
                                 .created_ms = e->created_ms}};
    TEXT_COPY(m.start.name, e->name);
    TEXT_COPY(m.start.title, e->title);
    TEXT_COPY(m.start.modules, e->modules);
    TEXT_COPY(m.start.contact, e->contact);
    TEXT_COPY(m.start.entity, e->entity);
    TEXT_COPY(m.start.region, e->region);
    TEXT_COPY(m.start.node_region, c->region);
    for (uint32_t i = 0; i < e->host_count; i++)
        TEXT_COPY(m.start.host[i], e->host[i]);
    if (e->has_code && !e->enrolled) memcpy(m.start.enrol_hash, e->code_hash, sizeof m.start.enrol_hash);
    if (type == MESSAGE_WORKER_START) ledger_head(t->house->ledger, &m.start.ledger_count, m.start.ledger_head);
    struct ledger_own own = ledger_own(t->house->ledger, e->number);
    m.start.own_count = own.count;
    m.start.own_at = own.at;
    memcpy(m.start.own_head, own.hash, sizeof m.start.own_head);
    link_send(t->link, &m, type == MESSAGE_WORKER_START ? t->house->zones.fd : -1);
}

void tenant_profile_changed(struct tenant *t) {
    say_profile(t, MESSAGE_WORKER_PROFILE); /* one that is starting takes it right after it is ready */
    /* The ceiling of a worker's files is made at its start: the next connection starts one with a higher one. */
    if (life_alive(&t->life) && t->entry->quota_bytes > 2 * t->quota_bytes) tenant_event(t, LIFE_STOP);
}

void tenant_ledger_changed(struct tenant *t) { say_profile(t, MESSAGE_WORKER_PROFILE); }

bool tenant_make_directory(const struct tenant *t) {
    struct stat st;
    char path[PATH_ROOM];
    directory_of(t, path);
    if (spawn_make_directory(t->entry->uid, path) == 0) return true;
    if (errno != EEXIST || lstat(path, &st) < 0) return false;
    if (S_ISDIR(st.st_mode) && st.st_uid == t->entry->uid && (st.st_mode & 07777) == 0700) return true;
    errno = EPERM; /* somebody else's, or open to others */
    return false;
}

bool tenant_empty_directory(const struct tenant *t, pid_t *pid) {
    char path[PATH_ROOM];
    directory_of(t, path);
    *pid = spawn_emptier(t->entry->uid, path);
    return *pid > 0;
}

static const char *open_cgroup(struct tenant *t) {
    t->cgroup = cgroup_tenant(&t->house->cgroup, t->entry->name, &t->house->config.limits);
    t->cgroup_limits = t->cgroup >= 0 ? LAYER_ON : errno == ENOTSUP ? LAYER_UNAVAILABLE : LAYER_OFF;
    bool excused = t->house->config.allow_missing >> LAYER_cgroup_limits & 1;
    return t->cgroup_limits == LAYER_OFF && !excused ? "its cgroup" : NULL;
}

/* Everything of a birth; NULL = done, else the step that failed, with errno. */
static const char *give_birth(struct tenant *t) {
    const struct config *c = &t->house->config;
    char directory[PATH_ROOM], binary[PATH_ROOM], title[TENANT_NAME_MAX + 32];
    directory_of(t, directory);
    snprintf(binary, sizeof binary, "%s/cloison-worker", c->binaries);
    snprintf(title, sizeof title, "cloison-worker: %s", t->entry->name);

    /* There since its creation, unless a crash came between the registry and it. */
    if (!tenant_make_directory(t)) return "its directory";
    t->counters = counters_create();
    t->page = t->counters < 0 ? NULL : counters_map(t->counters, 0);
    if (!t->page) return "its counter page";
    const char *failed = open_cgroup(t);
    if (failed) return failed;
    program_hash(PROGRAM_WORKER, binary, t->program);
    struct spawned spawned;
    if (spawn_worker(binary, title, t->entry->uid, directory, t->cgroup, t->counters, &spawned) < 0) return "fork";
    process_begin(&t->process, &spawned, t->entry->uid, 0);
    t->link = link_open(t->house->base, spawned.channel, &monitor_worker, t);
    if (!t->link) return "its channel";
    t->quota_bytes = t->entry->quota_bytes;
    say_profile(t, MESSAGE_WORKER_START);
    return NULL;
}

static void do_spawn(struct tenant *t) {
    const char *failed = give_birth(t);
    if (!failed) return;
    log_errno("tenant %s: not started: %s", t->entry->name, failed);
    tenant_event(t, LIFE_FAIL);
}

void tenant_ready(struct tenant *t, pid_t pid, const struct message_ready *report) {
    const char *lacks = process_adopt(&t->process, pid);
    if (lacks) {
        tenant_fail(t, lacks);
        return;
    }
    t->report = *report;
    t->report.layer[LAYER_cgroup_limits] = t->cgroup_limits;
    enum layer missing = proof_missing(t->report.layer, t->house->config.allow_missing, t->house->config.secret_memory);
    if (missing != LAYER_COUNT) {
        log_say("tenant %s: not started: the layer %s is missing and allow_missing does not name it", t->entry->name, layer_name(missing));
        tenant_event(t, LIFE_FAIL);
        return;
    }
    tenant_event(t, LIFE_READY);
    copies_want(t);
    announce_to_worker(t);
    backups_ready(t);
    tenant_say(t, MESSAGE_WORKER_SUPPORT_KEY, t->house->support.bytes, t->house->support.fd);
}

void tenant_hand_over(struct tenant *t) {
    int end[2];
    if (channel_pair(end) < 0) {
        log_errno("tenant %s: hand-over socket", t->entry->name);
        tenant_event(t, LIFE_FAIL);
        return;
    }
    tenant_say(t, MESSAGE_WORKER_HANDOVER, 0, end[1]);
    tell_worker(t, end[0]);
    close(end[0]);
    close(end[1]);
}

void tenant_lost_hand_over(struct tenant *t) {
    if (t->renewed) {
        tenant_fail(t, "lost its hand-over socket again");
        return;
    }
    t->renewed = true;
    log_say("tenant %s: its hand-over socket was lost: a new one", t->entry->name);
    tenant_hand_over(t);
}

static void do_serve(struct tenant *t) {
    tell_counters(t);
    tenant_hand_over(t);
}

/* ---- end ---- */

static void do_drain(struct tenant *t) {
    copies_taken(t, 0, true); /* so that it may hand its capsule up before it leaves */
    if (t->locking)
        tenant_say(t, MESSAGE_WORKER_LOCK, t->locking, -1);
    else
        tenant_say(t, MESSAGE_WORKER_DRAIN, DRAIN_MS, -1);
}

static void do_kill(struct tenant *t) {
    link_close(&t->link); /* what it still says is heard no more */
    if (!process_kill(&t->process)) return;
    t->last_exit = -SIGKILL;
    tenant_event(t, LIFE_EXIT);
}

/* Nothing of a dead worker is kept but numbers. */
static void release(struct tenant *t) {
    link_close(&t->link);
    counters_unmap(t->page);
    t->page = NULL;
    close_fd(&t->counters);
    if (t->cgroup >= 0) {
        if (cgroup_oom_kills(t->cgroup)) log_say("tenant %s: the kernel ended it at its memory limit", t->entry->name);
        close_fd(&t->cgroup);
        cgroup_remove(&t->house->cgroup, t->entry->name);
    }
    memset(&t->report, 0, sizeof t->report);
    memset(t->said, 0, sizeof t->said);
    memset(t->program, 0, sizeof t->program);
    t->memory_bytes = t->lost_at = t->capsule_taken_at = t->lines_from = 0;
    t->locking = LOCK_NONE;
    t->renewed = false;
    for (int i = 0; t->last_exit && i < COPIES_MAX; i++)
        t->copy[i].current = false; /* what it changed last may not have come up */
    permits_forget(t->house->permits, t->entry->number);
    monitor_permits(t->house);
}

bool tenant_child(struct tenant *t, pid_t pid, uid_t uid, int status) {
    if (reset_child(t, pid, status) || backups_child(t, pid, status)) return true;
    if (uid == t->entry->uid) link_drain(t->link); /* what it said before its end counts: "enrolled" */
    switch (process_ended(&t->process, pid, uid, &status)) {
    case PROCESS_NOT_MINE:
        return false;
    case PROCESS_LAUNCHED:
        return true;
    case PROCESS_GONE:
        break;
    }
    if (!life_alive(&t->life)) return true; /* killed before it said who it is: its life went on already */
    t->last_exit = status;
    tenant_event(t, LIFE_EXIT);
    return true;
}

void tenant_fail(struct tenant *t, const char *why) {
    if (!life_alive(&t->life)) return;
    log_say("tenant %s: its worker is ended: it %s", t->entry->name, why);
    tenant_event(t, LIFE_FAIL);
}

/* ---- events ---- */

/* What entering a state means to the steward; 0 = nothing. */
static const enum tenant_event news[LIFE_STATES] = {
    [LIFE_SEALED] = EVENT_STARTED,    [LIFE_SERVING] = EVENT_UNSEALED,    [LIFE_DRAINING] = EVENT_DRAINED,
    [LIFE_THROTTLED] = EVENT_CRASHED, [LIFE_SUSPENDED] = EVENT_SUSPENDED,
};

/* The ledger's word for a step; NULL = none. Acts of people are recorded where they are done. */
static const char *word_of(const struct tenant *t, enum life_state before, bool died) {
    enum life_state now = t->life.state;
    if (died) return now == LIFE_THROTTLED ? "crashed" : "stopped";
    if (now == LIFE_SEALED) return before == LIFE_SERVING ? "sealed" : "started";
    return now == LIFE_SERVING ? "unsealed" : NULL;
}

static void say_change(struct tenant *t) {
    log_say("tenant %s: %s, generation %" PRIu64 ", pid %d", t->entry->name, life_state_name(t->life.state), t->life.generation,
            t->process.pid);
    if (t->life.state == LIFE_THROTTLED) log_say("tenant %s: status %d, crashes %" PRIu64, t->entry->name, t->last_exit, t->life.crashes);
}

static void changed(struct tenant *t, enum life_state before, bool died) {
    enum life_state now = t->life.state;
    const char *word = word_of(t, before, died);
    t->since_ms = clock_unix_ms();
    t->house->posture_stale = true;
    if (now != LIFE_WAITING) say_change(t);
    if (word) changes_event(t, word, "done", t->since_ms);
    if (!life_ready(&t->life) && life_reason(&t->life) != t->told) tell_no_worker(t);
    tell_tenant(t);
    if (before == LIFE_SUSPENDED) tell_event(t, EVENT_RESUMED);
    if (news[now] && !(now == LIFE_SEALED && before == LIFE_SERVING)) tell_event(t, news[now]);
    if (now == LIFE_THROTTLED) tell_event(t, EVENT_THROTTLED);
}

static void do_act(struct tenant *t, enum life_action act) {
    switch (act) {
    case LIFE_DO_NOTHING:
        break;
    case LIFE_DO_QUEUE:
        room_ask(t);
        break;
    case LIFE_DO_UNQUEUE:
        room_leave(t);
        break;
    case LIFE_DO_SPAWN:
        do_spawn(t);
        break;
    case LIFE_DO_SERVE:
        do_serve(t);
        break;
    case LIFE_DO_DRAIN:
        do_drain(t);
        break;
    case LIFE_DO_KILL:
        do_kill(t);
        break;
    case LIFE_DO_REFUSE:
        tell_no_worker(t);
        break;
    }
}

void tenant_event(struct tenant *t, enum life_event event) {
    if (t->house->leave_at && (event == LIFE_WANT || event == LIFE_ORDER)) return;
    enum life_state before = t->life.state;
    bool was_locking = t->locking != LOCK_NONE;
    bool was_alive = life_alive(&t->life);
    enum life_action act = life_step(&t->life, event, clock_ms());
    bool died = was_alive && !life_alive(&t->life);
    if (died) release(t);
    if (t->life.state != before) changed(t, before, died);
    if (died && was_locking && !t->last_exit) tell_event(t, EVENT_LOCKED);
    if (died) errands_worker_gone(t);
    do_act(t, act);
    errands_move(t);
    if (died) room_run(t->house);
}

/* ---- its plain socket ---- */

static void plain_of(const struct tenant *t, char path[PATH_ROOM]) {
    snprintf(path, PATH_ROOM, "%s/web/%s.sock", t->house->config.run_dir, t->entry->name);
}

void tenant_open_plain(struct tenant *t) {
    char path[PATH_ROOM];
    plain_of(t, path);
    if (t->entry->plain == (t->plain >= 0)) return;
    if (t->entry->plain) {
        t->plain = listener_unix(path, t->house->config.proxy_group.id, 0660);
        if (t->plain < 0) {
            log_errno("tenant %s: its plain socket", t->entry->name);
            return;
        }
    } else {
        close_fd(&t->plain);
        unlink(path);
    }
    tell_plain(t);
}

void tenant_allow_plain(struct tenant *t) {
    char path[PATH_ROOM];
    plain_of(t, path);
    if (t->plain >= 0 && listener_allow(path, t->house->config.proxy_group.id, 0660) < 0)
        log_errno("tenant %s: its plain socket", t->entry->name);
}

/* ---- time ---- */

uint64_t tenant_idle(const struct tenant *t, uint64_t now) {
    if (!t->page || !life_ready(&t->life)) return 0;
    uint64_t last = atomic_load(&t->page->value[COUNTER_last_activity]);
    last = last > now / 1000 ? now : last * 1000; /* its own word: never more than now */
    if (last < t->life.ready_at) last = t->life.ready_at;
    uint64_t idle = now > last ? now - last : 0;
    /* Its connections keep it awake while they may be those of its users; a worker closes them long before, when nothing is asked. */
    return idle < CONNECTED_MS && atomic_load(&t->page->value[COUNTER_connections]) ? 0 : idle;
}

void tenant_tick(struct tenant *t, uint64_t now) {
    if (t->life.deadline && now >= t->life.deadline) tenant_event(t, LIFE_TIME);
    bool should_live = t->life.state == LIFE_STARTING || life_ready(&t->life);
    if (t->lost_at && now >= t->lost_at + LOST_MS && should_live) tenant_fail(t, "closed its channel");
    uint64_t idle = t->house->config.idle_ms;
    if (idle && life_ready(&t->life) && tenant_idle(t, now) >= idle) tenant_event(t, LIFE_STOP);
    copies_taken(t, now, false);
    leaving_tick(t, now);
    reset_step(t, now);
    backups_tick(t, now);
    wishes_tick(t, now);
    changes_tick(t, now, false);
    errands_tick(t, now);
}

void tenant_sample(struct tenant *t) {
    uint64_t bytes = t->cgroup >= 0 ? cgroup_number(t->cgroup, "memory.current") : 0;
    if (bytes == t->memory_bytes) return;
    t->memory_bytes = bytes;
    tell_tenant(t);
}
