#include "events.h"

#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event_kept {
    uint64_t at_ms;
    enum tenant_event event;
    char tenant[TENANT_NAME_MAX + 8];
};

struct events {
    uint64_t count; /* so far; the last one's id */
    struct event_kept kept[EVENTS_KEPT];
};

static const char *const words[] = {
    [EVENT_CREATED] = "created",
    [EVENT_CHANGED] = "changed",
    [EVENT_STARTED] = "started",
    [EVENT_UNSEALED] = "unsealed",
    [EVENT_DRAINED] = "drained",
    [EVENT_CRASHED] = "crashed",
    [EVENT_SUSPENDED] = "suspended",
    [EVENT_RESUMED] = "resumed",
    [EVENT_LOCKED] = "locked",
    [EVENT_ENROLLED] = "enrolled",
    [EVENT_CHAIN_INSTALLED] = "chain-installed",
    [EVENT_THROTTLED] = "throttled",
    [EVENT_EVICTED] = "evicted",
    [EVENT_RESET] = "reset",
    [EVENT_GONE] = "gone",
};

const char *events_word(uint64_t event) { return event < sizeof words / sizeof *words ? words[event] : NULL; }

struct events *events_new(void) {
    return calloc(1, sizeof(struct events));
}
void events_free(struct events *events) { free(events); }

size_t events_format(uint64_t id, uint64_t at_ms, const char *tenant, enum tenant_event event, char out[EVENTS_TEXT_MAX]) {
    int size =
        snprintf(out, EVENTS_TEXT_MAX, "id: %llu\nevent: %s\ndata: {\"tenant\":\"%s\",\"event\":\"%s\",\"at\":%llu.%03u}\n\n",
                 (unsigned long long)id, words[event], tenant, words[event], (unsigned long long)(at_ms / 1000), (unsigned)(at_ms % 1000));
    return (size_t)size;
}

void events_happened(struct events *events, struct staff_server *server, uint64_t at_ms, const char *tenant, enum tenant_event event) {
    struct event_kept *kept = &events->kept[events->count++ % EVENTS_KEPT];
    *kept = (struct event_kept){.at_ms = at_ms, .event = event};
    snprintf(kept->tenant, sizeof kept->tenant, "%s", tenant);
    char text[EVENTS_TEXT_MAX];
    size_t size = events_format(events->count, at_ms, kept->tenant, event, text);
    if (server) staff_broadcast(server, text, size);
}

void events_beat(struct staff_server *server) {
    if (server) staff_broadcast(server, ":\n\n", 3);
}

/* The id after which a reader wants to go on. Without one, or with one that is not ours: from now on. */
static uint64_t seen_by(const struct events *events, const struct staff_request *r) {
    const struct slice *last = http_header_find(&r->head, "Last-Event-ID");
    if (!last || last->size == 0 || last->size > 19) return events->count;
    uint64_t id = 0;
    for (size_t i = 0; i < last->size; i++) {
        if (last->data[i] < '0' || last->data[i] > '9') return events->count;
        id = id * 10 + (uint64_t)(last->data[i] - '0');
    }
    return id < events->count ? id : events->count;
}

void events_serve(struct events *events, struct staff_request *r) {
    static const char hello[] = "retry: 2000\n:\n\n";
    char *text = malloc(sizeof hello + EVENTS_KEPT * EVENTS_TEXT_MAX);
    if (!text) {
        staff_problem(r, 500, "no-memory", NULL, "no memory");
        return;
    }
    size_t size = sizeof hello - 1;
    memcpy(text, hello, size);
    uint64_t seen = seen_by(events, r);
    if (events->count - seen > EVENTS_KEPT) seen = events->count - EVENTS_KEPT;
    for (uint64_t id = seen + 1; id <= events->count; id++) {
        const struct event_kept *kept = &events->kept[(id - 1) % EVENTS_KEPT];
        size += events_format(id, kept->at_ms, kept->tenant, kept->event, text + size);
    }
    staff_stream(r, "text/event-stream", text, size);
    free(text);
}
