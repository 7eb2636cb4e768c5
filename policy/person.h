/* Who asks: the person at the other end of a Unix socket and the duties its groups give it (C1, C3). */
#pragma once

#include "duties.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The group of each duty, as the supervisor resolved it. Zeroed = nobody holds any duty. */
struct duty_map {
    bool known[DUTY_COUNT];
    gid_t gid[DUTY_COUNT]; /* (gid_t)-1: there is no such group */
};

struct person {
    uid_t uid;
    uint32_t duties; /* bit set of enum duty */
};

/* A STEWARD_DUTY message's value: enum duty << 32 | gid. false: no such duty. */
bool duty_map_set(struct duty_map *map, uint64_t value);

/* The duties of somebody in these groups. Uid 0 is nobody special: only membership counts. */
uint32_t duty_of_groups(const struct duty_map *map, gid_t primary, const gid_t *more, size_t count);

/* The process that connected `socket`, as it was at that moment (SO_PEERCRED, SO_PEERGROUPS). false with errno: no duty is known. */
bool duty_person(const struct duty_map *map, int socket, struct person *out);

/* Whether somebody is still at the other end of a stream socket that was accepted. */
bool person_connected(int socket);
