#include "router.h"

#include "../../policy/channel.h"
#include "../../policy/jail.h"
#include "../../policy/names.h"
#include "../../policy/wall.h"
#include "connection.h"
#include "handover.h"
#include "hosts.h"
#include "listener.h"
#include "sources.h"
#include "tally.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    FDS_FIXED = 64,      /* listeners, the channel, the event loop, one being passed */
    FDS_WORKERS = 4,     /* one in so many fds is for a worker's hand-over socket */
    CONNECTIONS_MIN = 32 /* a router with room for fewer does not start */
};

struct router {
    int channel;
    int error; /* why the loop ended; 0 = the supervisor is gone */
    struct event_base *base;
    struct event *from_supervisor, *minute;
    struct hosts *hosts;
    struct sources *sources;
    struct connections *connections;
    struct listeners *listeners;
    struct handover *handover;
    struct tally tally;
    struct wall_program wall;
    uint8_t layer[64];
    uint32_t landlock_abi;
};

/* ---- what the supervisor may say ---- */

static bool take_listener(struct router *r, const union message *m, int fd) { return listeners_add(r->listeners, &m->listener, fd); }

static bool take_unlisten(struct router *r, const union message *m, int fd) {
    (void)fd;
    listeners_remove(r->listeners, (uint32_t)m->plain.value);
    return true;
}

static bool take_host(struct router *r, const union message *m, int fd) {
    (void)fd;
    return m->head.tenant != 0 && name_is_host(m->host.host) && hosts_set(r->hosts, m->host.host, m->head.tenant);
}

static bool take_unhost(struct router *r, const union message *m, int fd) {
    (void)fd;
    hosts_unset(r->hosts, m->host.host, m->head.tenant);
    return true;
}

static bool take_worker(struct router *r, const union message *m, int fd) {
    if (m->head.tenant != 0 && m->head.generation != 0)
        return handover_worker(r->handover, m->head.tenant, m->head.generation, fd, (uint32_t)m->plain.value);
    close(fd);
    return false;
}

static bool take_no_worker(struct router *r, const union message *m, int fd) {
    (void)fd;
    if (m->head.tenant == 0) return false;
    handover_no_worker(r->handover, m->head.tenant, m->head.generation, (enum no_worker_reason)m->plain.value);
    return true;
}

static bool take_limits(struct router *r, const union message *m, int fd) {
    (void)fd;
    sources_limit(r->sources, m->limits.per_source, m->limits.per_source_rate);
    handover_limit(r->handover, m->limits.per_tenant);
    return true;
}

static const struct {
    uint32_t type;
    bool (*take)(struct router *, const union message *, int fd); /* owns the fd; false: it makes no sense */
} conversation[] = {
    {MESSAGE_ROUTER_LISTENER, take_listener}, {MESSAGE_ROUTER_UNLISTEN, take_unlisten}, {MESSAGE_ROUTER_HOST, take_host},
    {MESSAGE_ROUTER_UNHOST, take_unhost},     {MESSAGE_ROUTER_WORKER, take_worker},     {MESSAGE_ROUTER_NO_WORKER, take_no_worker},
    {MESSAGE_ROUTER_LIMITS, take_limits},
};

static bool take(struct router *r, const union message *m, int fd) {
    for (size_t i = 0; i < sizeof conversation / sizeof *conversation; i++)
        if (conversation[i].type == m->head.type) return conversation[i].take(r, m, fd);
    if (fd >= 0) close(fd);
    return false;
}

static void hear_supervisor(evutil_socket_t channel, short what, void *argument) {
    (void)what;
    struct router *r = argument;
    for (;;) {
        union message m;
        int fd;
        enum channel_result result = channel_receive(channel, CHANNEL_SUPERVISOR, CHANNEL_ROUTER, &m, &fd, NULL);
        if (result == CHANNEL_AGAIN) return;
        if (result == CHANNEL_OK && take(r, &m, fd)) continue;
        r->error = result == CHANNEL_GONE ? 0 : EPROTO;
        event_base_loopbreak(r->base);
        return;
    }
}

