#include "service.h"

#include "clock.h"
#include "lifecycle.h"
#include "log.h"
#include "posture.h"
#include "program.h"
#include "supervisor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    RETRY_FIRST_MS = 250,
    RETRY_LAST_MS = 10000,
    WELL_MS = 30000, /* ran so long: no history */
    LOST_MS = 500,   /* from the end of the channel to the news of the death */
    LEAVE_MS = 1000, /* from the closed channel to the kill */
    RUNNING = SERVICE_STARTING | SERVICE_READY,
};

void service_begin(struct service *s, const struct service_kind *kind, struct supervisor *house, uid_t uid, gid_t gid) {
    *s = (struct service){.kind = kind, .house = house, .uid = uid, .gid = gid};
}

static void died(struct service *s) {
    uint64_t now = clock_ms();
    link_close(&s->link);
    if (now - s->started_at >= WELL_MS) s->failures = 0;
    s->state = 0;
    s->lost_at = 0;
    s->retry_at = s->stopped ? 0 : now + backoff(++s->failures, RETRY_FIRST_MS, RETRY_LAST_MS);
}

void service_start(struct service *s) {
    char binary[2 * PATH_BYTES_MAX + 2];
    struct spawned spawned;
    snprintf(binary, sizeof binary, "%s/%s", s->house->config.binaries, s->kind->name);
    s->started_at = clock_ms();
    s->retry_at = s->lost_at = 0;
    s->starts++;
    s->house->posture_stale = true;
    s->state = SERVICE_STARTING;
    s->program = (struct message_program){0};
    program_hash(s->kind->program, binary, s->program.hash);
    if (spawn_service(binary, s->uid, s->gid, &spawned) < 0) {
        log_errno("%s: not started", s->kind->name);
        died(s);
        return;
    }
    process_begin(&s->process, &spawned, s->uid, POSTURE_KEPT);
    s->link = link_open(s->house->base, spawned.channel, s->kind->handler, s);
    if (s->link)
        s->kind->tell_all(s->house);
    else
        service_fail(s, "no memory");
}

void service_ready(struct service *s, pid_t pid, const struct message_ready *report) {
    const char *lacks = process_adopt(&s->process, pid);
    if (!lacks && report->layer[LAYER_seccomp] != LAYER_ON) lacks = "reports that its wall is not closed";
    if (lacks) {
        service_fail(s, lacks);
        return;
    }
    s->state = SERVICE_READY;
    s->program.syscalls = report->syscalls;
    memcpy(s->program.filter_hash, report->filter_hash, sizeof s->program.filter_hash);
    memcpy(s->program.layer, report->layer, sizeof s->program.layer);
    s->house->posture_stale = true;
    log_say("%s: ready, pid %d", s->kind->name, pid);
}

void service_fail(struct service *s, const char *why) {
    if (!(s->state & RUNNING)) return;
    log_say("%s: ended: %s", s->kind->name, why);
    link_close(&s->link);
    if (process_kill(&s->process)) died(s);
}

void service_stop(struct service *s) {
    s->stopped = true;
    s->retry_at = 0;
    if (!(s->state & RUNNING) || s->lost_at) return;
    link_close(&s->link);
    s->lost_at = clock_ms() + LEAVE_MS - LOST_MS;
}

void service_renew(struct service *s) {
    s->stopped = false;
    s->failures = 0;
    if (s->state & RUNNING)
        service_fail(s, "it is told anew");
    else if (!process_exists(&s->process))
        service_start(s);
}

void service_link_ended(void *context, enum link_end why) {
    struct service *s = context;
    link_close(&s->link);
    if (why == LINK_LIED)
        service_fail(s, "a message that is not in the table");
    else if (why == LINK_STUCK)
        service_fail(s, "takes no messages");
    else
        s->lost_at = clock_ms();
}

bool service_child(struct service *s, pid_t pid, uid_t uid, int status) {
    bool existed = process_exists(&s->process);
    switch (process_ended(&s->process, pid, uid, &status)) {
    case PROCESS_NOT_MINE:
        return false;
    case PROCESS_LAUNCHED:
        return true;
    case PROCESS_GONE:
        break;
    }
    if (!existed && !(s->state & RUNNING)) return true;
    if (!s->stopped) log_say("%s: died with status %d", s->kind->name, status);
    died(s);
    return true;
}

void service_tick(struct service *s, uint64_t now) {
    if (s->retry_at && now >= s->retry_at) service_start(s);
    if (s->state == SERVICE_STARTING && now > s->started_at + START_MS) service_fail(s, "not ready in time");
    if (s->state & RUNNING && s->lost_at && now > s->lost_at + LOST_MS) service_fail(s, "closed its channel");
}
