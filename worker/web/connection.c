#include "connection.h"

#include "../memory/arena.h"
#include "../tenant.h"
#include "exchange.h"
#include "input.h"
#include "tls.h"
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SWEEP_SECONDS = 1,
    ROUNDS = 8,                 /* of reading, answering and writing before other connections have their turn */
    WRITE_PIECE = 16384,        /* one TLS record */
    WRITE_TURN = 512 * 1024,    /* bytes sent to one connection before the others have their turn */
    LINGER_BYTES = 1024 * 1024, /* thrown away at most after a last answer */
    ARENA_AMPLE = 2048 * 1024,  /* free secret memory with which nothing is short */
    ARENA_RESERVE = 512 * 1024, /* that a new connection must leave */
    ARENA_PIECE = 128 * 1024,   /* in one piece, for handshakes going on at once */
    EVICTIONS = 64,             /* at most, for one connection to come in: pages come free only when all that lay on them is gone */
    DEAF_MS = 1000,             /* without any byte taken or sent, after which a client makes room for another when memory is short */
};

TAILQ_HEAD(connections, connection);
static struct connections everyone = TAILQ_HEAD_INITIALIZER(everyone);
static struct connections idlers = TAILQ_HEAD_INITIALIZER(idlers);
static struct connections of_turn = TAILQ_HEAD_INITIALIZER(of_turn);
static size_t open_count;
static bool draining;
static struct event *sweeper;
static uint64_t now_ms;
static bool between_turns; /* in web_turn_end(): the loop is not running */

uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_ms(void) { return now_ms; }

size_t connections_open(void) { return open_count; }
bool connections_draining(void) { return draining; }

/* ---- reading and writing ---- */

static bool may_read(const struct connection *c) { return c->state == CONNECTION_OPEN && c->may_read && exchange_wants_input(c); }

static void read_some(struct connection *c) {
    if (!may_read(c)) return;
    if (!input_ready(c)) {
        count(COUNTER_out_of_memory, 1);
        c->dead = true;
        return;
    }
    exchange_make_room(c);
    size_t room = c->in_room - c->in_end, got = 0;
    switch (wire_read(c, c->in + c->in_end, room, &got)) {
    case WIRE_DONE:
        c->in_end += got;
        count(COUNTER_bytes_in, got);
        /* Fewer than asked for and none left behind: the socket is empty, and epoll says when it is not. */
        c->may_read = got == room || wire_has_more(c);
        break;
    case WIRE_LATER: /* also for the rest of a TLS record, so wire_has_more() says nothing now */
        c->may_read = false;
        break;
    case WIRE_ENDED:
        c->eof = true;
        break;
    default:
        c->dead = true;
    }
}

/* The client will send nothing more: what it asked for whole is answered, what it began is dropped. */
static void end_of_input(struct connection *c) {
    uint64_t since;
    if (!c->eof || c->dead || exchange_can_step(c)) return;
    if (exchange_waits(c, &since))
        c->dead = true;
    else if (!c->exchange)
        c->closing = true;
}

static void write_some(struct connection *c) {
    size_t total = 0, size, gone = 0;
    while (!c->dead && !c->write_blocked && total < WRITE_TURN && (size = evbuffer_get_length(c->out)) > 0) {
        struct evbuffer_iovec piece;
        evbuffer_peek(c->out, 1, NULL, &piece, 1);
        if (piece.iov_len < WRITE_PIECE && piece.iov_len < size) {
            piece.iov_len = size < WRITE_PIECE ? size : WRITE_PIECE;
            piece.iov_base = evbuffer_pullup(c->out, (ssize_t)piece.iov_len);
        }
        if (!piece.iov_base) {
            count(COUNTER_out_of_memory, 1);
            c->dead = true;
            return;
        }
        if (piece.iov_len > WRITE_PIECE) piece.iov_len = WRITE_PIECE;
        switch (wire_write(c, piece.iov_base, piece.iov_len, &gone)) {
        case WIRE_DONE:
            evbuffer_drain(c->out, gone);
            count(COUNTER_bytes_out, gone);
            total += gone;
            c->output_since_ms = now_ms;
            break;
        case WIRE_LATER:
            return;
        default:
            c->dead = true;
        }
    }
}

