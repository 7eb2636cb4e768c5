#include "connection.h"

#include "client_hello.h"
#include "clock.h"
#include "handover.h"
#include "listener.h"
#include "proxy_header.h"
#include "redirect.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum phase {
    PHASE_PROXY,   /* the PROXY header is not whole */
    PHASE_HELLO,   /* the ClientHello is not whole */
    PHASE_REQUEST, /* plain HTTP: the request's head is not whole */
    PHASE_LINGER,  /* answered; what still comes is thrown away, so that no RST takes the answer back */
    PHASE_HELD,    /* whole: handover.h has it */
};

enum {
    PEEK_MAX = REQUEST_HEAD_MAX > CLIENT_HELLO_MAX ? REQUEST_HEAD_MAX : CLIENT_HELLO_MAX,
    LINGER_MAX = 4 * REQUEST_HEAD_MAX, /* bytes thrown away */
};

struct connection {
    struct guest guest;
    TAILQ_ENTRY(connection) age; /* among the incomplete, the held or the free */
    struct connections *all;
    struct listener *listener;
    struct source *source; /* NULL: not counted */
    uint64_t deadline_ms;
    struct event event;
    size_t thrown_away;
    int low_water;
    enum phase phase;
    bool watched; /* event is added */
    bool check;   /* a proxy's own */
};

TAILQ_HEAD(queue, connection);

struct connections {
    struct event_base *base;
    const struct hosts *hosts;
    struct sources *sources;
    struct tally *tally;
    struct handover *handover;
    struct event timer;
    struct queue incomplete, held; /* oldest first, and so in the order of their deadlines */
    struct queue free;
    size_t count, held_count, ceiling;
    size_t used;              /* slots that were ever taken: the rest costs no memory yet */
    uint64_t timer_ms;        /* when the timer fires, if it is pending */
    uint8_t peeked[PEEK_MAX]; /* of the one being looked at */
    struct connection slot[];
};

/* What a look at a connection came to. */
enum step {
    STEP_ON,   /* look again: it is in another phase */
    STEP_MORE, /* wait until there are `need` bytes */
    STEP_GONE, /* it is not ours any more */
};

/* ---- births and ends ---- */

static struct queue *queue_of(struct connection *c) { return c->phase == PHASE_HELD ? &c->all->held : &c->all->incomplete; }

static void finish(struct connection *c, enum tally_end end) {
    struct connections *all = c->all;
    if (c->watched) event_del(&c->event); /* before close: a handed-over file lives on in the worker */
    handover_leave(all->handover, &c->guest);
    close(c->guest.fd);
    if (c->source) sources_leave(all->sources, c->source);
    listener_release(c->listener);
    TAILQ_REMOVE(queue_of(c), c, age);
    all->held_count -= c->phase == PHASE_HELD;
    all->count--;
    TAILQ_INSERT_HEAD(&all->free, c, age);
    tally_add(all->tally, c->check && end == TALLY_left ? TALLY_checked : end);
}

/* Ends one that was of no use to anybody. */
static void finish_useless(struct connection *c, enum tally_end end) {
    if (c->source) sources_penalise(c->all->sources, c->source, clock_ms());
    finish(c, end);
}

static void handed_over(void *argument, struct guest *guest, enum tally_end end) {
    (void)argument;
    finish((struct connection *)(void *)((char *)guest - offsetof(struct connection, guest)), end);
}

void connections_shed(struct connections *all) {
    struct connection *oldest = TAILQ_FIRST(&all->incomplete);
    if (oldest)
        finish_useless(oldest, TALLY_crowded_out);
    else if ((oldest = TAILQ_FIRST(&all->held)))
        finish(oldest, TALLY_crowded_out);
}

static void watch_time(struct connections *all) {
    const struct connection *a = TAILQ_FIRST(&all->incomplete), *b = TAILQ_FIRST(&all->held);
    if (!a && !b) return;
    uint64_t first = !b || (a && a->deadline_ms < b->deadline_ms) ? a->deadline_ms : b->deadline_ms, now = clock_ms();
    if (evtimer_pending(&all->timer, NULL) && all->timer_ms <= first) return;
    all->timer_ms = first;
    uint64_t left = first > now ? first - now : 0;
    const struct timeval wait = {.tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000)};
    evtimer_add(&all->timer, &wait);
}

static void on_time(evutil_socket_t none, short what, void *argument) {
    (void)none, (void)what;
    struct connections *all = argument;
    struct connection *c;
    uint64_t now = clock_ms();
    while ((c = TAILQ_FIRST(&all->incomplete)) && c->deadline_ms <= now) {
        if (c->phase == PHASE_LINGER)
            finish(c, TALLY_redirected);
        else
            finish_useless(c, TALLY_late);
    }
    while ((c = TAILQ_FIRST(&all->held)) && c->deadline_ms <= now)
        finish(c, TALLY_held_late);
    watch_time(all);
}

