#include "exchange.h"

#include "../tenant.h"
#include "routes.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SPARE_MAX = 8, BODY_FIRST = 4096, STREAM_ROUNDS = 8 };

static TAILQ_HEAD(held_exchanges, exchange) held_list = TAILQ_HEAD_INITIALIZER(held_list);
static uint64_t last_number;
static struct exchange *spare[SPARE_MAX]; /* kept for the next requests: no allocation for most */
static unsigned spares;
static struct evbuffer *stream_piece;

bool exchanges_start(void) {
    if (!stream_piece) stream_piece = evbuffer_new();
    return stream_piece && routes_start() && respond_start();
}

/* ---- birth and death ---- */

static struct exchange *exchange_new(struct connection *c) {
    struct exchange *x = spares ? spare[--spares] : malloc(sizeof *x);
    if (!x) return NULL;
    memset(x, 0, offsetof(struct exchange, extra));
    x->connection = c;
    return x;
}

static void exchange_put_back(struct exchange *x) {
    if (spares < SPARE_MAX)
        spare[spares++] = x;
    else
        free(x);
}

static void drop_stream(struct exchange *x) {
    void (*release)(void *) = x->stream_release;
    x->more = NULL;
    x->stream_release = NULL;
    if (release) release(x->stream);
}

static void drop_sink(struct exchange *x) {
    void (*release)(void *) = x->sink_release;
    x->piece = NULL;
    x->end = NULL;
    x->sink_release = NULL;
    if (release) release(x->sink);
}

static void exchange_free(struct connection *c) {
    struct exchange *x = c->exchange;
    drop_stream(x);
    drop_sink(x);
    if (x->number) TAILQ_REMOVE(&held_list, x, in_hold);
    if (x->body) secret_wipe(x->body, x->body_size);
    free(x->body);
    c->exchange = NULL;
    count(COUNTER_inflight, (uint64_t)-1);
    exchange_put_back(x);
}

void exchange_abandon(struct connection *c) {
    if (c->exchange) exchange_free(c);
}

/* The answer is on its way and the body read: the next request begins behind it. */
static void exchange_over(struct connection *c) {
    if (c->exchange->close) c->closing = true;
    exchange_free(c);
    c->in_head = c->in_next;
    c->in_looked = 0;
    c->idle_since_ms = clock_ms();
}

/* ---- http.h ---- */

/* Whoever's session ended meanwhile, while a body came or an answer was awaited, gets nothing done or said any more (C2), nor who uses
 * what was switched off (C4). false: answered. */
static bool still_allowed(struct exchange *x) {
    /* C4: a function is asked for before each use, and again when its body has come */
    enum function off = exchange_function_off(x);
    if (x->request.session && !session_lives(x->request.session))
        respond_problem(x, 401, "credentials", "The session has ended.", NULL, 0);
    else if (off)
        respond_function_off(x, off);
    else
        return true;
    return false;
}

uint64_t exchange_hold(struct exchange *x) {
    if (!x->number) {
        x->number = ++last_number;
        TAILQ_INSERT_TAIL(&held_list, x, in_hold);
    }
    return x->number;
}

struct exchange *exchange_held(uint64_t number) {
    struct exchange *x;
    TAILQ_FOREACH(x, &held_list, in_hold)
        if (x->number == number) return !x->responded && still_allowed(x) ? x : NULL;
    return NULL;
}

void exchange_body(struct exchange *x, bool (*piece)(struct exchange *, void *argument, const uint8_t *bytes, size_t size),
                   void (*end)(struct exchange *, void *argument), void (*release)(void *), void *argument) {
    x->piece = piece;
    x->end = end;
    x->sink_release = release;
    x->sink = argument;
}

/* Only those who have shown a credential keep a worker awake: no probe of its health, no scanner, no guesser of passwords. */
static void note_activity(const struct exchange *x) {
    if (x->request.session) gauge(COUNTER_last_activity, clock_ms() / 1000);
}

/* ---- the body ---- */

/* The handler has returned: it has answered, or keeps the exchange. */
static void check_handled(struct exchange *x) {
    if (!x->responded && !x->number) respond_problem(x, 500, "unanswered", "The request was not answered.", NULL, 0);
}

