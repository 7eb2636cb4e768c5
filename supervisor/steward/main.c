/* The steward: answers staff on two Unix sockets with numbers, enums and the provider's own words. Its own uid, no capability, no file.
 * It stays in the machine's user namespace: only there SO_PEERCRED and SO_PEERGROUPS name the people who ask. */
#include "../../policy/channel.h"
#include "../../policy/jail.h"
#include "../../policy/wall.h"
#include "steward.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what) {
    steward_log("%s: %s", what, strerror(errno));
    return EXIT_FAILURE;
}

/* From here on: the fds it has, the calls on its list. */
static bool seal(union message *ready) {
    struct wall_program wall;
    if (wall_make(WALL_STEWARD, &wall) < 0 || jail_drop_rights() < 0) return false;
    jail_observe(ready->ready.layer, &ready->ready.landlock_abi);
    if (wall_close(&wall) < 0) return false;
    ready->ready.layer[LAYER_seccomp] = LAYER_ON;
    ready->ready.syscalls = wall.calls;
    memcpy(ready->ready.filter_hash, wall.hash, sizeof wall.hash);
    return true;
}

int main(void) {
    struct steward steward = {.channel = JAIL_CHANNEL};
    union message ready = {.head.type = MESSAGE_STEWARD_READY};
    if (jail_close_from(JAIL_CHANNEL + 1) < 0) return fail("close_range");
    if (!steward_open(&steward)) return fail("start");
    if (!seal(&ready)) return fail("jail");
    if (channel_send(steward.channel, CHANNEL_STEWARD, &ready, -1) != CHANNEL_OK) return fail("channel");
    event_base_dispatch(steward.base);
    return EXIT_SUCCESS;
}
