/*
 * The messages to the support that are kept (S7), in one file of fixed slots whose fd the supervisor passes: sealed bytes, when they came,
 * how they stand, until when they are kept. Nobody here can open them. What is removed is overwritten.
 */
#pragma once

#include "../../policy/messages.h"

#include <stdbool.h>
#include <stddef.h>

struct traces;

struct trace {
    uint64_t number;    /* rises, never reused; 0 = the slot is free */
    uint64_t reference; /* the worker's */
    uint64_t received_ms, until_ms, answered_ms;
    uint32_t tenant, state; /* enum support_state: KEPT, ANSWERED, CLOSED */
    uint32_t message_bytes, answer_bytes;
};
enum trace_part { TRACE_MESSAGE, TRACE_ANSWER };

/* Takes the fd over and reads what is there. NULL with errno. */
struct traces *traces_open(int fd);
void traces_close(struct traces *t);

/* Keeps a message until until_ms. One that is there already (tenant and reference) is given back as it is. NULL with errno: EDQUOT = the
 * tenant has as many as it may, ENOSPC = all slots are taken, or what the file says. Valid until the next call that changes one. */
const struct trace *traces_add(struct traces *t, uint32_t tenant, uint64_t reference, const uint8_t *sealed, size_t size, uint64_t now_ms,
                               uint64_t until_ms);

/* The durable change first, then true. false with errno. */
bool traces_answer(struct traces *t, uint64_t number, const uint8_t *sealed, size_t size, uint64_t now_ms);
bool traces_close_one(struct traces *t, uint64_t number);

const struct trace *traces_find(const struct traces *t, uint64_t number); /* NULL: none */
/* i < SUPPORT_TRACES_MAX; NULL: that slot is free. */
const struct trace *traces_at(const struct traces *t, size_t i);
/* Reads the sealed bytes; 0 = there are none, or they cannot be read. */
size_t traces_read(const struct traces *t, const struct trace *trace, enum trace_part part, uint8_t out[SUPPORT_SEALED_MAX]);

/* Removes one whose term is over; *removed is what it was. false: there is none. */
bool traces_expire(struct traces *t, uint64_t now_ms, struct trace *removed);