static void handle_whole(struct exchange *x, const uint8_t *body, size_t size) {
    x->request.body = body;
    x->request.body_size = size;
    x->body_done = true;
    x->phase = EXCHANGE_HANDLED;
    if (!still_allowed(x)) return;
    x->route->handle(x, &x->request);
    check_handled(x);
}

static void body_ended(struct exchange *x) {
    x->body_done = true;
    if (x->responded) return;
    if (!(x->route->flags & ROUTE_STREAMED)) {
        handle_whole(x, x->body ? x->body : (const uint8_t *)"", x->body_size);
        return;
    }
    x->phase = EXCHANGE_HANDLED;
    if (!still_allowed(x)) return;
    if (x->end) x->end(x, x->sink);
    check_handled(x);
}

/* The buffer grows with what comes, never by what was announced. false: answered. */
static bool keep_piece(struct exchange *x, const uint8_t *bytes, size_t size) {
    if (size > REQUEST_BODY_MAX - x->body_size) {
        respond_problem(x, 413, "too-large", "The body is too large.", NULL, 0);
        return false;
    }
    if (size > x->body_room - x->body_size) {
        size_t room = x->body_room ? x->body_room : BODY_FIRST;
        while (room < x->body_size + size)
            room *= 2;
        uint8_t *grown = realloc(x->body, room);
        if (!grown) {
            count(COUNTER_out_of_memory, 1);
            respond_problem(x, 503, "out-of-memory", "There is not enough memory now; try again.", NULL, 0);
            return false;
        }
        x->body = grown;
        x->body_room = room;
    }
    memcpy(x->body + x->body_size, bytes, size);
    x->body_size += size;
    return true;
}

static void take_piece(struct exchange *x, const uint8_t *bytes, size_t size) {
    x->body_received += size;
    if (x->body_received - x->body_mark >= BODY_PIECE) {
        x->body_mark = x->body_received;
        note_activity(x);
        x->body_since_ms = clock_ms();
    }
    if (x->responded || size == 0) return;
    if (!(x->route->flags & ROUTE_STREAMED)) {
        keep_piece(x, bytes, size);
    } else if (x->piece && still_allowed(x) && !x->piece(x, x->sink, bytes, size) && !x->responded) {
        respond_problem(x, 500, "unanswered", "The request was not answered.", NULL, 0);
    }
}

static bool feed_chunked(struct connection *c, struct exchange *x) {
    while (c->in_next < c->in_end && !x->responded && !c->dead) {
        struct slice piece;
        size_t used = 0;
        int status;
        const char *why;
        enum http_result result = http_read_chunk(&x->chunks, c->in + c->in_next, c->in_end - c->in_next, &used, &piece, &status, &why);
        if (result == HTTP_REFUSED) {
            x->close = true;
            respond_problem(x, status, "malformed-body", why, NULL, 0);
            return true;
        }
        c->in_next += used;
        take_piece(x, (const uint8_t *)piece.data, piece.size);
        if (result == HTTP_COMPLETE && !c->dead) {
            body_ended(x);
            return true;
        }
    }
    return x->responded;
}

/* Gives the body what has come. false: more must come first. */
static bool feed(struct connection *c, struct exchange *x) {
    bool done;
    if (x->chunked) {
        done = feed_chunked(c, x);
    } else {
        size_t there = c->in_end - c->in_next, size = there < x->body_left ? there : (size_t)x->body_left;
        const uint8_t *bytes = (const uint8_t *)c->in + c->in_next;
        c->in_next += size;
        x->body_left -= size;
        if (!x->responded && x->body_left == 0 && x->body_received == 0 && !(x->route->flags & ROUTE_STREAMED)) {
            handle_whole(x, bytes, size); /* all of it lies in the input buffer: no copy */
            return true;
        }
        take_piece(x, bytes, size);
        if (x->body_left == 0 && !c->dead) body_ended(x);
        done = x->body_done || x->responded;
    }
    return done;
}

/* ---- the head ---- */

static void begin_body(struct connection *c, struct exchange *x) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    x->phase = EXCHANGE_BODY;
    if (x->route->flags & ROUTE_STREAMED) {
        x->route->handle(x, &x->request);
        if (!x->responded && !x->piece) check_handled(x);
    }
    if (!x->wants_continue || x->responded) return;
    x->continued = true;
    if (c->in_next < c->in_end) return; /* the client did not wait for it */
    if (evbuffer_add(c->held_count ? c->held : c->out, go_on, sizeof go_on - 1) < 0) connection_close(c);
    count(COUNTER_requests_1xx, 1);
}

