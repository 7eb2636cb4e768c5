/*
 * A small HTTP/1.1 server on a Unix socket, for members of staff. What a request may look like is policy/http_message.h's; here are
 * connections, limits and time-outs. One request at a time a connection: the next is read when the answer has left.
 */
#pragma once

#include "../../policy/http_message.h"
#include "../../policy/person.h"

#include <jansson.h>

struct event_base;
struct evbuffer;
struct staff_server;

enum {
    STAFF_CONNECTIONS_MAX = 64,          /* of one socket; 503 above */
    STAFF_PER_UID_MAX = 16,              /* of one uid on one socket; 503 above */
    STAFF_BODY_MAX = CHAIN_MAX,          /* bytes of a request's body; 413 above */
    STAFF_BACKLOG_MAX = 256 * 1024,      /* bytes that a stream's reader may lag behind */
    STAFF_OUTPUT_MAX = 64 * 1024 * 1024, /* bytes of answers not yet taken, of one socket; 503 above */
    STAFF_IDLE_MS = 60000,
    STAFF_REQUEST_MS = 10000, /* from a request's first byte to its last; 408 */
    STAFF_FLUSH_MS = 30000,   /* to take an answer */
    STAFF_LINGER_MS = 2000,   /* to stop sending after a refusal */
};

/* One request, valid until it is answered. */
struct staff_request {
    struct http_request_head head; /* HEAD comes as GET: the body of the answer is left out by the server */
    const char *body;
    size_t body_size;
    struct person person; /* zero duties when the kernel would not say */
    void *context;        /* as given to staff_listen() */
    /* The handler's own, kept while the request is held; zeroed before it. */
    enum verb verb;
    char tenant[TENANT_NAME_MAX + 8];
    uint64_t number; /* of a request that takes two people, of a message to the support */
};

/* Serves a listening socket, which it owns from now on. handle answers each request with one of the calls below, now or after
 * staff_hold(). duties and context must outlive the server. NULL with errno. */
struct staff_server *staff_listen(struct event_base *base, int fd, const struct duty_map *duties, void (*handle)(struct staff_request *),
                                  void *context);
void staff_free(struct staff_server *server);

/* The person's connection: to be shown, not to be written to. */
int staff_socket(struct staff_request *r);

/* A header of the answer, before the answer. Dropped when all of them exceed 512 bytes. */
void staff_header(struct staff_request *r, const char *name, const char *value);

/* Each answers the request; r is no longer valid afterwards. */
void staff_bytes(struct staff_request *r, int status, const char *type, const void *bytes, size_t size);
void staff_buffer(struct staff_request *r, int status, const char *type, struct evbuffer *body); /* takes the bytes out of body */
void staff_json(struct staff_request *r, int status, json_t *body);                              /* steals body; NULL = no memory: 500 */
/* application/problem+json (RFC 9457): type is a short word, field the member of the request that is wrong or NULL. */
void staff_problem(struct staff_request *r, int status, const char *type, const char *field, const char *detail);

/* For an answer that comes later: a number for staff_held(), no other request of this process has it. After `ms` the server answers 504 by
 * itself. */
uint64_t staff_hold(struct staff_request *r, unsigned ms);
/* NULL: it was answered, or the person went away. */
struct staff_request *staff_held(struct staff_server *server, uint64_t number);

/* Answers with a stream that has no end; staff_broadcast() appends to all of a server's streams. */
void staff_stream(struct staff_request *r, const char *type, const void *first, size_t size);
void staff_broadcast(struct staff_server *server, const void *bytes, size_t size);
