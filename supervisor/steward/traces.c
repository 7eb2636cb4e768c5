#include "traces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOT = 65536, HEAD = 4096 };
_Static_assert(HEAD + 2 * SUPPORT_SEALED_MAX <= SLOT, "a slot holds message and answer");

static const char magic[8] = "CLTRACE1";
struct head {
    char magic[8];
    struct trace trace;
};

struct traces {
    int fd;
    uint64_t last; /* number */
    struct trace slot[SUPPORT_TRACES_MAX];
};

static off_t place(const struct traces *t, const struct trace *trace) { return (off_t)(trace - t->slot) * SLOT; }
static off_t place_of(const struct traces *t, const struct trace *trace, enum trace_part part) {
    return place(t, trace) + HEAD + (part == TRACE_ANSWER ? SUPPORT_SEALED_MAX : 0);
}

static bool sound(const struct head *h) {
    const struct trace *t = &h->trace;
    return memcmp(h->magic, magic, sizeof magic) == 0 && t->number > 0 && t->tenant > 0 && t->message_bytes <= SUPPORT_SEALED_MAX &&
           t->answer_bytes <= SUPPORT_SEALED_MAX && t->state >= SUPPORT_KEPT && t->state <= SUPPORT_CLOSED;
}

struct traces *traces_open(int fd) {
    struct traces *t = calloc(1, sizeof *t);
    for (size_t i = 0; t && i < SUPPORT_TRACES_MAX; i++) {
        struct head h;
        if (pread(fd, &h, sizeof h, (off_t)i * SLOT) != (ssize_t)sizeof h || !sound(&h)) continue; /* free, or cut off in a write */
        t->slot[i] = h.trace;
        if (h.trace.number > t->last) t->last = h.trace.number;
    }
    if (t)
        t->fd = fd;
    else
        close(fd);
    return t;
}

void traces_close(struct traces *t) {
    if (t) close(t->fd);
    free(t);
}

const struct trace *traces_at(const struct traces *t, size_t i) { return t->slot[i].number ? &t->slot[i] : NULL; }

static struct trace *find(const struct traces *t, uint64_t number) {
    for (size_t i = 0; number && i < SUPPORT_TRACES_MAX; i++)
        if (t->slot[i].number == number) return (struct trace *)&t->slot[i];
    return NULL;
}

const struct trace *traces_find(const struct traces *t, uint64_t number) { return find(t, number); }

static bool write_all(int fd, const void *bytes, size_t size, off_t at) {
    ssize_t written = pwrite(fd, bytes, size, at);
    if (written >= 0 && (size_t)written != size) errno = ENOSPC;
    return written == (ssize_t)size;
}

/* The sealed bytes first: a head on the disk speaks of what is there. */
static bool keep(const struct traces *t, struct trace *slot, const struct trace *changed, enum trace_part part, const uint8_t *sealed,
                 size_t size) {
    struct head h = {.trace = *changed};
    memcpy(h.magic, magic, sizeof magic);
    if (size && (!write_all(t->fd, sealed, size, place_of(t, slot, part)) || fdatasync(t->fd) != 0)) return false;
    if (!write_all(t->fd, &h, sizeof h, place(t, slot)) || fdatasync(t->fd) != 0) return false;
    *slot = *changed;
    return true;
}

/* The slot for a new one; or that message's own, if it is there. NULL with errno. */
static struct trace *slot_for(struct traces *t, uint32_t tenant, uint64_t reference) {
    struct trace *free_one = NULL;
    size_t own = 0;
    for (size_t i = 0; i < SUPPORT_TRACES_MAX; i++) {
        struct trace *s = &t->slot[i];
        if (s->number && s->tenant == tenant && s->reference == reference) return s;
        own += s->number && s->tenant == tenant;
        if (!s->number && !free_one) free_one = s;
    }
    errno = own >= SUPPORT_PER_TENANT ? EDQUOT : ENOSPC;
    return own >= SUPPORT_PER_TENANT ? NULL : free_one;
}

const struct trace *traces_add(struct traces *t, uint32_t tenant, uint64_t reference, const uint8_t *sealed, size_t size, uint64_t now_ms,
                               uint64_t until_ms) {
    struct trace *slot = slot_for(t, tenant, reference);
    if (!slot || slot->number) return slot;
    struct trace added = {.number = t->last + 1,
                          .reference = reference,
                          .received_ms = now_ms,
                          .until_ms = until_ms,
                          .tenant = tenant,
                          .state = SUPPORT_KEPT,
                          .message_bytes = (uint32_t)size};
    if (!keep(t, slot, &added, TRACE_MESSAGE, sealed, size)) return NULL;
    t->last++;
    return slot;
}

bool traces_answer(struct traces *t, uint64_t number, const uint8_t *sealed, size_t size, uint64_t now_ms) {
    struct trace *slot = find(t, number);
    errno = ENOENT;
    if (!slot) return false;
    struct trace changed = *slot;
    changed.state = SUPPORT_ANSWERED;
    changed.answer_bytes = (uint32_t)size;
    changed.answered_ms = now_ms;
    return keep(t, slot, &changed, TRACE_ANSWER, sealed, size);
}

bool traces_close_one(struct traces *t, uint64_t number) {
    struct trace *slot = find(t, number);
    errno = ENOENT;
    if (!slot) return false;
    struct trace changed = *slot;
    changed.state = SUPPORT_CLOSED;
    return keep(t, slot, &changed, TRACE_MESSAGE, NULL, 0);
}

size_t traces_read(const struct traces *t, const struct trace *trace, enum trace_part part, uint8_t out[SUPPORT_SEALED_MAX]) {
    size_t size = part == TRACE_ANSWER ? trace->answer_bytes : trace->message_bytes;
    return size && pread(t->fd, out, size, place_of(t, trace, part)) == (ssize_t)size ? size : 0;
}

/* S7: a message to the support is kept for its term and overwritten then */
bool traces_expire(struct traces *t, uint64_t now_ms, struct trace *removed) {
    static const uint8_t zeros[SLOT];
    for (size_t i = 0; i < SUPPORT_TRACES_MAX; i++) {
        struct trace *slot = &t->slot[i];
        if (!slot->number || slot->until_ms > now_ms) continue;
        if (!write_all(t->fd, zeros, sizeof zeros, place(t, slot)) || fdatasync(t->fd) != 0) continue; /* again at the next look */
        *removed = *slot;
        *slot = (struct trace){0};
        return true;
    }
    return false;
}