struct connections *connections_new(struct event_base *base, size_t ceiling, int channel, const struct hosts *hosts,
                                    struct sources *sources, struct tally *tally) {
    struct connections *all = calloc(1, sizeof *all + ceiling * sizeof *all->slot);
    if (!all) return NULL;
    all->base = base;
    all->hosts = hosts;
    all->sources = sources;
    all->tally = tally;
    all->ceiling = ceiling;
    TAILQ_INIT(&all->incomplete);
    TAILQ_INIT(&all->held);
    TAILQ_INIT(&all->free);
    evtimer_assign(&all->timer, base, on_time, all);
    all->handover = handover_new(base, channel, handed_over, NULL);
    if (all->handover) return all;
    free(all);
    return NULL;
}

struct handover *connections_handover(struct connections *all) {
    return all->handover;
}

/* ---- looking ---- */

/* Bytes to look at without consuming them; -1: the peer closed or broke the connection. */
static ssize_t peek(struct connection *c) {
    struct iovec part = {.iov_base = c->all->peeked, .iov_len = PEEK_MAX};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t size = recvmsg(c->guest.fd, &message, MSG_PEEK);
    if (size > 0) return size;
    return size < 0 && errno == EAGAIN ? 0 : -1;
}

/* Consumes exactly that many bytes, which are there. */
static bool consume(struct connection *c, size_t size) {
    struct iovec part = {.iov_base = c->all->peeked, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return recvmsg(c->guest.fd, &message, 0) == (ssize_t)size;
}

/* The kernel wakes us once there are that many bytes, or at the end of them. */
static bool set_low_water(struct connection *c, size_t bytes) {
    int low = (int)bytes;
    if (low == c->low_water) return true;
    c->low_water = low;
    return setsockopt(c->guest.fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0;
}

/* false: it was ended. */
static bool enter_source(struct connection *c) {
    switch (sources_enter(c->all->sources, c->guest.address, clock_ms(), &c->source)) {
    case SOURCES_ADMITTED:
        return true;
    case SOURCES_TOO_MANY:
        finish(c, TALLY_too_many);
        return false;
    default:
        finish(c, TALLY_too_fast);
        return false;
    }
}

/* Whole: from here on handover.h decides. The worker finds the socket as accept made it. */
static enum step offer(struct connection *c, uint32_t tenant) {
    struct connections *all = c->all;
    if (!set_low_water(c, 1)) {
        finish(c, TALLY_broken);
        return STEP_GONE;
    }
    if (all->held_count > all->ceiling / 2) finish(TAILQ_FIRST(&all->held), TALLY_crowded_out);
    TAILQ_REMOVE(&all->incomplete, c, age);
    c->phase = PHASE_HELD;
    c->deadline_ms = clock_ms() + HELD_MS;
    TAILQ_INSERT_TAIL(&all->held, c, age);
    all->held_count++;
    return handover_offer(all->handover, tenant, &c->guest) ? STEP_MORE : STEP_GONE;
}

static enum step look_at_proxy(struct connection *c, size_t size, size_t *need) {
    struct proxy_header header;
    switch (proxy_header_read(c->all->peeked, size, &header, need)) {
    case PROXY_MORE:
        return STEP_MORE;
    case PROXY_COMPLETE:
        break;
    default:
        finish(c, TALLY_bad_proxy);
        return STEP_GONE;
    }
    if (!consume(c, header.size)) {
        finish(c, TALLY_broken);
        return STEP_GONE;
    }
    if (header.kind == PROXY_SOURCE) {
        memcpy(c->guest.address, header.address, sizeof c->guest.address);
        c->guest.port = header.port;
    }
    c->phase = c->listener->policy.kind == LISTENER_TLS ? PHASE_HELLO : PHASE_REQUEST;
    /* The proxy's own health check goes on as a client's connection would, a TLS handshake included, and counts for no client. */
    c->check = header.kind == PROXY_LOCAL;
    return c->check || enter_source(c) ? STEP_ON : STEP_GONE;
}

static enum step look_at_hello(struct connection *c, size_t size, size_t *need) {
    char host[HOST_MAX + 1];
    enum hello_result result = client_hello_read(c->all->peeked, size, host, need);
    if (result == HELLO_MORE) return STEP_MORE;
    uint32_t tenant = result == HELLO_NAMED ? hosts_find(c->all->hosts, host) : 0;
    if (tenant != 0) return offer(c, tenant);
    finish_useless(c, result == HELLO_REFUSED ? TALLY_bad_hello : TALLY_no_host);
    return STEP_GONE;
}

/* The tenant's own spelling of the host a request names; NULL when nobody has it. */
static const char *known_host(const struct connections *all, struct slice name, char host[HOST_MAX + 1]) {
    if (name.size == 0 || name.size > HOST_MAX) return NULL;
    for (size_t i = 0; i < name.size; i++)
        host[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] - 'A' + 'a' : name.data[i]);
    host[name.size] = '\0';
    return hosts_find(all->hosts, host) ? host : NULL;
}

/* A fresh socket's buffer takes an answer whole, or the peer does not get it. */
static enum step answer(struct connection *c, char *bytes, size_t size, size_t consumed) {
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent = sendmsg(c->guest.fd, &message, MSG_NOSIGNAL);
    if (sent != (ssize_t)size || shutdown(c->guest.fd, SHUT_WR) < 0 || !consume(c, consumed)) {
        finish(c, TALLY_left);
        return STEP_GONE;
    }
    c->phase = PHASE_LINGER;
    return STEP_ON;
}

static enum step look_at_request(struct connection *c, size_t size, size_t *need) {
    struct http_request_head head;
    size_t used = 0;
    int status = 0;
    const char *why;
    char out[REDIRECT_MAX], host[HOST_MAX + 1];
    switch (http_read_head((const char *)c->all->peeked, size, &head, &used, &status, &why)) {
    case HTTP_MORE:
        if (size >= REQUEST_HEAD_MAX) return answer(c, out, redirect_refusal(431, out), size);
        *need = size + 1;
        return STEP_MORE;
    case HTTP_REFUSED:
        return answer(c, out, redirect_refusal(status, out), size);
    default:
        break;
    }
    const struct redirect_rule rule = {c->listener->policy.acme_url, c->listener->policy.https_port};
    return answer(c, out, redirect_answer(&rule, &head, known_host(c->all, head.host, host), out), size);
}

static enum step linger(struct connection *c, size_t size, size_t *need) {
    c->thrown_away += size;
    *need = 1;
    if (size == 0) return STEP_MORE;
    if (c->thrown_away <= LINGER_MAX && consume(c, size)) return STEP_ON;
    finish(c, TALLY_redirected);
    return STEP_GONE;
}

static enum step look(struct connection *c, size_t size, size_t *need) {
    switch (c->phase) {
    case PHASE_PROXY:
        return look_at_proxy(c, size, need);
    case PHASE_HELLO:
        return look_at_hello(c, size, need);
    case PHASE_REQUEST:
        return look_at_request(c, size, need);
    default:
        return linger(c, size, need);
    }
}

static void on_event(evutil_socket_t fd, short what, void *argument);

/* Waits for the next bytes or the peer's end. Edge-triggered: what is there already and was looked at does not wake us again. */
static void wait_for(struct connection *c, size_t need) {
    if (c->phase != PHASE_HELD && !set_low_water(c, need)) {
        finish(c, TALLY_broken);
        return;
    }
    if (c->watched) return;
    short events = EV_READ | EV_CLOSED | EV_ET | EV_PERSIST;
    c->watched = event_assign(&c->event, c->all->base, c->guest.fd, events, on_event, c) == 0 && event_add(&c->event, NULL) == 0;
    if (!c->watched) finish(c, TALLY_broken);
}

/* closed: no byte will follow those that are there. */
static void serve(struct connection *c, bool closed) {
    ssize_t size;
    size_t need = 1;
    enum step step;
    do {
        size = peek(c);
        if (size < 0) {
            finish(c, c->phase == PHASE_LINGER ? TALLY_redirected : TALLY_left);
            return;
        }
        step = look(c, (size_t)size, &need);
    } while (step == STEP_ON);
    if (step == STEP_GONE) return;
    if (closed)
        finish(c, TALLY_left);
    else
        wait_for(c, size > 0 ? need : 1); /* the first bytes mostly come all together: no need to raise and reset the mark */
}

static void on_event(evutil_socket_t fd, short what, void *argument) {
    (void)fd;
    struct connection *c = argument;
    bool closed = what & EV_CLOSED;
    if (c->phase != PHASE_HELD)
        serve(c, closed);
    else if (closed || peek(c) < 0)
        finish(c, TALLY_left);
}

static struct connection *take_slot(struct connections *all) {
    if (all->count == all->ceiling) connections_shed(all);
    struct connection *c = TAILQ_FIRST(&all->free);
    if (c)
        TAILQ_REMOVE(&all->free, c, age);
    else
        c = &all->slot[all->used++];
    memset(c, 0, sizeof *c);
    c->all = all;
    all->count++;
    return c;
}

void connections_add(struct connections *all, struct listener *listener, int fd, const struct peer *peer) {
    struct connection *c = take_slot(all);
    uint32_t kind = listener->policy.kind;
    c->listener = listener_use(listener);
    c->deadline_ms = clock_ms() + CLIENT_HELLO_MS;
    c->low_water = 1;
    c->guest.fd = fd;
    c->guest.kind = kind == LISTENER_PLAIN ? HANDOVER_PLAIN : HANDOVER_TLS;
    c->guest.port = peer->port;
    memcpy(c->guest.address, peer->address, sizeof c->guest.address);
    c->phase = listener->policy.proxy ? PHASE_PROXY : kind == LISTENER_HTTP ? PHASE_REQUEST : PHASE_HELLO;
    TAILQ_INSERT_TAIL(&all->incomplete, c, age);
    watch_time(all);

    if (kind == LISTENER_PLAIN) {
        if (offer(c, listener->tenant) == STEP_MORE) wait_for(c, 1);
    } else if (c->phase == PHASE_PROXY && (peer->local || !listener_trusts(listener, peer->address))) {
        finish(c, TALLY_no_proxy);
    } else if (c->phase == PHASE_PROXY || peer->local || enter_source(c)) {
        serve(c, false);
    }
}
