/* Where connections come in. A listener lives until the supervisor takes it back and its last connection has left. */
#pragma once

#include "../../policy/messages.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct listeners;
struct connections;

struct listener {
    uint32_t id;
    uint32_t tenant;                /* LISTENER_PLAIN: whose; else 0 */
    struct message_listener policy; /* as the supervisor gave it */
    uint32_t users;                 /* connections that came in here, and the list while it accepts */
};

/* NULL when there is no memory. Lives as long as the process. */
struct listeners *listeners_new(struct event_base *base, struct connections *connections);

/* Accepts at socket (owned from here on; listening, non-blocking) from now on; replaces the one with the same id. false: out of memory,
 * more than LISTENERS_MAX (LISTENER_PLAIN: TENANTS_MAX), or what the message says makes no sense; the socket is closed. */
bool listeners_add(struct listeners *listeners, const struct message_listener *policy, int socket);
void listeners_remove(struct listeners *listeners, uint32_t id);

/* Whether a PROXY header is taken from that peer (H3: only from where the configuration says). */
bool listener_trusts(const struct listener *listener, const uint8_t address[16]);

/* A connection of it came and went. */
struct listener *listener_use(struct listener *listener);
void listener_release(struct listener *listener);
