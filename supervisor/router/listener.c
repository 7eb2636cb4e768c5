#include "listener.h"

#include "connection.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_A_TURN = 64, /* then the others have theirs */
    PAUSE_MS = 100,      /* when the kernel has no fd or memory for another connection */
};

struct entry {
    struct listener listener; /* first: freed as this */
    TAILQ_ENTRY(entry) all;
    struct listeners *owner;
    struct event event;
    int socket;
};

TAILQ_HEAD(entries, entry);

struct listeners {
    struct event_base *base;
    struct connections *connections;
    struct entries all;
    uint32_t count[LISTENER_PLAIN + 1]; /* by kind */
    struct event resume;                /* pending: nobody accepts */
};

struct listener *listener_use(struct listener *listener) {
    listener->users++;
    return listener;
}

void listener_release(struct listener *listener) {
    if (--listener->users == 0) free(listener);
}

bool listener_trusts(const struct listener *listener, const uint8_t address[16]) {
    for (uint32_t i = 0; i < listener->policy.source_count; i++) {
        const uint8_t *network = listener->policy.source[i].address;
        uint32_t bytes = listener->policy.source[i].prefix / 8, bits = listener->policy.source[i].prefix % 8;
        if (memcmp(network, address, bytes) != 0) continue;
        if (bits == 0 || (network[bytes] ^ address[bytes]) >> (8 - bits) == 0) return true;
    }
    return false;
}

/* The peer's address as everywhere here; zero for a Unix socket. */
static void read_peer(const struct sockaddr_storage *from, struct peer *peer) {
    memset(peer, 0, sizeof *peer);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)from;
        peer->address[10] = peer->address[11] = 0xff;
        memcpy(peer->address + 12, &four->sin_addr, 4);
        peer->port = ntohs(four->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
        memcpy(peer->address, &six->sin6_addr, 16);
        peer->port = ntohs(six->sin6_port);
    } else {
        peer->local = true;
    }
}

static void pause_all(struct listeners *all) {
    static const struct timeval a_while = {.tv_usec = PAUSE_MS * 1000L};
    for (struct entry *e = TAILQ_FIRST(&all->all); e; e = TAILQ_NEXT(e, all))
        event_del(&e->event);
    evtimer_add(&all->resume, &a_while);
    connections_shed(all->connections);
}

static void resume_all(evutil_socket_t none, short what, void *argument) {
    (void)none, (void)what;
    struct listeners *all = argument;
    for (struct entry *e = TAILQ_FIRST(&all->all); e; e = TAILQ_NEXT(e, all))
        event_add(&e->event, NULL);
}

static void on_accept(evutil_socket_t socket, short what, void *argument) {
    (void)what;
    struct entry *e = argument;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof from;
        int fd = accept4(socket, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) return;
        if (fd < 0 && errno == EINVAL) { /* shut down by its maker: it would wake us for ever */
            event_del(&e->event);
            return;
        }
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            pause_all(e->owner);
            return;
        }
        if (fd < 0) continue; /* that one connection broke before it was taken */
        struct peer peer;
        read_peer(&from, &peer);
        connections_add(e->owner->connections, &e->listener, fd, &peer);
    }
}

struct listeners *listeners_new(struct event_base *base, struct connections *connections) {
    struct listeners *all = calloc(1, sizeof *all);
    if (!all) return NULL;
    all->base = base;
    all->connections = connections;
    TAILQ_INIT(&all->all);
    evtimer_assign(&all->resume, base, resume_all, all);
    return all;
}

void listeners_remove(struct listeners *all, uint32_t id) {
    struct entry *e = TAILQ_FIRST(&all->all);
    while (e && e->listener.id != id)
        e = TAILQ_NEXT(e, all);
    if (!e) return;
    TAILQ_REMOVE(&all->all, e, all);
    all->count[e->listener.policy.kind]--;
    event_del(&e->event);
    close(e->socket);
    listener_release(&e->listener);
}

static bool makes_sense(const struct message_listener *policy) {
    if (policy->id == 0 || (policy->kind == LISTENER_PLAIN) != (policy->head.tenant != 0)) return false;
    if (policy->kind == LISTENER_PLAIN && policy->proxy) return false;
    for (uint32_t i = 0; i < policy->source_count; i++)
        if (policy->source[i].prefix > 128) return false;
    return policy->kind != LISTENER_HTTP || policy->https_port != 0;
}

bool listeners_add(struct listeners *all, const struct message_listener *policy, int socket) {
    listeners_remove(all, policy->id);
    uint32_t most = policy->kind == LISTENER_PLAIN ? TENANTS_MAX : LISTENERS_MAX;
    struct entry *e = makes_sense(policy) && all->count[policy->kind] < most ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        close(socket);
        return false;
    }
    e->listener = (struct listener){.id = policy->id, .tenant = policy->head.tenant, .policy = *policy, .users = 1};
    e->owner = all;
    e->socket = socket;
    TAILQ_INSERT_TAIL(&all->all, e, all);
    all->count[policy->kind]++;
    event_assign(&e->event, all->base, socket, EV_READ | EV_PERSIST, on_accept, e);
    if (evtimer_pending(&all->resume, NULL) || event_add(&e->event, NULL) == 0) return true;
    listeners_remove(all, policy->id);
    return false;
}