/* ---- life ---- */

static void not_idle(struct connection *c) {
    if (c->in_idle) TAILQ_REMOVE(&idlers, c, idle);
    c->in_idle = false;
}

static void set_idle(struct connection *c) {
    if (c->in_idle) return;
    TAILQ_INSERT_TAIL(&idlers, c, idle);
    c->in_idle = true;
}

static void release(struct connection *c) {
    TAILQ_REMOVE(&everyone, c, all);
    not_idle(c);
    if (c->in_turn) TAILQ_REMOVE(&of_turn, c, turn);
    c->busy = true; /* what the exchange gives back may not come back here */
    exchange_abandon(c);
    event_del(&c->readable);
    event_del(&c->writable);
    SSL_free(c->ssl);
    close(c->fd);
    input_give_back(c);
    if (c->out) evbuffer_free(c->out);
    if (c->held) evbuffer_free(c->held);
    free(c);
    open_count--;
    gauge(COUNTER_connections, open_count);
    if (open_count == 0) event_del(sweeper);
}

void connection_close(struct connection *c) {
    c->dead = true;
    if (!c->busy) connection_resume(c);
}

/* Never event_active() from inside the loop: libevent would run it in the same turn, and web_turn_end() would have to wait. */
void connection_resume(struct connection *c) {
    if (between_turns) {
        event_active(&c->readable, EV_READ, 0);
        return;
    }
    c->again = true;
    connection_at_turn_end(c);
}

void connection_at_turn_end(struct connection *c) {
    if (c->in_turn) return;
    TAILQ_INSERT_TAIL(&of_turn, c, turn);
    c->in_turn = true;
}

struct connection *connection_first_of_turn(void) {
    return TAILQ_FIRST(&of_turn);
}
struct connection *connection_next_of_turn(struct connection *c) {
    return TAILQ_NEXT(c, turn);
}

/* Says goodbye and waits a little for the client's own, so that a reset does not overtake the last answer. */
static void linger(struct connection *c) {
    wire_goodbye(c);
    input_give_back(c);
    if (c->eof || shutdown(c->fd, SHUT_WR) < 0) {
        c->dead = true;
        return;
    }
    c->state = CONNECTION_LINGER;
    c->idle_since_ms = now_ms;
    c->may_read = true;
}

static void linger_read(struct connection *c) {
    char waste[4096];
    for (int i = 0; i < ROUNDS; i++) {
        ssize_t n = read(c->fd, waste, sizeof waste);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n > 0) c->lingered += (uint32_t)n;
        if (n <= 0 || c->lingered > LINGER_BYTES) {
            c->dead = true;
            return;
        }
    }
}

static void handshake(struct connection *c) {
    enum wire_result result = wire_handshake(c);
    if (result == WIRE_DONE) {
        c->state = CONNECTION_OPEN;
        c->idle_since_ms = now_ms;
        c->may_read = true; /* the first request may have come with the client's last flight */
    } else if (result != WIRE_LATER) {
        count(COUNTER_handshake_failures, 1);
        c->dead = true;
    }
}

/* ---- a connection's turn ---- */

static bool can_write(const struct connection *c) { return !c->write_blocked && evbuffer_get_length(c->out) > 0; }

static void watch(struct event *e, bool *is, bool wanted) {
    if (*is == wanted) return;
    if (wanted ? event_add(e, NULL) == 0 : event_del(e) == 0) *is = wanted;
}

static bool owes_nothing(const struct connection *c) {
    return c->state == CONNECTION_OPEN && !c->exchange && c->held_count == 0 && evbuffer_get_length(c->out) == 0;
}

/* No lingering: no last answer is on its way that a reset could overtake, and a client that sleeps would hold the worker's end back. */
static void leave(struct connection *c) {
    wire_goodbye(c);
    c->dead = true;
}

