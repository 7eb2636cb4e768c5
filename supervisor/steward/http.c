#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum phase {
    IDLE,     /* no byte of the next request yet */
    READING,  /* its head */
    BODY,     /* its body */
    HANDLING, /* the handler has it */
    HELD,     /* the handler will answer later */
    FLUSHING, /* the answer is leaving */
    STREAM,   /* an answer without end */
    LINGER,   /* everything said; what still comes is thrown away so that our last words are not */
};

struct connection {
    struct staff_request request; /* first: handlers know only this */
    struct staff_server *server;
    struct connection *next, **self; /* *self is this connection */
    struct bufferevent *stream;
    struct event *deadline;
    enum phase phase;
    uid_t uid;
    uint64_t number; /* of the held request */
    char *head;      /* bytes of the request's head; its slices point here */
    struct evbuffer *body;
    struct http_chunks chunks;
    uint64_t left; /* of a body with a length */
    bool head_only, close_after;
    char extra[512]; /* headers of the answer */
    size_t extra_size;
};

struct staff_server {
    struct event_base *base;
    struct evconnlistener *listener;
    const struct duty_map *duties;
    void (*handle)(struct staff_request *);
    void *context;
    struct connection *first;
    unsigned count;
};

static struct connection *of(struct staff_request *r) { return (struct connection *)(void *)r; }

static void deadline_set(struct connection *c, unsigned ms) {
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    event_add(c->deadline, &after);
}

static void forget_request(struct connection *c) {
    free(c->head);
    c->head = NULL;
    evbuffer_drain(c->body, evbuffer_get_length(c->body));
    memset(&c->request, 0, sizeof c->request);
    c->request.context = c->server->context;
    c->chunks = (struct http_chunks){0};
    c->left = c->number = 0;
    c->head_only = false;
    c->extra_size = 0;
}

static void hang_up(struct connection *c) {
    *c->self = c->next;
    if (c->next) c->next->self = c->self;
    c->server->count--;
    if (c->stream) bufferevent_free(c->stream);
    if (c->deadline) event_free(c->deadline);
    if (c->body) evbuffer_free(c->body);
    free(c->head);
    free(c);
}

/* ---- answers ---- */