static void exchange_begin(struct connection *c, struct exchange *x) {
    struct http_request_head *head = &x->head;
    c->exchange = x;
    c->head_since_ms = 0;
    x->started_us = clock_us();
    x->body_since_ms = clock_ms(); /* also of one that is refused at its head and thrown away */
    x->close = !head->keep_alive;
    x->head_only = head->method == HTTP_HEAD;
    x->chunked = head->chunked;
    x->body_left = head->content_length;
    x->body_done = !head->chunked && head->content_length == 0;
    x->wants_continue = head->expect_continue && !x->body_done;
    x->request.head = head;
    memset(x->request.segment, 0, sizeof x->request.segment);
    x->request.body = NULL;
    x->request.body_size = 0;
    x->request.session = NULL;
    x->request.rolled = false;
    memcpy(x->request.peer, c->peer, sizeof c->peer);
    x->request.plain = c->plain;
    count(COUNTER_inflight, 1);
    if (!exchange_admit(x)) return;
    note_activity(x);
    if (x->body_done && !(x->route->flags & ROUTE_STREAMED))
        handle_whole(x, (const uint8_t *)"", 0);
    else
        begin_body(c, x);
    if (x->body_done && !x->responded && x->phase == EXCHANGE_BODY && !c->dead) body_ended(x);
}

/* A request that cannot be read has no exchange's ways: it is answered and the connection ends. */
static void refuse(struct connection *c, struct exchange *x, int status, const char *type, const char *why) {
    c->exchange = x;
    c->head_since_ms = 0;
    x->started_us = clock_us();
    x->head.method = HTTP_GET; /* nothing was written */
    x->close = true;
    x->body_done = true;
    count(COUNTER_inflight, 1);
    respond_problem(x, status, type, why, NULL, 0);
    c->in_next = c->in_end;
}

/* Reads one request's head. false: more must come first. */
static bool read_request(struct connection *c) {
    size_t size = c->in_end - c->in_head, looked = c->in_looked > c->in_head ? c->in_looked : c->in_head;
    if (c->in_end == looked) return false;
    if (c->head_since_ms == 0) c->head_since_ms = clock_ms();
    /* A head is looked at again only when another line of it has come. */
    if (looked > c->in_head && size < REQUEST_HEAD_MAX && !memchr(c->in + looked, '\n', c->in_end - looked)) {
        c->in_looked = c->in_end;
        return false;
    }
    struct exchange *x = exchange_new(c);
    if (!x) {
        respond_exhausted(c);
        return false;
    }
    int status;
    const char *why;
    switch (http_read_head(c->in + c->in_head, size, &x->head, &x->head_size, &status, &why)) {
    case HTTP_COMPLETE:
        c->in_next = c->in_head + x->head_size;
        exchange_begin(c, x);
        return true;
    case HTTP_REFUSED:
        refuse(c, x, status, "malformed-request", why);
        return true;
    default:
        exchange_put_back(x);
        c->in_looked = c->in_end;
        return false;
    }
}

void exchange_too_slow(struct connection *c) {
    struct exchange *x = c->exchange;
    if (!x) {
        x = exchange_new(c);
        if (x)
            refuse(c, x, 408, "too-slow", "The request did not come in time.");
        else
            connection_close(c);
    } else if (x->responded) {
        connection_close(c);
    } else {
        x->close = true;
        respond_problem(x, 408, "too-slow", "The body did not come in time.", NULL, 0);
    }
}

/* ---- what the connection drives ---- */

/* The answer is there: either the rest of the body is dropped first, or the exchange is over. */
static void after_answer(struct connection *c, struct exchange *x) {
    if (x->body_done || x->close) {
        if (!x->body_done) c->in_next = c->in_end;
        exchange_over(c);
    } else {
        x->phase = EXCHANGE_DISCARD;
    }
}

