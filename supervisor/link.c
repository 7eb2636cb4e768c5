#include "link.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
    TURN = 64,        /* messages taken from one child before others have their turn */
    LAST = 4096,      /* of a dead one: all that a socket holds */
    FD_WEIGHT = 4096, /* of the bound */
    RETRY_MS = 20,    /* a socket that is writable and yet takes nothing: too many fds in flight */
};

struct waiting {
    STAILQ_ENTRY(waiting) next;
    size_t weight;
    int fd;                  /* our own copy, or -1 */
    union message message[]; /* only as many bytes as its type has */
};

struct link {
    const struct link_handler *handler;
    void *context;
    int channel;
    bool mute;   /* the child closed its end: what it said before is still read */
    bool ending; /* `ended` is said or will be */
    enum link_end why;
    bool busy, closed; /* link_close from within `said` frees only afterwards */
    struct event *readable, *writable, *retry;
    STAILQ_HEAD(outbox, waiting) queue;
    size_t queued;
};

static void end_soon(struct link *l, enum link_end why) {
    if (l->ending) return;
    l->ending = true;
    l->why = why;
    event_del(l->readable);
    event_del(l->writable);
    event_active(l->retry, EV_TIMEOUT, 0);
}

static void drop(struct link *l, struct waiting *w) {
    STAILQ_REMOVE_HEAD(&l->queue, next);
    l->queued -= w->weight;
    if (w->fd >= 0) close(w->fd);
    free(w);
}

static void mute(struct link *l) {
    l->mute = true;
    while (!STAILQ_EMPTY(&l->queue))
        drop(l, STAILQ_FIRST(&l->queue));
}

/* Sends what waits. false: the rest must wait on. */
static bool flush(struct link *l) {
    for (struct waiting *w; (w = STAILQ_FIRST(&l->queue));) {
        switch (channel_send(l->channel, CHANNEL_SUPERVISOR, w->message, w->fd)) {
        case CHANNEL_OK:
            drop(l, w);
            break;
        case CHANNEL_AGAIN:
            return false;
        default:
            end_soon(l, LINK_GONE);
            return true;
        }
    }
    return true;
}

static void on_writable(evutil_socket_t socket, short what, void *context) {
    (void)socket, (void)what;
    struct link *l = context;
    struct timeval wait = {.tv_usec = RETRY_MS * 1000};
    struct waiting *first = STAILQ_FIRST(&l->queue);
    if (flush(l)) return;
    if (STAILQ_FIRST(&l->queue) == first)
        event_add(l->retry, &wait);
    else
        event_add(l->writable, NULL);
}

/* Also the way to say the end from the loop. */
static void on_retry(evutil_socket_t socket, short what, void *context) {
    struct link *l = context;
    if (l->ending)
        l->handler->ended(l->context, l->why);
    else
        on_writable(socket, what, context);
}

static void release(struct link *l) {
    if (l->readable) event_free(l->readable);
    if (l->writable) event_free(l->writable);
    if (l->retry) event_free(l->retry);
    free(l);
}

static void hear(struct link *l, int most) {
    l->busy = true;
    for (int i = 0; i < most && !l->closed && !l->ending; i++) {
        union message message;
        int fd;
        pid_t pid;
        enum channel_result result = channel_receive(l->channel, l->handler->peer, CHANNEL_SUPERVISOR, &message, &fd, &pid);
        if (result == CHANNEL_AGAIN) break;
        if (result == CHANNEL_OK)
            l->handler->said(l->context, &message, fd, pid);
        else
            end_soon(l, result == CHANNEL_BAD ? LINK_LIED : LINK_GONE);
    }
    l->busy = false;
    if (l->closed) release(l);
}

static void on_readable(evutil_socket_t socket, short what, void *context) {
    (void)socket, (void)what;
    hear(context, TURN);
}

void link_drain(struct link *l) {
    if (l && !l->busy && !l->ending) hear(l, LAST);
}

struct link *link_open(struct event_base *base, int channel, const struct link_handler *handler, void *context) {
    struct link *l = calloc(1, sizeof *l);
    if (!l) {
        close(channel);
        return NULL;
    }
    *l = (struct link){.handler = handler, .context = context, .channel = channel};
    STAILQ_INIT(&l->queue);
    l->readable = event_new(base, channel, EV_READ | EV_PERSIST, on_readable, l);
    l->writable = event_new(base, channel, EV_WRITE, on_writable, l);
    l->retry = event_new(base, -1, 0, on_retry, l);
    if (!l->readable || !l->writable || !l->retry || event_add(l->readable, NULL) < 0) link_close(&l);
    return l;
}

static void enqueue(struct link *l, const union message *message, int fd) {
    size_t size = message_size(message->head.type), weight = sizeof(struct waiting) + size + (fd >= 0 ? FD_WEIGHT : 0);
    struct waiting *w = l->queued + weight > l->handler->bound ? NULL : malloc(sizeof *w + size);
    int copy = w && fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (!w || (fd >= 0 && copy < 0)) {
        free(w);
        end_soon(l, LINK_STUCK);
        return;
    }
    *w = (struct waiting){.weight = weight, .fd = copy};
    memcpy(w->message, message, size);
    if (STAILQ_EMPTY(&l->queue)) event_add(l->writable, NULL);
    STAILQ_INSERT_TAIL(&l->queue, w, next);
    l->queued += weight;
}

void link_send(struct link *l, const union message *message, int fd) {
    if (!l || l->ending || l->mute) return;
    enum channel_result result = CHANNEL_AGAIN;
    if (STAILQ_EMPTY(&l->queue)) result = channel_send(l->channel, CHANNEL_SUPERVISOR, message, fd);
    if (result == CHANNEL_AGAIN)
        enqueue(l, message, fd);
    else if (result != CHANNEL_OK)
        end_soon(l, LINK_GONE);
}

void link_close(struct link **link) {
    struct link *l = *link;
    *link = NULL;
    if (!l) return;
    mute(l);
    l->ending = l->closed = true;
    if (l->readable) event_del(l->readable);
    if (l->writable) event_del(l->writable);
    if (l->retry) event_del(l->retry);
    close(l->channel);
    if (!l->busy) release(l);
}
