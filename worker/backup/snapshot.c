/* A snapshot on its way into the supervisor's pipe, a piece a turn, so that everybody is served meanwhile. See backup.h. */
#include "../tenant.h"
#include "../web/connection.h"
#include "backup.h"

#include <event2/event.h>
#include <unistd.h>

enum { PATIENCE_S = 30 /* without a byte taken: nobody reads; what is held for it is let go */ };

static struct store_snapshot *snapshot;
static struct event *writable;
static int fd = -1;

static void end(void) {
    store_snapshot_end(snapshot);
    if (writable) event_free(writable);
    if (fd >= 0) close(fd);
    snapshot = NULL;
    writable = NULL;
    fd = -1;
}

static void go_on(evutil_socket_t socket, short what, void *unused) {
    (void)unused;
    bool done = false;
    gauge(COUNTER_last_activity, clock_ms() / 1000); /* the tenant's own work is no idleness */
    if (what & EV_TIMEOUT || store_snapshot_step(snapshot, socket, &done) != STORE_OK || done) end();
}

/* The reader learns from an end without its mark that it was not whole. */
void backup_snapshot(int pipe) {
    static const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (snapshot) { /* one at a time */
        close(pipe);
        return;
    }
    fd = pipe;
    snapshot = store_snapshot_begin(self.store, capsule_key_created(self.capsule));
    writable = event_new(self.base, fd, EV_WRITE | EV_PERSIST, go_on, NULL);
    if (!snapshot || !writable || event_add(writable, &patience) < 0) end();
}