static void head_write(struct connection *c, int status, const char *type, const size_t *length) {
    static const char day[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char month[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct evbuffer *out = bufferevent_get_output(c->stream);
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nDate: %s, %02d %s %04d %02d:%02d:%02d GMT\r\nCache-Control: no-store\r\n", status,
                        http_reason(status), day[t.tm_wday], t.tm_mday, month[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    evbuffer_add_printf(out, "Content-Type: %s\r\n", type);
    if (length) evbuffer_add_printf(out, "Content-Length: %zu\r\n", *length);
    if (c->close_after || !length) evbuffer_add_printf(out, "Connection: close\r\n");
    evbuffer_add(out, c->extra, c->extra_size);
    evbuffer_add(out, "\r\n", 2);
}

int staff_socket(struct staff_request *r) { return bufferevent_getfd(of(r)->stream); }

void staff_header(struct staff_request *r, const char *name, const char *value) {
    struct connection *c = of(r);
    size_t room = sizeof c->extra - c->extra_size;
    int size = snprintf(c->extra + c->extra_size, room, "%s: %s\r\n", name, value);
    if (size > 0 && (size_t)size < room) c->extra_size += (size_t)size;
}

void staff_buffer(struct staff_request *r, int status, const char *type, struct evbuffer *body) {
    struct connection *c = of(r);
    size_t size = evbuffer_get_length(body);
    head_write(c, status, type, &size);
    if (c->head_only)
        evbuffer_drain(body, size);
    else
        evbuffer_add_buffer(bufferevent_get_output(c->stream), body);
    forget_request(c);
    c->phase = FLUSHING;
    deadline_set(c, STAFF_FLUSH_MS);
}

void staff_bytes(struct staff_request *r, int status, const char *type, const void *bytes, size_t size) {
    struct connection *c = of(r);
    head_write(c, status, type, &size);
    if (!c->head_only) evbuffer_add(bufferevent_get_output(c->stream), bytes, size);
    forget_request(c);
    c->phase = FLUSHING;
    deadline_set(c, STAFF_FLUSH_MS);
}

static void json_answer(struct staff_request *r, int status, const char *type, json_t *body) {
    char *text = body ? json_dumps(body, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(body);
    if (text)
        staff_bytes(r, status, type, text, strlen(text));
    else
        staff_bytes(r, 500, "text/plain", "no memory\n", 10);
    free(text);
}

void staff_json(struct staff_request *r, int status, json_t *body) { json_answer(r, status, "application/json", body); }

void staff_problem(struct staff_request *r, int status, const char *type, const char *field, const char *detail) {
    json_t *body = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", http_reason(status), "status", status, "detail", detail);
    if (body && field) json_object_set_new(body, "field", json_string(field));
    json_answer(r, status, "application/problem+json", body);
}

uint64_t staff_hold(struct staff_request *r, unsigned ms) {
    static uint64_t last; /* of all sockets: an answer says nothing else of whose it is */
    struct connection *c = of(r);
    c->phase = HELD;
    c->number = ++last;
    deadline_set(c, ms);
    return c->number;
}

struct staff_request *staff_held(struct staff_server *server, uint64_t number) {
    if (number == 0) return NULL;
    for (struct connection *c = server->first; c; c = c->next)
        if (c->phase == HELD && c->number == number) return &c->request;
    return NULL;
}

void staff_stream(struct staff_request *r, const char *type, const void *first, size_t size) {
    struct connection *c = of(r);
    if (c->head_only) {
        staff_bytes(r, 200, type, "", 0);
        return;
    }
    c->close_after = true;
    head_write(c, 200, type, NULL);
    bufferevent_write(c->stream, first, size);
    forget_request(c);
    c->phase = STREAM;
    event_del(c->deadline);
}

void staff_broadcast(struct staff_server *server, const void *bytes, size_t size) {
    struct connection *next;
    for (struct connection *c = server->first; c; c = next) {
        next = c->next;
        if (c->phase != STREAM) continue;
        if (evbuffer_get_length(bufferevent_get_output(c->stream)) + size > STAFF_BACKLOG_MAX)
            hang_up(c);
        else
            bufferevent_write(c->stream, bytes, size);
    }
}

/* ---- requests ---- */

static void refuse(struct connection *c, int status, const char *why) {
    c->close_after = true;
    staff_problem(&c->request, status, "bad-request", NULL, why);
}

static bool output_full(const struct staff_server *server) {
    size_t bytes = 0;
    for (const struct connection *c = server->first; c; c = c->next)
        bytes += evbuffer_get_length(bufferevent_get_output(c->stream));
    return bytes > STAFF_OUTPUT_MAX;
}

static void handle(struct connection *c) {
    struct staff_request *r = &c->request;
    r->body_size = evbuffer_get_length(c->body);
    r->body = r->body_size ? (const char *)evbuffer_pullup(c->body, -1) : "";
    if (!r->body) {
        refuse(c, 500, "no memory");
        return;
    }
    if (!duty_person(c->server->duties, bufferevent_getfd(c->stream), &r->person)) r->person = (struct person){.uid = c->uid};
    if (r->head.method == HTTP_HEAD) {
        r->head.method = HTTP_GET;
        c->head_only = true;
    }
    c->phase = HANDLING;
    if (output_full(c->server)) {
        staff_header(r, "Retry-After", "5");
        staff_problem(r, 503, "busy", NULL, "too many answers are waiting to be taken");
        return;
    }
    c->server->handle(r);
}

/* The body, whole or in chunks. true: all of it is there. */
static bool body_read(struct connection *c, struct evbuffer *in) {
    if (!c->request.head.chunked) {
        int moved = evbuffer_remove_buffer(in, c->body, c->left);
        if (moved > 0) c->left -= (uint64_t)moved;
        return c->left == 0;
    }
    while (evbuffer_get_length(in) > 0) {
        size_t size = evbuffer_get_length(in), used = 0;
        const char *bytes = (const char *)evbuffer_pullup(in, -1), *why = "";
        struct slice piece = {0};
        int status = 500;
        enum http_result result = bytes ? http_read_chunk(&c->chunks, bytes, size, &used, &piece, &status, &why) : HTTP_REFUSED;
        if (result != HTTP_REFUSED && evbuffer_get_length(c->body) + piece.size > STAFF_BODY_MAX) {
            result = HTTP_REFUSED;
            status = 413;
            why = "the body is too large";
        }
        if (result == HTTP_REFUSED) {
            refuse(c, status, why);
            return false;
        }
        evbuffer_add(c->body, piece.data, piece.size);
        evbuffer_drain(in, used);
        if (result == HTTP_COMPLETE) return true;
        if (used == 0) break;
    }
    return false;
}

static void head_read(struct connection *c, struct evbuffer *in) {
    struct http_request_head *head = &c->request.head;
    size_t size = evbuffer_get_length(in), used = 0;
    const char *bytes = (const char *)evbuffer_pullup(in, -1), *why = "no memory";
    int status = 500;
    enum http_result result = bytes ? http_read_head(bytes, size, head, &used, &status, &why) : HTTP_REFUSED;
    if (result == HTTP_MORE) return;
    if (result == HTTP_COMPLETE && !(c->head = malloc(used))) result = HTTP_REFUSED, status = 500, why = "no memory";
    if (result == HTTP_COMPLETE) { /* read again where the bytes stay */
        evbuffer_remove(in, c->head, used);
        result = http_read_head(c->head, used, head, &used, &status, &why);
    }
    if (result != HTTP_COMPLETE) {
        refuse(c, status, why);
        return;
    }
    c->close_after = c->close_after || !head->keep_alive;
    if (head->content_length > STAFF_BODY_MAX) {
        refuse(c, 413, "the body is too large");
        return;
    }
    c->left = head->content_length;
    c->phase = BODY;
    if (head->expect_continue && (c->left || head->chunked) && evbuffer_get_length(in) == 0)
        bufferevent_write(c->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static void on_readable(struct bufferevent *stream, void *argument) {
    struct connection *c = argument;
    struct evbuffer *in = bufferevent_get_input(stream);
    if (c->phase == LINGER || c->phase == STREAM) evbuffer_drain(in, evbuffer_get_length(in));
    if (c->phase == IDLE && evbuffer_get_length(in) > 0) {
        c->phase = READING;
        deadline_set(c, STAFF_REQUEST_MS);
    }
    if (c->phase == READING) head_read(c, in);
    if (c->phase == BODY && ((!c->request.head.chunked && c->left == 0) || body_read(c, in))) handle(c);
}

static void on_written(struct bufferevent *stream, void *argument) {
    struct connection *c = argument;
    if (c->phase != FLUSHING) return;
    if (c->close_after) {
        c->phase = LINGER;
        shutdown(bufferevent_getfd(stream), SHUT_WR);
        deadline_set(c, STAFF_LINGER_MS);
    } else {
        c->phase = IDLE;
        deadline_set(c, STAFF_IDLE_MS);
    }
    on_readable(stream, c); /* what was sent ahead of the answer */
}

static void on_end(struct bufferevent *stream, short what, void *argument) {
    (void)stream;
    struct connection *c = argument;
    /* A person may say all it has to say and shut its side: it still gets its answer. */
    if ((what & BEV_EVENT_EOF) && (c->phase == HELD || c->phase == FLUSHING))
        c->close_after = true;
    else
        hang_up(c);
}

static void on_deadline(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    struct connection *c = argument;
    if (c->phase == HELD)
        staff_problem(&c->request, 504, "no-answer", NULL, "the supervisor did not answer in time; the act may still be done");
    else if (c->phase == READING || c->phase == BODY)
        refuse(c, 408, "the request did not come in time");
    else
        hang_up(c);
}

/* ---- connections ---- */

static bool too_many(const struct staff_server *server, uid_t uid) {
    unsigned same = 0;
    for (const struct connection *c = server->first; c; c = c->next)
        same += c->uid == uid;
    return server->count >= STAFF_CONNECTIONS_MAX || same >= STAFF_PER_UID_MAX;
}

static void on_connection(struct evconnlistener *listener, int fd, struct sockaddr *from, int size, void *argument) {
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";
    (void)listener;
    (void)from;
    (void)size;
    struct staff_server *server = argument;
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t peer_size = sizeof peer;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size);
    struct connection *c = too_many(server, peer.uid) ? NULL : calloc(1, sizeof *c);
    if (!c) {
        send(fd, busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    *c = (struct connection){.server = server, .uid = peer.uid, .next = server->first, .self = &server->first, .phase = IDLE};
    c->request.context = server->context;
    if (c->next) c->next->self = &c->next;
    server->first = c;
    server->count++;
    c->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    c->deadline = event_new(server->base, -1, 0, on_deadline, c);
    c->body = evbuffer_new();
    if (!c->stream) close(fd);
    if (!c->stream || !c->deadline || !c->body) {
        hang_up(c);
        return;
    }
    bufferevent_setcb(c->stream, on_readable, on_written, on_end, c);
    bufferevent_setwatermark(c->stream, EV_READ, 0, 2 * REQUEST_HEAD_MAX);
    bufferevent_enable(c->stream, EV_READ | EV_WRITE);
    deadline_set(c, STAFF_IDLE_MS);
}

struct staff_server *staff_listen(struct event_base *base, int fd, const struct duty_map *duties, void (*handler)(struct staff_request *),
                                  void *context) {
    struct staff_server *server = calloc(1, sizeof *server);
    if (!server) return NULL;
    *server = (struct staff_server){.base = base, .duties = duties, .handle = handler, .context = context};
    if (evutil_make_socket_nonblocking(fd) == 0)
        server->listener = evconnlistener_new(base, on_connection, server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (server->listener) return server;
    free(server);
    if (!errno) errno = ENOMEM;
    return NULL;
}

void staff_free(struct staff_server *server) {
    if (!server) return;
    struct connection *next;
    for (struct connection *c = server->first; c; c = next) {
        next = c->next;
        hang_up(c);
    }
    evconnlistener_free(server->listener);
    free(server);
}
