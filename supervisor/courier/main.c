/*
 * cloison-courier: what is opened, then the walls, then ready, then work.
 *
 * fds: 0, 1 /dev/null; 2 the log; 3 the supervisor's channel, over which it is told once what to open.
 */
#include "../../policy/channel.h"
#include "../../policy/jail.h"
#include "courier.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static int fail(const char *step) {
    courier_log("%s: %s", step, strerrorname_np(errno));
    return 1;
}

int main(void) {
    static struct courier courier = {.channel = JAIL_CHANNEL, .spool = -1};
    union message ready = {.head.type = MESSAGE_COURIER_READY};
    signal(SIGPIPE, SIG_IGN);
    if (jail_close_from(JAIL_CHANNEL + 1) < 0) return fail("fds");
    if (courier_open(&courier) < 0) return fail("open");
    if (courier_seal(&courier, &ready.ready) < 0) return fail("seal");
    courier_say(&courier, &ready, -1);
    return courier_work(&courier) < 0 ? fail("work") : 0;
}
