/*
 * Connections in the router's hands: from accept until they are handed over, answered or closed.
 *
 * A connection is looked at (MSG_PEEK) until what decides about it is whole: the PROXY header, of which exactly its bytes are then
 * consumed, and the ClientHello, of which none ever is. What comes in pieces wakes us once per piece that matters (SO_RCVLOWAT,
 * edge-triggered). Until then it has CLIENT_HELLO_MS in all; held for a worker it has HELD_MS. Where there is no room for a new one, the
 * oldest incomplete one goes, so that 10,000 that never finish cannot keep out one that does.
 */
#pragma once

#include "hosts.h"
#include "sources.h"
#include "tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connections;
struct event_base;
struct handover;
struct listener;

struct peer {
    uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d; zero: a Unix socket */
    uint16_t port;
    bool local; /* a Unix socket: no source to count */
};

/* ceiling: connections at once, 1..ROUTER_CONNECTIONS_MAX. channel: the supervisor's, for handover.h. All of them outlive the result, which
 * lives as long as the process. NULL when there is no memory. */
struct connections *connections_new(struct event_base *base, size_t ceiling, int channel, const struct hosts *hosts,
                                    struct sources *sources, struct tally *tally);

/* The hand-over through which they leave. */
struct handover *connections_handover(struct connections *connections);

/* A new one: fd (owned from here on) is non-blocking. */
void connections_add(struct connections *connections, struct listener *listener, int fd, const struct peer *peer);

/* Ends the oldest one: the kernel is short of something. */
void connections_shed(struct connections *connections);
