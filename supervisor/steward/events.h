/* What happens to tenants, as server-sent events; the last ones are kept for readers that come back (Last-Event-ID). */
#pragma once

#include "../../policy/messages.h"

#include <stddef.h>
#include <stdint.h>

struct staff_request;
struct staff_server;

enum {
    EVENTS_KEPT = 256,
    EVENTS_BEAT_MS = 15000, /* a comment so often tells a reader that the line is alive */
    EVENTS_TEXT_MAX = 256,  /* bytes of one event */
};

struct events;

struct events *events_new(void); /* NULL: no memory */
void events_free(struct events *events);

/* The word of an enum tenant_event, NULL for a number that is none. */
const char *events_word(uint64_t event);

/* Writes one event as text/event-stream; returns its length. */
size_t events_format(uint64_t id, uint64_t at_ms, const char *tenant, enum tenant_event event, char out[EVENTS_TEXT_MAX]);

/* Keeps an event and sends it to every stream of the server (NULL = none). tenant: its name. */
void events_happened(struct events *events, struct staff_server *server, uint64_t at_ms, const char *tenant, enum tenant_event event);

/* Keeps the streams alive. */
void events_beat(struct staff_server *server);

/* GET /v1/events: a stream that begins after Last-Event-ID, or now. */
void events_serve(struct events *events, struct staff_request *r);
