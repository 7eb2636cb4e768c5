/*
 * What a route's handler sees: one request, one answer. The connection, TLS, limits, time-outs and chunking are web/'s; what the request
 * means is the handler's. Handlers never block and never see a socket.
 */
#pragma once

#include "../../policy/functions.h"
#include "../../policy/http_message.h"
#include "../keys/capsule.h"
#include "../store/store.h"
#include "rights.h"

#include <event2/buffer.h>
#include <jansson.h>

/* Who asks; NULL in a request = nobody. */
struct session {
    uint8_t slot[ID_BYTES];
    uint8_t user[ID_BYTES];
    uint32_t kind;   /* SLOT_SESSION or SLOT_TOKEN */
    uint32_t rights; /* expanded: enum right and RIGHT_OF() */
};

struct exchange; /* one request being answered; owned by its connection */

struct request {
    const struct http_request_head *head;
    char path[REQUEST_TARGET_MAX + 1]; /* percent-decoded */
    struct slice segment[8];           /* the path's variable parts, in order */
    const uint8_t *body;               /* whole body, unless the route streams */
    size_t body_size;
    const struct session *session;
    uint8_t peer[16]; /* binary, for lock-out tables only; never logged */
    bool plain;       /* came over web/NAME.sock */
    bool rolled;      /* the client has seen what the file no longer holds (rollback.h); only with a session */
};

/* How a route takes its body and who may call it. */
enum route_flag {
    ROUTE_PUBLIC = 1,   /* works sealed, without a session */
    ROUTE_STREAMED = 2, /* the body goes to exchange_body()'s piece as it comes, any size */
    ROUTE_NO_BODY = 4,  /* a body is refused */
    ROUTE_ROLLED = 8,   /* also for a client that has seen what the file no longer holds: no 409 `rolled-back` */
    ROUTE_ABROAD = 32,  /* also at a node in a region that the tenant excludes, as the ROLLED ones: no 409 `node-region` */
    ROUTE_PERSON = 16,  /* takes a log-in: a token writes records and ends credentials, and changes nothing else (C2) */
};

struct route {
    enum http_method method;
    const char *pattern; /* "/api/v1/companies/{}" : {} matches one segment */
    uint32_t rights;     /* all of these are needed, enum right or RIGHT_OF(); 0 with !PUBLIC = any session */
    uint32_t flags;
    /* Answers with one of the respond_ calls below, now or (after exchange_hold) later. With ROUTE_STREAMED it is called at the head and
     * sets a body sink with exchange_body(). */
    void (*handle)(struct exchange *x, struct request *r);
    enum function
        function; /* the processing function it is a use of (C4); refused, and ended, while that is off. FUNCTION_NONE = of none */
};

/* Every table of routes, ended by a row with pattern NULL; the router of web/ walks them in order. */
extern const struct route web_routes[];          /* health, pages, openapi: web/ */
extern const struct route account_routes[];      /* enrol, sessions, tokens, users, settings: web/account.c */
extern const struct route crm_routes[];          /* companies, contacts, import, export: crm/ */
extern const struct route witness_routes[];      /* the provider's ledger as seen from here: worker/ */
extern const struct route journal_routes[];      /* the tenant's journal: worker/ */
extern const struct route rollback_routes[];     /* an older file put back: web/rollback.c */
extern const struct route leaving_routes[];      /* the end of the contract: leaving/ */
extern const struct route rotation_routes[];     /* another master key: worker/ */
extern const struct route function_routes[];     /* the processing functions: worker/ */
extern const struct route confirmation_routes[]; /* a single use of one that is off: web/confirmations.c */
extern const struct route usage_routes[];        /* anonymous usage numbers: worker/ */
extern const struct route subject_routes[];      /* a person's own rights: subject/ */
extern const struct route document_routes[];     /* contents and uploads of documents: documents/ */
extern const struct route reference_routes[];    /* consents to be cited: worker/ */
extern const struct route region_routes[];       /* where data and copies are and may be: worker/ */
extern const struct route notice_routes[];       /* notices of change: worker/ */
extern const struct route backup_routes[];       /* plans, backups, archives: worker/ */
extern const struct route rule_routes[];         /* retention rules: worker/ */
extern const struct route register_routes[];     /* the register of article 30: worker/ */
extern const struct route support_routes[];      /* messages to the support: worker/ */

/* Answers. Each ends the exchange; the bytes leave only after the store's commit when the handler wrote (group commit). */
void respond_json(struct exchange *x, int status, json_t *body);                                      /* steals body */
void respond_bytes(struct exchange *x, int status, const char *type, const void *bytes, size_t size); /* copies */
void respond_buffer(struct exchange *x, int status, const char *type, struct evbuffer *body);         /* moves the bytes out of body */
void respond_empty(struct exchange *x, int status);                                                   /* e.g. 204 */
/* application/problem+json (RFC 9457). type: a short word, e.g. "invalid-field"; detail: never tenant data. field and line: NULL / 0 =
 * none. */
void respond_problem(struct exchange *x, int status, const char *type, const char *detail, const char *field, unsigned long line);
/* 403 `function-off`, with the member `function`. */
void respond_function_off(struct exchange *x, enum function f);
/* A header of the answer; call before respond_. name and value are copied. */
void respond_header(struct exchange *x, const char *name, const char *value);

/* An answer in pieces (chunked): `more` is called whenever there is room; it appends to out and returns 1 to go on, 0 at the end,
 * -1 to break the connection off. release(argument) is called exactly once at the end. */
void respond_stream(struct exchange *x, int status, const char *type, int (*more)(void *argument, struct evbuffer *out),
                    void (*release)(void *), void *argument);

/* The same of `length` bytes, told in Content-Length: `more` gives exactly these, at most about 128 KiB a call. */
void respond_sized(struct exchange *x, int status, const char *type, uint64_t length, int (*more)(void *argument, struct evbuffer *out),
                   void (*release)(void *), void *argument);

/* For ROUTE_STREAMED: piece gets the body as it arrives (return false after having responded, to stop), end is called at its end and
 * responds; release exactly once, also when the connection breaks. */
void exchange_body(struct exchange *x, bool (*piece)(struct exchange *, void *argument, const uint8_t *bytes, size_t size),
                   void (*end)(struct exchange *, void *argument), void (*release)(void *), void *argument);

/* Commits now what all handlers wrote since the last commit and settles the answers that wait for it, as the end of a turn of the loop
 * does by itself: they leave, or become 507 / 500 when it failed. For handlers that write without end (import). The caller's own exchange
 * is not among them while it has not responded. */
enum store_result exchange_commit(void);

/* For answers that come later (password thread): the handler returns without responding. The exchange may be gone when the answer
 * comes: keep a number, not the pointer. */
uint64_t exchange_hold(struct exchange *x);
struct exchange *exchange_held(uint64_t number); /* NULL: the client went away, or may ask this no more and was told so */
