/* The sockets the supervisor opens and gives away: it listens, it never accepts (H2). Errors: -1 with errno. */
#pragma once

#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LISTENER_PLAIN_ID = 1000000 /* + the tenant's number: the id of web/NAME.sock */ };

struct listener {
    uint32_t id; /* > 0, new with every (re)opening or change */
    int fd;
    struct config_listener as; /* as configured */
};

struct listeners {
    uint32_t count, last_id;
    struct listener row[LISTENERS_MAX];
};

/* A listening Unix socket at path (a stale one is replaced; anything else there is EEXIST), owned by root and gid, with that mode. No
 * moment in between is more open than the end. gid CONFIG_NOBODY: root's, and only root may connect. */
int listener_unix(const char *path, gid_t gid, mode_t mode);
/* The same for the socket that is there: 0 or -1. */
int listener_allow(const char *path, gid_t gid, mode_t mode);

/* Makes `now` what config wants: sockets that stay are taken over from `old` by title, new ones are opened. false: one could not be opened
 * (*which names it, errno), the new ones are closed again and `old` is as it was. On true the caller owns `now`, and closes with
 * listeners_close_gone what is in `old` alone. */
bool listeners_change(const struct listeners *old, const struct config *config, struct listeners *now, const char **which);
/* Closes the sockets of `old` that `now` does not hold. */
void listeners_close_gone(struct listeners *old, const struct listeners *now);
/* The listener of `in` with that id; NULL = none. */
const struct listener *listeners_find(const struct listeners *in, uint32_t id);
