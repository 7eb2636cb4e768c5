#include "person.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

bool duty_map_set(struct duty_map *map, uint64_t value) {
    uint64_t duty = value >> 32;
    if (duty >= DUTY_COUNT) return false;
    map->gid[duty] = (gid_t)value;
    map->known[duty] = map->gid[duty] != (gid_t)-1;
    return true;
}

uint32_t duty_of_groups(const struct duty_map *map, gid_t primary, const gid_t *more, size_t count) {
    uint32_t duties = 0;
    for (int d = 0; d < DUTY_COUNT; d++) {
        if (!map->known[d]) continue;
        bool member = primary == map->gid[d];
        for (size_t i = 0; i < count && !member; i++)
            member = more[i] == map->gid[d];
        if (member) duties |= 1U << d;
    }
    return duties;
}

/* SO_PEERGROUPS says ERANGE and the size it needs when the room is too small: at most 65,536 groups (NGROUPS_MAX). */
static gid_t *groups_of(int socket, size_t *count) {
    socklen_t size = 64 * sizeof(gid_t);
    for (int attempt = 0; attempt < 2; attempt++) {
        gid_t *groups = malloc(size);
        if (!groups) return NULL;
        if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
            *count = size / sizeof *groups;
            return groups;
        }
        free(groups);
        if (errno != ERANGE || size > 65536 * sizeof(gid_t)) return NULL;
    }
    return NULL;
}

/* C1: who asks is what the kernel says, root as everybody */
bool duty_person(const struct duty_map *map, int socket, struct person *out) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return false;
    size_t count = 0;
    gid_t *groups = groups_of(socket, &count);
    if (!groups) return false;
    *out = (struct person){.uid = peer.uid, .duties = duty_of_groups(map, peer.gid, groups, count)};
    free(groups);
    return true;
}

/* Nothing is sent: the kernel looks only whether it could be. A listening socket or a channel is nobody's. */
bool person_connected(int socket) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) return false;
    return send(socket, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) == 0;
}
