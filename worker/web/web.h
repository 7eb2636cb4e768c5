/*
 * The web of one tenant: TLS, HTTP/1.1, pages. Everything here runs on the event loop's thread, whose loop is
 *     for (;;) { event_base_loop(self.base, EVLOOP_ONCE); web_turn_end(); }
 */
#pragma once

#include "../../policy/messages.h"

#include <stddef.h>

/* Before sealing: makes the TLS context and compiles the routes. Uses self.base, self.profile, self.counters. 0, or -1 with errno. */
int web_start(void);

/* Takes over a connected, non-blocking socket (closed here in every case), of which nothing of the TLS or HTTP bytes has been read. */
void web_accept(int fd, const struct message_handover *h);

/* The end of a turn of the loop: commits what the handlers wrote, then lets go the answers that waited for it (group commit). */
void web_turn_end(void);

/* Answers close their connections from now on, idle ones are closed; done(argument) is called once, from web_turn_end(), when none is left.
 */
void web_drain(void (*done)(void *), void *argument);

/* self.profile has changed: other hosts, another ceiling of connections. */
void web_profile_changed(void);

/* Connections open now, lingering ones included. */
size_t web_connections(void);
