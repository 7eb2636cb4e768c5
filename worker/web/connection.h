/*
 * One client's connection: socket, TLS, buffers, deadlines. What the bytes mean is exchange.h's. Connections answer in order, one request
 * at a time; requests that came ahead wait in the input buffer.
 */
#pragma once

#include "../../policy/limits.h"
#include "../../policy/messages.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/queue.h>

enum {
    INPUT_ROOM = REQUEST_HEAD_MAX + 4096, /* a whole head and a window behind it for its body */
    OUTPUT_HIGH = SOCKET_UNSENT_MAX,      /* unsent bytes over which no further request is read */
    OUTPUT_LOW = 64 * 1024,               /* and under which a stream goes on */

    HANDSHAKE_MS = 10000,
    HEAD_MS = 10000, /* from the first byte of a request to the end of its head */
    BODY_MS = 20000, /* for each BODY_PIECE of a body */
    IDLE_MS = 60000,
    WRITE_MS = 30000, /* without any byte taken by the client */
    LINGER_MS = 2000, /* after a last answer, so that it is not lost to a reset */
    BODY_PIECE = 4096,
};

enum connection_state { CONNECTION_HANDSHAKE, CONNECTION_OPEN, CONNECTION_LINGER };

/* An answer that waits for the store's commit; its bytes are in `held`. */
struct held_answer {
    uint64_t started_us;
    uint16_t status;
    bool wrote;     /* becomes the commit's failure; one that only read becomes 503 */
    bool head_only; /* HEAD */
    bool close;
};

struct exchange;

struct connection {
    TAILQ_ENTRY(connection) all;
    TAILQ_ENTRY(connection) idle; /* oldest first: what may be closed to make room */
    TAILQ_ENTRY(connection) turn; /* has something to do at the end of this turn */
    struct event readable, writable;
    SSL *ssl; /* NULL: plain, from web/NAME.sock */
    int fd;
    uint8_t state; /* enum connection_state */
    bool plain, reading, writing, in_idle, in_turn;
    bool busy;          /* in a callback: close later */
    bool dead;          /* to be closed when no longer busy */
    bool closing;       /* no further request; close when all is sent */
    bool leaving;       /* was idle when the drain began: ends as soon as nothing is left of what it had sent */
    bool eof;           /* the client sends no more */
    bool may_read;      /* the socket may have bytes */
    bool write_blocked; /* the socket takes no more */
    bool again;         /* goes on in the next turn of the loop */
    uint8_t held_count;
    uint8_t peer[16];
    uint32_t lingered;        /* bytes thrown away since the end */
    uint64_t head_since_ms;   /* when the first byte of the unread head came; 0 = none has */
    uint64_t output_since_ms; /* when the client last took bytes, or output began to wait */
    uint64_t idle_since_ms;   /* when this state, or the waiting for a request, began */

    /* in[in_head..in_end) is not done with: from in_head the head of the request being answered, if there is one; from in_next what
     * nobody has read yet. */
    char *in;
    size_t in_room, in_head, in_next, in_end;
    size_t in_looked; /* the head parser has seen up to here and wants more; 0 = nothing */
    struct evbuffer *out, *held;
    struct held_answer answer[PIPELINE_MAX];
    struct exchange *exchange; /* being answered, or NULL */
};

/* Monotonic clocks: exact, and as of the beginning of the present callback. */
uint64_t clock_us(void);
uint64_t clock_ms(void);

bool connections_start(void); /* false: out of memory */
void connection_accept(int fd, const struct message_handover *h);

/* Ends it at once, or as soon as its callback returns. Nothing further is sent. */
void connection_close(struct connection *c);

/* Lets it go on in the next turn of the loop: its answer came from outside its own callback, or others have theirs first. */
void connection_resume(struct connection *c);

/* Puts it on the list that web_turn_end() works off. */
void connection_at_turn_end(struct connection *c);
struct connection *connection_first_of_turn(void);
struct connection *connection_next_of_turn(struct connection *c);
void connection_turn_ended(struct connection *c); /* takes it off, sends what may leave; may free c */

size_t connections_open(void);
void connections_ceiling_changed(void); /* closes idle ones over self.profile.connections */
void connections_drain(void);           /* closes idle ones at once, and the others after their present answer */
bool connections_draining(void);
