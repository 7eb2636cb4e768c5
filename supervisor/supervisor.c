#include "supervisor.h"

#include "../policy/zones.h"
#include "anchors.h"
#include "announce.h"
#include "backups.h"
#include "clock.h"
#include "lines.h"
#include "log.h"
#include "monitor.h"
#include "notify.h"
#include "plans.h"
#include "posture.h"
#include "requests.h"
#include "room.h"
#include "tell.h"
#include "tenant.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    LEAVE_MS = DRAIN_MS + 3000, /* then we go whatever still runs: a closed channel ends it */
    POSTURE_MS = 60000,
    SLOT = sizeof(void *), /* of house->tenant */
};

/* ---- tenants ---- */

static int compare(const void *number, const void *tenant) {
    uint32_t a = *(const uint32_t *)number, b = (*(struct tenant *const *)tenant)->entry->number;
    return a < b ? -1 : a > b;
}

struct tenant *supervisor_tenant(const struct supervisor *h, uint32_t number) {
    struct tenant **found = bsearch(&number, h->tenant, h->tenant_count, SLOT, compare);
    return found ? *found : NULL;
}

struct tenant *supervisor_take(struct supervisor *h, const struct registry_tenant *entry) {
    struct tenant **more = reallocarray(h->tenant, h->tenant_count + 1, SLOT);
    if (!more) return NULL;
    h->tenant = more;
    struct tenant *t = tenant_new(h, entry);
    if (t) h->tenant[h->tenant_count++] = t;
    return t;
}

void supervisor_drop(struct supervisor *h, uint32_t number) {
    for (size_t i = 0; i < h->tenant_count; i++) {
        if (h->tenant[i]->entry->number != number) continue;
        free(h->tenant[i]);
        memmove(&h->tenant[i], &h->tenant[i + 1], (--h->tenant_count - i) * SLOT);
        return;
    }
}

struct ledger_tenant supervisor_about(const struct registry_tenant *entry) {
    return (struct ledger_tenant){.number = entry->number, .name = entry->name};
}

/* ---- the end of children ---- */

/* By its pid, since a child may end before it became the tenant; else by its uid, since a worker may end before it said who it is.
 * NULL: an orphan of somebody, ours as the subreaper. */
static struct tenant *tenant_of(const struct supervisor *h, const siginfo_t *info) {
    for (size_t i = 0; i < h->tenant_count; i++)
        if (process_is(&h->tenant[i]->process, info->si_pid) || h->tenant[i]->emptier == info->si_pid) return h->tenant[i];
    return info->si_uid > h->config.uid_base ? supervisor_tenant(h, info->si_uid - h->config.uid_base) : NULL;
}

static void child_ended(struct supervisor *h, const siginfo_t *info) {
    int status = info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
    if (service_child(&h->router, info->si_pid, info->si_uid, status)) return;
    if (service_child(&h->steward, info->si_pid, info->si_uid, status)) return;
    if (service_child(&h->courier, info->si_pid, info->si_uid, status)) return;
    struct tenant *t = tenant_of(h, info);
    if (t) tenant_child(t, info->si_pid, info->si_uid, status);
}

