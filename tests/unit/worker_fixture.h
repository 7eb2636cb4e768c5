/*
 * A worker without its connections: the real routes, handlers, answers and store in a fresh folder, the supervisor at the other end of the
 * channel. For one program each: it holds what it plays.
 */
#pragma once

#include "../../policy/jail.h"
#include "../../worker/functions.h"
#include "../../worker/journal/journal.h"
#include "../../worker/tenant.h"
#include "../../worker/web/exchange.h"
#include "../../worker/web/routes.h"

#include "store_fixture.h"

#include <event2/event.h>
#include <sys/socket.h>

struct tenant self;
static struct fixture files;
static struct counter_page counters;
static struct connection client;
static int supervisor;

/* The end of the turn in which the handler answered: the answer's status, all of it in `answer`, and what became of the commit. */
static char answer[256 * 1024];
static inline int turn_ends(struct exchange *x, enum store_result committed) {
    assert_int_equal(exchange_commit(), committed);
    if (client.held_count) assert_int_equal(evbuffer_add_buffer(client.out, client.held), 0);
    client.held_count = 0;
    while (x->more && x->more(x->stream, client.out) > 0)
        ;
    if (x->stream_release) x->stream_release(x->stream);
    ssize_t size = evbuffer_remove(client.out, answer, sizeof answer - 1);
    assert_true(size > 0);
    answer[size] = '\0';
    return atoi(answer + strlen("HTTP/1.1 "));
}

/* Through the handler of the route, from an administrator whose session is of this kind. */
static inline struct exchange *ask_as(uint32_t kind, enum http_method method, const char *target, const char *body) {
    static struct http_request_head head;
    static struct exchange x;
    char allow[ALLOW_MAX];
    size_t path = strcspn(target, "?");
    const char *query = target[path] ? target + path + 1 : "";
    head = (struct http_request_head){.method = method, .path = {target, path}, .query = {query, strlen(query)}};
    x = (struct exchange){.connection = &client, .head = head, .body_done = true};
    x.session = (struct session){.user = "who switches it", .kind = kind, .rights = RIGHT_ALL};
    x.request = (struct request){.head = &x.head, .session = &x.session, .body = (const uint8_t *)body, .body_size = strlen(body)};
    assert_int_equal(route_find(&x.request, &x.route, allow), ROUTE_FOUND);
    x.route->handle(&x, &x.request);
    return &x;
}

static inline int call(enum http_method method, const char *target, const char *body, uint32_t kind) {
    return turn_ends(ask_as(kind, method, target, body), STORE_OK);
}

/* How many lines of the journal tell of this act. */
static inline uint64_t lines_of(const char *act) {
    char text[64];
    uint64_t found = 0;
    snprintf(text, sizeof text, "\"act\":\"%s\"", act);
    for (uint64_t n = journal_first_line(); n <= journal_last_line(); n++) {
        struct journal_line line;
        assert_int_equal(journal_read(n, &line), STORE_OK);
        found += memmem(line.text, line.size, text, strlen(text)) != NULL;
    }
    return found;
}

static inline int worker_fresh(void **state) {
    (void)state;
    fixture_new(&files, 4 * MIB);
    self.store = files.s;
    self.keys = files.keys;
    functions_load();
    return 0;
}
static int worker_done(void **state) {
    (void)state;
    fixture_end(&files);
    functions_forget();
    return 0;
}

static bool worker_start(void) {
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel) < 0 || dup2(channel[0], JAIL_CHANNEL) < 0) return false;
    supervisor = channel[1] == JAIL_CHANNEL ? channel[0] : channel[1];
    self.counters = &counters;
    self.base = event_base_new();
    client.out = evbuffer_new();
    client.held = evbuffer_new();
    strcpy(self.profile.host[0], "acme.example");
    return self.base && client.out && client.held && routes_start() && respond_start();
}
