/* A channel to one child in the event loop: what it says is read a bounded piece at a time, what it does not take yet waits in a bounded
 * queue. Knows no message but its size: monitor.h knows what they mean. */
#pragma once

#include "../policy/channel.h"

#include <stddef.h>

struct event_base;
struct link;

enum link_end {
    LINK_GONE,  /* the child closed, or is dead */
    LINK_LIED,  /* it sent what is not in the table: end it (S4) */
    LINK_STUCK, /* it takes nothing and the queue is full */
};

struct link_handler {
    enum channel_end peer;
    size_t bound; /* bytes of messages queued for it at most; an fd counts as 4096 */
    /* fd: the receiver's own, or -1. pid: the sender's. May call link_close. */
    void (*said)(void *context, const union message *message, int fd, pid_t pid);
    /* Once, from the loop, never from within link_send. The link says and takes nothing any more; close it here or later. */
    void (*ended)(void *context, enum link_end why);
};

/* Takes the channel over, even on failure. NULL: no memory. handler must outlive the link. */
struct link *link_open(struct event_base *base, int channel, const struct link_handler *handler, void *context);

/* fd: -1 for none; the caller keeps its own. What cannot be sent or queued ends the link. NULL: nothing happens. */
void link_send(struct link *link, const union message *message, int fd);

/* Reads what a child that has died said last. NULL: nothing happens. */
void link_drain(struct link *link);

/* Closes the channel, drops the queue, sets *link to NULL. */
void link_close(struct link **link);
