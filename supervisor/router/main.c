/*
 * cloison-router: open, then seal, then say ready, then work (lesson 2).
 *
 * fds: 0, 1 /dev/null; 2 the log, numbers only; 3 the supervisor's channel. All others come over it.
 */
#include "../../policy/jail.h"
#include "router.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *step) {
    dprintf(STDERR_FILENO, "cloison-router: %s: %s\n", step, strerrorname_np(errno));
    return 1;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    if (jail_close_from(JAIL_CHANNEL + 1) < 0) return fail("fds");
    struct router *router = router_open(JAIL_CHANNEL);
    if (!router) return fail("open");
    if (router_seal(router) < 0) return fail("seal");
    if (router_ready(router) < 0) return fail("ready");
    return router_work(router) < 0 ? fail("work") : 0;
}
