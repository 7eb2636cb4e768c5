/* One request being read and answered on its connection: what stands behind http.h. */
#pragma once

#include "connection.h"
#include "http.h"

enum { DISCARD_MAX = 64 * 1024, ANSWER_HEADERS_MAX = 2048 };

enum exchange_phase {
    EXCHANGE_BODY,    /* the body is being read */
    EXCHANGE_HANDLED, /* the handler has it: it has answered, holds it, or streams its answer */
    EXCHANGE_DISCARD, /* answered before the end of a short body, which is read and dropped */
};

enum tell { TELL_NOTHING, TELL_COOKIE, TELL_FIELD };

struct exchange {
    TAILQ_ENTRY(exchange) in_hold;
    struct connection *connection;
    const struct route *route;
    uint64_t started_us;
    uint64_t number; /* exchange_hold(); 0 = not held */
    uint8_t phase;   /* enum exchange_phase */
    bool responded, close, head_only, body_done, chunked, continued, wants_continue;
    bool own_cache, own_policy; /* the handler has set Cache-Control, Content-Security-Policy */
    bool sized;                 /* the stream has a Content-Length: no chunks */
    bool broken;                /* a header of the answer did not fit */
    uint8_t tells;              /* enum tell: how the answer tells the store's mark (rollback.h) */
    bool has_mark;              /* the client has shown the newest one */
    bool confirmed;             /* a single use of the route's function was confirmed (confirmations.h) */

    uint64_t body_left;     /* of a body with a length */
    uint64_t body_since_ms; /* when the piece now awaited began */
    uint64_t body_received, body_mark;
    struct http_chunks chunks;
    uint8_t *body; /* what has come of a body that is not streamed */
    size_t body_size, body_room;
    bool (*piece)(struct exchange *, void *, const uint8_t *, size_t);
    void (*end)(struct exchange *, void *);
    void (*sink_release)(void *);
    void *sink;

    int (*more)(void *, struct evbuffer *); /* != NULL: the answer is a stream that has not ended */
    void (*stream_release)(void *);
    void *stream;

    size_t extra_size;
    size_t head_size; /* bytes of the request's head in the input buffer */
    char extra[ANSWER_HEADERS_MAX];
    struct session session;
    struct request request;
    struct http_request_head head;
};

bool exchanges_start(void); /* false: out of memory */

/* Reads and answers what is in the input buffer, as far as that goes now. */
void exchange_step(struct connection *c);
/* Whether it could do something with the bytes that are there, and whether it wants more of them. */
bool exchange_can_step(const struct connection *c);
bool exchange_wants_input(const struct connection *c);
/* Before a read: moves what is there to the front of the input buffer. */
void exchange_make_room(struct connection *c);

/* Fills the output from a streamed answer while there is room. */
void exchange_pump(struct connection *c);
bool exchange_can_pump(const struct connection *c);
/* The head of a streamed answer will not be sent after all. */
void exchange_drop_stream(struct connection *c);

/* The connection ends: gives back what the exchange held. */
void exchange_abandon(struct connection *c);
/* The head or the body did not come in time: answers 408. */
void exchange_too_slow(struct connection *c);
/* Whether the client owes bytes, and since when (ms). */
bool exchange_waits(const struct connection *c, uint64_t *since_ms);

/* ---- between exchange.c, admit.c and respond.c ---- */

/* Finds the route and the session. false: answered. */
bool exchange_admit(struct exchange *x);
/* The function that the request is a use of, by its route or its way in, and that is off now; FUNCTION_NONE: go on (C4). */
enum function exchange_function_off(const struct exchange *x);

bool respond_start(void); /* false: out of memory */
/* Out of memory before there was an exchange: a fixed 503. */
void respond_exhausted(struct connection *c);
/* The bytes of a streamed answer. false: out of memory. */
bool respond_chunk(struct exchange *x, struct evbuffer *piece, bool last);

/* ---- between respond.c and turn.c ---- */

/* An answer whose bytes are fixed: counts it. */
void answer_count(uint16_t status, uint64_t started_us);
/* Replaces the answers that waited for a commit that failed. */
void respond_failed(struct connection *c, enum store_result result);
