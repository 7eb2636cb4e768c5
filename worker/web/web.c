#include "web.h"

#include "../tenant.h"
#include "assets.h"
#include "connection.h"
#include "exchange.h"
#include "identity.h"
#include "tls.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static void (*drained)(void *);
static void *drained_argument;

int web_start(void) {
    errno = ENOMEM;
    signal(SIGPIPE, SIG_IGN);
    tzset();
    return tls_start() && assets_start() && exchanges_start() && connections_start() ? 0 : -1;
}

void web_accept(int fd, const struct message_handover *h) { connection_accept(fd, h); }
size_t web_connections(void) { return connections_open(); }

/* ---- group commit ---- */

static void let_go(struct connection *c) {
    for (unsigned i = 0; i < c->held_count; i++) {
        answer_count(c->answer[i].status, c->answer[i].started_us);
        if (c->answer[i].wrote && c->answer[i].status < 300) count(COUNTER_writes, 1);
    }
    c->held_count = 0;
    if (evbuffer_add_buffer(c->out, c->held) < 0) connection_close(c);
}

static void take_back(struct connection *c, enum store_result result) {
    exchange_drop_stream(c);
    respond_failed(c, result);
}

static bool answers_wait(void) {
    for (struct connection *c = connection_first_of_turn(); c; c = connection_next_of_turn(c))
        if (c->held_count > 0) return true;
    return false;
}

enum store_result exchange_commit(void) {
    struct connection *c;
    enum store_result result = STORE_OK;
    if (self.store && (store_pending(self.store) || answers_wait())) {
        result = store_commit(self.store);
        if (result == STORE_OK) count(COUNTER_commits, 1);
        gauge(COUNTER_store_bytes, store_bytes(self.store));
    }
    for (c = connection_first_of_turn(); c; c = connection_next_of_turn(c)) {
        if (c->held_count == 0) continue;
        if (result == STORE_OK)
            let_go(c);
        else
            take_back(c, result);
    }
    return result;
}

void web_turn_end(void) {
    struct connection *c;
    if (self.store && (store_dirty(self.store) || answers_wait())) exchange_commit(); /* quiet changes wait for their upload */
    while ((c = connection_first_of_turn()))
        connection_turn_ended(c);
    if (drained && connections_open() == 0) {
        void (*done)(void *) = drained;
        drained = NULL;
        done(drained_argument);
    }
}

/* ---- what the supervisor asks ---- */

void web_drain(void (*done)(void *), void *argument) {
    drained = done;
    drained_argument = argument;
    connections_drain();
}

void web_profile_changed(void) {
    identity_hosts_changed();
    connections_ceiling_changed();
}