void supervisor_children(struct supervisor *h) {
    for (;;) {
        siginfo_t info = {0};
        /* Looked at first and reaped last: meanwhile its pid is nobody else's. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return;
        child_ended(h, &info);
        waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
    }
}

/* ---- time ---- */

static void sample(struct supervisor *h, uint64_t now) {
    if (now - h->sampled_at < h->config.sample_ms) return;
    h->sampled_at = now;
    if (now - h->posture_at >= POSTURE_MS) {
        h->posture_at = now;
        posture_observe(h->layer, &h->capabilities);
    }
    for (size_t i = 0; i < h->tenant_count; i++)
        tenant_sample(h->tenant[i]);
    tell_posture(h);
}

/* A courier that cannot start keeps nobody from being served; one that only takes its time is waited for. */
static bool all_are_there(const struct supervisor *h) {
    bool courier = h->courier.state != SERVICE_STARTING || h->courier.failures;
    return h->router.state == SERVICE_READY && h->steward.state == SERVICE_READY && courier;
}

static void announce(struct supervisor *h) {
    if (h->announced || h->leave_at || !all_are_there(h)) return;
    h->announced = true;
    if (notify_manager("READY=1") < 0) log_errno("the service manager is not told");
    log_say("ready: %zu tenants, at most %" PRIu32 " workers", h->tenant_count, h->config.max_workers);
}

/* The steward goes last: staff sees the others go. */
static void leave_on(struct supervisor *h, uint64_t now) {
    bool empty = true;
    for (size_t i = 0; i < h->tenant_count; i++)
        empty = empty && !life_alive(&h->tenant[i]->life);
    if (empty && !h->steward.stopped) {
        service_stop(&h->courier);
        service_stop(&h->steward);
    }
    if ((empty && !h->router.state && !h->steward.state && !h->courier.state) || now >= h->leave_at) event_base_loopbreak(h->base);
}

void supervisor_tick(struct supervisor *h) {
    uint64_t now = clock_ms();
    service_tick(&h->router, now);
    service_tick(&h->steward, now);
    service_tick(&h->courier, now);
    for (size_t i = 0; i < h->tenant_count; i++)
        tenant_tick(h->tenant[i], now);
    backups_turn(h);
    monitor_permits(h);
    lines_tick(h, now);
    announce_tick(h, now);
    plans_keep(h->plans, false);
    room_run(h);
    sample(h, now);
    if (h->posture_stale) tell_posture(h);
    ledger_tick(h->ledger, clock_unix_ms());
    requests_tick(h, clock_unix_ms());
    anchors_keep(h, clock_unix_ms());
    if (h->ledger_files != ledger_files(h->ledger)) tell_ledger(h);
    announce(h);
    if (h->leave_at) leave_on(h, now);
}

/* ---- signals ---- */

/* The sockets whose group the configuration names. */
static void allow_groups(struct supervisor *h) {
    char path[PATH_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/status.sock", h->config.run_dir);
    if (listener_allow(path, h->config.duty[DUTY_viewer].id, 0660) < 0) log_errno("status.sock: its group");
    for (size_t i = 0; i < h->tenant_count; i++)
        tenant_allow_plain(h->tenant[i]);
}

/* The courier opens its destinations once, before its wall: others mean another courier. */
static void take_courier(struct supervisor *h) {
    h->courier.uid = h->config.courier_uid.id;
    h->courier.gid = h->config.courier_gid.id;
    if (config_has_courier(&h->config))
        service_renew(&h->courier);
    else
        service_stop(&h->courier);
}

const char *supervisor_open_files(struct supervisor *h, const struct config *config) {
    struct sealed_file zones, support;
    if (!sealed_file_open(config->zones, ZONES_BYTES_MAX, &zones)) return "zones";
    if (!sealed_file_open(config->support_certificate, SUPPORT_CERTIFICATE_MAX, &support)) {
        sealed_file_close(&zones);
        return "support_certificate";
    }
    sealed_file_close(&h->zones);
    sealed_file_close(&h->support);
    h->zones = zones; /* of workers from now on */
    h->support = support;
    return NULL;
}

/* What a reload may change, from the new configuration. The listeners are open already. */
static void take_config(struct supervisor *h, const struct config *config, const struct listeners *listeners) {
    struct listeners old = h->listeners;
    bool same_courier = config_same_courier(config, &h->config);
    bool other_port = config->https_port != h->config.https_port;
    h->listeners = *listeners;
    h->config = *config;
    for (uint32_t i = 0; other_port && i < h->listeners.count; i++)
        h->listeners.row[i].id = ++h->listeners.last_id; /* all are told again */
    allow_groups(h);
    tell_listeners(h, &old);
    listeners_close_gone(&old, &h->listeners);
    tell_limits(h);
    tell_duties(h);
    if (!same_courier) take_courier(h);
    tell_steward_files(h);
    ledger_rotate_at(h->ledger, config->ledger_file_max);
    for (size_t i = 0; i < h->tenant_count; i++) {
        struct tenant *t = h->tenant[i];
        tenant_profile_changed(t);
        tell_tenant(t); /* with the places of its capsule, before the destinations: then its worker says anew what it allows */
        backups_offer(t);
        tenant_say(t, MESSAGE_WORKER_SUPPORT_KEY, h->support.bytes, h->support.fd);
        if (t->cgroup >= 0 && cgroup_limit(&h->cgroup, t->cgroup, &config->limits) < 0) log_errno("tenant %s: limits", t->entry->name);
    }
    tell_posture(h);
    room_run(h);
}

/* NULL = done, else why not. */
static const char *reload(struct supervisor *h, char error[CONFIG_ERROR_MAX]) {
    static struct config config;
    static struct listeners listeners;
    const char *which = "";
    if (!config_load(h->config_path, &config, error)) return error;
    const char *option = config_needs_restart(&h->config, &config);
    if (option) {
        snprintf(error, CONFIG_ERROR_MAX, "restart needed: %s", option);
        return error;
    }
    if (!listeners_change(&h->listeners, &config, &listeners, &which)) {
        snprintf(error, CONFIG_ERROR_MAX, "%s listener %s: %s", errno == EACCES ? "restart needed:" : "", which, strerror(errno));
        return error;
    }
    const char *file = supervisor_open_files(h, &config);
    if (file) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s", file, strerror(errno));
        listeners_close_gone(&listeners, &h->listeners);
        return error;
    }
    take_config(h, &config, &listeners);
    return NULL;
}

void supervisor_reload(struct supervisor *h) {
    char error[CONFIG_ERROR_MAX], state[64];
    if (h->leave_at) return;
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_ms() * 1000);
    notify_manager(state);
    const char *refused = reload(h, error);
    if (refused)
        log_say("reload refused: %s", refused);
    else
        log_say("reloaded");
    ledger_event(h->ledger, clock_unix_ms(), "reloaded", (struct ledger_tenant){.name = ""}, refused ? "refused" : "done");
    notify_manager("READY=1");
}

void supervisor_leave(struct supervisor *h) {
    if (h->leave_at) return;
    h->leave_at = clock_ms() + LEAVE_MS;
    log_say("leaving: every worker drains");
    notify_manager("STOPPING=1");
    service_stop(&h->router); /* no new connection; those handed over go on until they are drained */
    for (size_t i = 0; i < h->tenant_count; i++)
        tenant_event(h->tenant[i], LIFE_STOP);
}
