/*
 * The steward's part of the support (S7): keeps what workers send, gives it to the support duty as it is, sealed, and passes answers on. It
 * has no key; `cloison support` opens and seals where the staff member's key is. On control.sock:
 *
 *   GET  /v1/support              support   {"traces": [{id, tenant, state, received, until, answered, bytes}]}
 *   GET  /v1/support/ID           support   the message, application/pkcs7-mime
 *   PUT  /v1/support/ID/answer    support   the same of an answer
 *   POST /v1/support/ID/close     support
 */
#pragma once

#include "steward.h"

struct support;

struct support *support_new(void); /* NULL: no memory */
void support_free(struct support *support);

/* The file of traces and the days they are kept. Takes fd. false with errno: no memory. */
bool support_start(struct steward *steward, int fd, uint32_t days);

/* A worker's message, a worker's question. fd is taken. */
void support_take(struct steward *steward, const struct message_support *message, int fd);
void support_ask(struct steward *steward, uint32_t tenant);

/* After each look at the counters: removes what is kept no longer. */
void support_tick(struct steward *steward, uint64_t now_ms);

/* Walks the messages kept of one tenant, *i from 0; false at the end. */
struct trace;
bool support_kept(const struct steward *steward, uint32_t tenant, size_t *i, struct trace *out);

/* A request of the support duty: answers, or finds whose message it is (r->tenant, r->number) and sends the act up by `up`. variable: the
 * path's part after /v1/support/. */
void support_act(struct steward *steward, struct staff_request *r, struct slice variable,
                 void (*up)(struct steward *, struct staff_request *));
/* The supervisor has recorded it. */
void support_done(struct steward *steward, struct staff_request *r);