/* All is done that can be done now: what is waited for? */
static void finish(struct connection *c) {
    if (!c->dead && c->closing && owes_nothing(c)) linger(c);
    if (!c->dead && c->leaving && owes_nothing(c) && !c->head_since_ms && !may_read(c)) leave(c);
    if (c->dead) {
        release(c);
        return;
    }
    input_shrink(c);
    bool open = c->state == CONNECTION_OPEN, output = evbuffer_get_length(c->out) > 0;
    bool idle = !open || (!c->exchange && c->held_count == 0 && !output); /* also one that has begun a request: it may be a slow attack */
    if (!idle || open) not_idle(c);                                       /* and to the end of the list: it has just been used */
    if (idle) set_idle(c);
    watch(&c->readable, &c->reading, !open || exchange_wants_input(c));
    watch(&c->writable, &c->writing, c->write_blocked);
    if (may_read(c) || exchange_can_step(c) || can_write(c) || (exchange_can_pump(c) && !c->in_turn)) connection_resume(c);
}

static void run(struct connection *c) {
    c->busy = true;
    if (c->state == CONNECTION_HANDSHAKE && !c->dead) handshake(c);
    if (c->state == CONNECTION_LINGER && !c->dead) linger_read(c);
    for (int i = 0; i < ROUNDS && c->state == CONNECTION_OPEN && !c->dead; i++) {
        bool was_empty = evbuffer_get_length(c->out) == 0;
        read_some(c);
        if (!c->dead) exchange_step(c);
        if (!c->dead) exchange_pump(c);
        if (was_empty) c->output_since_ms = now_ms;
        if (!c->dead) write_some(c);
        end_of_input(c);
        if (!may_read(c) && !exchange_can_step(c) && !exchange_can_pump(c)) break;
        if (c->in_turn && !may_read(c) && !exchange_can_step(c)) break;
    }
    c->busy = false;
    finish(c);
}

void connection_turn_ended(struct connection *c) {
    bool again = c->again;
    TAILQ_REMOVE(&of_turn, c, turn);
    c->in_turn = c->again = false;
    between_turns = true;
    now_ms = clock_us() / 1000;
    if (again) connection_resume(c);
    c->busy = true;
    if (!c->dead && c->state == CONNECTION_OPEN) {
        c->output_since_ms = now_ms;
        write_some(c);
        end_of_input(c);
    }
    c->busy = false;
    finish(c);
    between_turns = false;
}

static void on_readable(evutil_socket_t fd, short what, void *argument) {
    struct connection *c = argument;
    (void)fd, (void)what;
    now_ms = clock_us() / 1000;
    c->may_read = true;
    run(c);
}

static void on_writable(evutil_socket_t fd, short what, void *argument) {
    struct connection *c = argument;
    (void)fd, (void)what;
    now_ms = clock_us() / 1000;
    c->write_blocked = false;
    run(c);
}

/* ---- time ---- */

static void too_late(struct connection *c) {
    uint64_t since;
    if (c->state == CONNECTION_HANDSHAKE) count(COUNTER_handshake_failures, 1);
    bool owes = c->state == CONNECTION_OPEN && evbuffer_get_length(c->out) == 0 && c->held_count == 0 &&
                (c->head_since_ms || exchange_waits(c, &since));
    if (owes && !c->closing) {
        exchange_too_slow(c); /* answers it, or closes */
    } else if (c->state == CONNECTION_OPEN && c->in_idle) {
        c->closing = true;
        connection_resume(c);
    } else {
        connection_close(c);
    }
}

static bool is_late(const struct connection *c) {
    uint64_t since = c->idle_since_ms, most = draining ? LINGER_MS : IDLE_MS;
    if (c->state == CONNECTION_HANDSHAKE) {
        most = HANDSHAKE_MS;
    } else if (c->state == CONNECTION_LINGER) {
        most = LINGER_MS;
    } else if (evbuffer_get_length(c->out) > 0) {
        since = c->output_since_ms;
        most = WRITE_MS;
    } else if (exchange_waits(c, &since)) {
        most = BODY_MS;
    } else if (c->exchange || c->held_count) {
        return false; /* it waits for us */
    } else if (c->head_since_ms) {
        since = c->head_since_ms;
        most = HEAD_MS;
    }
    return now_ms > since + most;
}

static void sweep(evutil_socket_t fd, short what, void *unused) {
    (void)fd, (void)what, (void)unused;
    struct connection *c;
    now_ms = clock_us() / 1000;
    TAILQ_FOREACH(c, &everyone, all)
        if (is_late(c)) too_late(c);
    tls_tick(now_ms / 1000);
    gauge(COUNTER_arena_used_bytes, arena_used());
}