static void on_minute(evutil_socket_t none, short what, void *argument) {
    (void)none, (void)what;
    struct router *r = argument;
    tally_say(&r->tally);
}

/* ---- the steps ---- */

/* As many fds as may be had; what is left of them for connections, or 0. */
static size_t connections_ceiling(void) {
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) < 0) return 0;
    fds.rlim_cur = fds.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &fds) < 0 || fds.rlim_cur < FDS_FIXED) return 0;
    rlim_t left = fds.rlim_cur - FDS_FIXED - fds.rlim_cur / FDS_WORKERS;
    if (fds.rlim_cur < FDS_FIXED + fds.rlim_cur / FDS_WORKERS + CONNECTIONS_MIN) return 0;
    return left < ROUTER_CONNECTIONS_MAX ? (size_t)left : ROUTER_CONNECTIONS_MAX;
}

static struct event_base *open_loop(void) {
    struct event_config *wanted = event_config_new();
    if (!wanted) return NULL;
    event_config_set_flag(wanted, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(wanted, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
    struct event_base *base = event_base_new_with_config(wanted);
    event_config_free(wanted);
    return base;
}

static bool open_events(struct router *r) {
    static const struct timeval minute = {.tv_sec = TALLY_MS / 1000};
    r->from_supervisor = event_new(r->base, r->channel, EV_READ | EV_PERSIST, hear_supervisor, r);
    r->minute = event_new(r->base, -1, EV_PERSIST, on_minute, r);
    return r->from_supervisor && r->minute && event_add(r->from_supervisor, NULL) == 0 && event_add(r->minute, &minute) == 0;
}

/* What was opened before a failure goes with the process. */
static bool open_all(struct router *r) {
    size_t ceiling = connections_ceiling();
    uint8_t key[16];
    if (ceiling == 0) {
        errno = EMFILE;
        return false;
    }
    if (getrandom(key, sizeof key, 0) != sizeof key) return false;
    errno = ENOMEM; /* unless the kernel says something better */
    if (!(r->base = open_loop()) || !(r->hosts = hosts_new()) || !(r->sources = sources_new(key))) return false;
    r->connections = connections_new(r->base, ceiling, r->channel, r->hosts, r->sources, &r->tally);
    if (!r->connections || !(r->listeners = listeners_new(r->base, r->connections)) || !open_events(r)) return false;
    r->handover = connections_handover(r->connections);
    return wall_make(WALL_ROUTER, &r->wall) == 0;
}

struct router *router_open(int channel) {
    struct router *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->channel = channel;
    if (open_all(r)) return r;
    free(r);
    return NULL;
}

int router_seal(struct router *r) {
    if (jail_unshare() < 0 || jail_enter_empty() < 0 || jail_drop_rights() < 0) return -1;
    jail_observe(r->layer, &r->landlock_abi);
    if (wall_close(&r->wall) < 0) return -1;
    r->layer[LAYER_seccomp] = LAYER_ON;
    return 0;
}

int router_ready(struct router *r) {
    union message m = {.ready = {.head = {.type = MESSAGE_ROUTER_READY}, .landlock_abi = r->landlock_abi, .syscalls = r->wall.calls}};
    memcpy(m.ready.layer, r->layer, sizeof m.ready.layer);
    memcpy(m.ready.filter_hash, r->wall.hash, sizeof m.ready.filter_hash);
    return channel_send(r->channel, CHANNEL_ROUTER, &m, -1) == CHANNEL_OK ? 0 : -1;
}

int router_work(struct router *r) {
    r->error = EIO; /* the loop is never to end by itself */
    if (event_base_dispatch(r->base) != 0) return -1;
    errno = r->error;
    return r->error == 0 ? 0 : -1;
}