bool exchange_can_step(const struct connection *c) {
    const struct exchange *x = c->exchange;
    if (c->dead || c->state != CONNECTION_OPEN) return false;
    if (x && x->responded && !x->more && x->phase != EXCHANGE_DISCARD) return true;
    if (x) return (x->phase == EXCHANGE_BODY || x->phase == EXCHANGE_DISCARD) && c->in_next < c->in_end;
    size_t looked = c->in_looked > c->in_head ? c->in_looked : c->in_head;
    return !c->closing && c->in_end > looked && c->held_count < PIPELINE_MAX && evbuffer_get_length(c->out) < OUTPUT_HIGH;
}

bool exchange_wants_input(const struct connection *c) {
    const struct exchange *x = c->exchange;
    if (c->dead || c->closing || c->eof) return false;
    if (x) return !x->more && !(x->responded && x->phase != EXCHANGE_DISCARD) && x->phase != EXCHANGE_HANDLED;
    return c->held_count < PIPELINE_MAX && evbuffer_get_length(c->out) < OUTPUT_HIGH && c->in_end - c->in_head <= REQUEST_HEAD_MAX;
}

bool exchange_waits(const struct connection *c, uint64_t *since_ms) {
    const struct exchange *x = c->exchange;
    if (!x || x->body_done || x->phase == EXCHANGE_HANDLED) return false;
    *since_ms = x->body_since_ms;
    return true;
}

void exchange_step(struct connection *c) {
    for (int i = 0; i < 2 * PIPELINE_MAX && exchange_can_step(c); i++) {
        struct exchange *x = c->exchange;
        if (!x) {
            if (!read_request(c)) break;
        } else if (x->responded && !x->more && x->phase != EXCHANGE_DISCARD) {
            after_answer(c, x);
        } else if (!feed(c, x)) {
            break;
        } else if (x->phase == EXCHANGE_DISCARD && x->body_done) {
            exchange_over(c);
        }
    }
    if (!c->exchange && c->in_head == c->in_end) c->in_head = c->in_next = c->in_end = c->in_looked = 0;
}

/* The slices of a head that has moved with the input buffer. */
static void rebase(struct slice *s, const char *from, size_t size, char *to) {
    if (s->data >= from && s->data <= from + size) s->data = to + (s->data - from);
}

static void rebase_head(struct exchange *x, const char *from, char *to) {
    struct http_request_head *h = &x->head;
    struct slice *one[] = {&h->method_name, &h->path, &h->query, &h->host};
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++)
        rebase(one[i], from, x->head_size, to);
    for (size_t i = 0; i < h->header_count; i++) {
        rebase(&h->header[i].name, from, x->head_size, to);
        rebase(&h->header[i].value, from, x->head_size, to);
    }
}

void exchange_make_room(struct connection *c) {
    struct exchange *x = c->exchange;
    if (x && c->in_next == c->in_end) c->in_next = c->in_end = c->in_head + x->head_size; /* the body's bytes have been taken */
    if (c->in_head == 0) return;
    char *from = c->in + c->in_head;
    memmove(c->in, from, c->in_end - c->in_head);
    if (x) rebase_head(x, from, c->in);
    c->in_next -= c->in_next >= c->in_head ? c->in_head : c->in_next;
    c->in_end -= c->in_head;
    c->in_looked -= c->in_looked >= c->in_head ? c->in_head : c->in_looked;
    c->in_head = 0;
}

void exchange_drop_stream(struct connection *c) {
    if (c->exchange && c->exchange->more) drop_stream(c->exchange);
}

bool exchange_can_pump(const struct connection *c) {
    return !c->dead && c->exchange && c->exchange->more && c->held_count == 0 && evbuffer_get_length(c->out) < OUTPUT_LOW;
}

void exchange_pump(struct connection *c) {
    for (int i = 0; i < STREAM_ROUNDS && exchange_can_pump(c); i++) {
        struct exchange *x = c->exchange;
        /* What the stream would read now may not be on the disk yet. */
        if (self.store && store_dirty(self.store)) {
            connection_at_turn_end(c);
            return;
        }
        bool allowed = (!x->request.session || session_lives(x->request.session)) && !exchange_function_off(x);
        int result = allowed ? x->more(x->stream, stream_piece) : -1;
        if (result < 0 || c->dead || !respond_chunk(x, stream_piece, result == 0)) {
            evbuffer_drain(stream_piece, evbuffer_get_length(stream_piece));
            connection_close(c);
            return;
        }
        gauge(COUNTER_last_activity, clock_ms() / 1000);
        if (result == 0) drop_stream(x);
    }
}