/* ---- arrivals ---- */

/* Closes the connection that has been idle longest. false: none is. */
static bool make_room(void) {
    struct connection *c = TAILQ_FIRST(&idlers);
    if (!c || c->busy) return false;
    release(c);
    return true;
}

/* Since when the client has left its answer lying, or its body unsent. */
static bool is_deaf(const struct connection *c, uint64_t *since) {
    if (c->state != CONNECTION_OPEN || c->busy) return false;
    if (evbuffer_get_length(c->out) == 0) return exchange_waits(c, since);
    *since = c->output_since_ms;
    return c->write_blocked;
}

/* Closes the connection that has been so longest: such answers and bodies are what fills the memory. false: none is. */
static bool drop_deaf(void) {
    struct connection *c, *deaf = NULL;
    uint64_t since, longest = now_ms - DEAF_MS;
    TAILQ_FOREACH(c, &everyone, all) {
        if (!is_deaf(c, &since) || since > longest) continue;
        deaf = c;
        longest = since;
    }
    if (deaf) release(deaf);
    return deaf != NULL;
}

/* What is free may lie in pieces too small for a handshake's buffers: so a piece is tried for. */
static bool memory_is_short(void) {
    size_t left = arena_size() - arena_used();
    if (arena_size() == 0 || left > ARENA_AMPLE) return false;
    void *piece = left > ARENA_RESERVE ? malloc(ARENA_PIECE) : NULL;
    free(piece);
    return piece == NULL;
}

static bool there_is_room(void) {
    uint32_t ceiling = self.profile.connections;
    for (int i = 0; i < EVICTIONS && ((ceiling && open_count >= ceiling) || memory_is_short()); i++)
        if (!(memory_is_short() && drop_deaf()) && !make_room()) return false;
    return (!ceiling || open_count < ceiling) && !memory_is_short();
}

static struct connection *connection_new(int fd, const struct message_handover *h) {
    struct connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->fd = fd;
    c->plain = h->kind == HANDOVER_PLAIN;
    c->out = evbuffer_new();
    c->ssl = c->plain ? NULL : tls_server(fd);
    if (!c->out || (!c->plain && !c->ssl) || event_assign(&c->readable, self.base, fd, EV_READ | EV_PERSIST, on_readable, c) < 0 ||
        event_assign(&c->writable, self.base, fd, EV_WRITE | EV_PERSIST, on_writable, c) < 0 || event_add(&c->readable, NULL) < 0) {
        if (c->out) evbuffer_free(c->out);
        SSL_free(c->ssl);
        free(c);
        return NULL;
    }
    return c;
}

void connection_accept(int fd, const struct message_handover *h) {
    count(COUNTER_connections_total, 1);
    now_ms = clock_us() / 1000;
    struct connection *c = there_is_room() ? connection_new(fd, h) : NULL;
    if (!c) {
        count(COUNTER_out_of_memory, 1);
        close(fd);
        return;
    }
    memcpy(c->peer, h->address, sizeof c->peer);
    c->reading = true;
    c->state = c->ssl ? CONNECTION_HANDSHAKE : CONNECTION_OPEN;
    c->idle_since_ms = now_ms;
    TAILQ_INSERT_TAIL(&everyone, c, all);
    set_idle(c);
    if (open_count++ == 0) event_add(sweeper, &(struct timeval){.tv_sec = SWEEP_SECONDS});
    gauge(COUNTER_connections, open_count);
}

bool connections_start(void) {
    if (!sweeper) sweeper = event_new(self.base, -1, EV_PERSIST, sweep, NULL);
    return sweeper != NULL;
}

void connections_ceiling_changed(void) {
    while (self.profile.connections && open_count > self.profile.connections && make_room())
        ;
}

void connections_drain(void) {
    struct connection *c;
    draining = true;
    now_ms = clock_us() / 1000;
    TAILQ_FOREACH(c, &idlers, idle) {
        if (c->state != CONNECTION_OPEN || c->head_since_ms) continue;
        c->leaving = c->may_read = true; /* a request may lie in the socket: it came before the drain */
        connection_resume(c);
    }
}
