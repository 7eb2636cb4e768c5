/* The web of a tenant, over real sockets: a thread runs the event loop as the worker does, the test is its client. */
#include "../../worker/functions.h"
#include "../../worker/provider/regions.h"
#include "../../worker/tenant.h"
#include "../../worker/web/confirmations.h"
#include "../../worker/web/exchange.h"
#include "../../worker/web/identity.h"
#include "../../worker/web/login.h"
#include "../../worker/web/rollback.h"
#include "../../worker/web/session.h"
#include "../../worker/web/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct tenant self;

/* ---- what stands behind the web here ---- */

static atomic_int dirty, commit_result, commits_made, releases;
static _Atomic uint64_t held_number;
static int dummy_store;

bool store_dirty(const struct store *s) { return s && dirty; }
bool store_pending(const struct store *s) { return store_dirty(s); }
uint64_t store_bytes(const struct store *s) {
    (void)s;
    return 4096;
}
enum store_result store_commit(struct store *s) {
    (void)s;
    dirty = 0;
    commits_made++;
    return (enum store_result)commit_result;
}

const struct session *session_authenticate(const struct request *r, enum session_refusal *why) {
    static struct session all = {.rights = RIGHT_ALL}, reader = {.rights = RIGHT_READ};
    const struct slice *a = http_header_find(r->head, "Authorization");
    *why = a ? SESSION_REFUSED : SESSION_ABSENT;
    if (a && slice_equals(*a, "Bearer all")) return &all;
    if (a && slice_equals(*a, "Bearer reader")) return &reader;
    if (a && slice_equals(*a, "Bearer foreign")) *why = SESSION_FOREIGN;
    if (a && slice_equals(*a, "Bearer busy")) *why = SESSION_BUSY;
    return NULL;
}

static atomic_bool off; /* every function */
bool function_on(enum function f) { return f != FUNCTION_NONE && !off; }

static atomic_bool ended; /* the session, while its request lasts */
bool session_lives(const struct session *session) { return session && !ended; }

static void hello(struct exchange *x, struct request *r) {
    (void)r;
    respond_bytes(x, 200, "text/plain", "hello", 5);
}
static void echo(struct exchange *x, struct request *r) { respond_bytes(x, 200, "application/octet-stream", r->body, r->body_size); }
static void variable(struct exchange *x, struct request *r) { respond_bytes(x, 200, "text/plain", r->segment[1].data, r->segment[1].size); }
static void record(struct exchange *x, struct request *r) {
    (void)r;
    dirty = 1;
    respond_bytes(x, 201, "text/plain", "written", 7);
}
static void later(struct exchange *x, struct request *r) {
    (void)r;
    held_number = exchange_hold(x);
}
static void silent(struct exchange *x, struct request *r) { (void)x, (void)r; }
static void split(struct exchange *x, struct request *r) {
    (void)r;
    respond_header(x, "X-Split", "a\r\nSet-Cookie: evil=1");
    respond_bytes(x, 200, "text/plain", "hello", 5);
}

/* A stream of n lines of 1000 bytes. */
static int more(void *argument, struct evbuffer *out) {
    int *left = argument;
    char line[1000];
    memset(line, 'a' + *left % 26, sizeof line);
    evbuffer_add(out, line, sizeof line);
    return --*left > 0;
}
static void released(void *argument) {
    releases++;
    free(argument);
}
static void flow(struct exchange *x, struct request *r) {
    char text[16];
    int *left = malloc(sizeof *left);
    *left = http_query_value(r->head->query, "n", text, sizeof text) == 1 ? atoi(text) : 1;
    respond_stream(x, 200, "text/plain", more, released, left);
}

/* Counts its body; stops at a '!'. */
static bool upload_piece(struct exchange *x, void *argument, const uint8_t *bytes, size_t size) {
    size_t *sum = argument;
    *sum += size;
    if (!memchr(bytes, '!', size)) return true;
    respond_problem(x, 422, "exclamation", "Not in this tone.", "body", *sum);
    return false;
}
static void upload_end(struct exchange *x, void *argument) {
    char text[32];
    int n = snprintf(text, sizeof text, "%zu", *(size_t *)argument);
    respond_bytes(x, 200, "text/plain", text, (size_t)n);
}
static atomic_int begun_uploads;
static void upload(struct exchange *x, struct request *r) {
    (void)r;
    begun_uploads++;
    exchange_body(x, upload_piece, upload_end, released, calloc(1, sizeof(size_t)));
}

const struct route account_routes[] = {
    {HTTP_GET, "/hello", 0, ROUTE_PUBLIC, hello},
    {HTTP_POST, "/echo", 0, ROUTE_PUBLIC, echo},
    {HTTP_PUT, "/echo", 0, ROUTE_PUBLIC, echo},
    {HTTP_GET, "/a/{}/b/{}", 0, ROUTE_PUBLIC, variable},
    {HTTP_GET, "/later", 0, ROUTE_PUBLIC, later},
    {HTTP_GET, "/silent", 0, ROUTE_PUBLIC, silent},
    {HTTP_GET, "/split", 0, ROUTE_PUBLIC, split},
    {HTTP_GET, "/flow", 0, ROUTE_PUBLIC, flow},
    {HTTP_POST, "/upload", 0, ROUTE_PUBLIC | ROUTE_STREAMED, upload},
    {HTTP_POST, "/public-record", 0, ROUTE_PUBLIC, record},
    {0},
};
const struct route witness_routes[] = {{0}}, journal_routes[] = {{0}}, rollback_routes[] = {{0}}, rotation_routes[] = {{0}},
                   function_routes[] = {{0}}, usage_routes[] = {{0}}, support_routes[] = {{0}}, confirmation_routes[] = {{0}},
                   document_routes[] = {{0}}, notice_routes[] = {{0}}, backup_routes[] = {{0}}, subject_routes[] = {{0}},
                   reference_routes[] = {{0}}, rule_routes[] = {{0}}, register_routes[] = {{0}}, leaving_routes[] = {{0}},
                   region_routes[] = {{0}};
enum store_result confirmation_spend(const struct request *r, enum function f) { return (void)r, (void)f, STORE_MISSING; }
void answer_failure(struct exchange *x, enum store_result result) { respond_problem(x, 500, "failed", "It failed.", NULL, result); }
bool rollback_admit(struct exchange *x) { return (void)x, true; }
bool regions_admit(struct exchange *x, uint32_t flags) { return (void)x, (void)flags, true; }
size_t rollback_field(const struct exchange *x, char out[ROLLBACK_FIELD]) { return (void)x, (void)out, 0; }
const struct route crm_routes[] = {
    {HTTP_GET, "/private", RIGHT_READ, 0, hello},
    {HTTP_POST, "/private", RIGHT_WRITE, 0, record},
    {HTTP_POST, "/private-echo", RIGHT_WRITE, 0, echo},
    {HTTP_POST, "/private-upload", RIGHT_WRITE, ROUTE_STREAMED, upload},
    {HTTP_GET, "/private-flow", RIGHT_READ, 0, flow},
    {HTTP_GET, "/private-later", RIGHT_READ, 0, later, FUNCTION_export},
    {HTTP_GET, "/export", RIGHT_READ, 0, flow, .function = FUNCTION_export},
    {HTTP_POST, "/import", RIGHT_WRITE, ROUTE_STREAMED, upload, .function = FUNCTION_import},
    {HTTP_POST, "/import-whole", RIGHT_WRITE, 0, echo, .function = FUNCTION_import},
    {0},
};

/* ---- the loop's thread ---- */

enum order { ORDER_ACCEPT, ORDER_ANSWER, ORDER_STOP, ORDER_DO };
struct command {
    enum order order;
    int fd;
    uint32_t kind;
    void (*run)(void);
};
static int orders[2];
static atomic_int drained;
static pthread_t loop;
static atomic_int turns;

static void on_drained(void *unused) {
    (void)unused;
    drained = 1;
}

static void on_order(evutil_socket_t fd, short what, void *stop) {
    (void)what;
    struct command c;
    struct exchange *x;
    assert_int_equal(read(fd, &c, sizeof c), sizeof c);
    switch (c.order) {
    case ORDER_ACCEPT:
        web_accept(c.fd, &(struct message_handover){.kind = c.kind});
        break;
    case ORDER_ANSWER:
        x = exchange_held(held_number);
        if (x) respond_bytes(x, 200, "text/plain", "at last", 7);
        break;
    case ORDER_STOP:
        *(bool *)stop = true;
        break;
    case ORDER_DO:
        c.run();
        break;
    }
    if (c.order != ORDER_ACCEPT) assert_int_equal(write(fd, "", 1), 1);
}

static void *run_loop(void *unused) {
    (void)unused;
    bool stop = false;
    struct event *e = event_new(self.base, orders[1], EV_READ | EV_PERSIST, on_order, &stop);
    event_add(e, NULL);
    while (!stop && event_base_loop(self.base, EVLOOP_ONCE) >= 0) {
        turns++;
        web_turn_end();
    }
    event_free(e);
    return NULL;
}

static void order(enum order what, int fd, uint32_t kind, void (*run)(void)) {
    struct command c = {what, fd, kind, run};
    char done;
    assert_int_equal(write(orders[0], &c, sizeof c), sizeof c);
    if (what != ORDER_ACCEPT) assert_int_equal(read(orders[0], &done, 1), 1);
}

/* ---- the client ---- */

static SSL_CTX *client_context;

struct client {
    int fd;
    SSL *ssl;
    char got[1 << 20];
    size_t size; /* bytes of got not yet looked at */
};

static void client_open(struct client *c, bool tls, const char *sni) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(evutil_make_socket_nonblocking(pair[1]), 0);
    c->fd = pair[0];
    c->size = 0;
    c->ssl = NULL;
    order(ORDER_ACCEPT, pair[1], tls ? HANDOVER_TLS : HANDOVER_PLAIN, NULL);
    if (!tls) return;
    c->ssl = SSL_new(client_context);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    if (sni) SSL_set_tlsext_host_name(c->ssl, sni);
}

static void client_close(struct client *c) {
    SSL_free(c->ssl);
    close(c->fd);
}

static void client_send(struct client *c, const char *bytes, size_t size) {
    if (c->ssl)
        assert_int_equal(SSL_write(c->ssl, bytes, (int)size), size);
    else
        assert_int_equal(send(c->fd, bytes, size, MSG_NOSIGNAL), size);
}
static void say(struct client *c, const char *text) { client_send(c, text, strlen(text)); }

/* More bytes. false: the server ended the connection. Fails when nothing comes for 5 s. */
static bool client_read(struct client *c) {
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (!c->ssl || !SSL_pending(c->ssl)) assert_int_equal(poll(&p, 1, 5000), 1);
    int n = c->ssl ? SSL_read(c->ssl, c->got + c->size, (int)(sizeof c->got - c->size))
                   : (int)read(c->fd, c->got + c->size, sizeof c->got - c->size);
    if (n <= 0) return false;
    c->size += (size_t)n;
    return true;
}

struct answer {
    int status;
    char head[4096];
    char body[1 << 19];
    size_t body_size;
};

static const char *field(const struct answer *a, const char *name) {
    static char value[256];
    char want[64];
    snprintf(want, sizeof want, "\r\n%s: ", name);
    const char *p = strstr(a->head, want);
    if (!p) return NULL;
    p += strlen(want);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(p, "\r"), p);
    return value;
}

static void take(struct client *c, size_t n) {
    memmove(c->got, c->got + n, c->size - n);
    c->size -= n;
}

static void need(struct client *c, size_t n) {
    while (c->size < n)
        assert_true(client_read(c));
}

static size_t line_end(struct client *c) {
    char *p;
    while (!(p = memmem(c->got, c->size, "\r\n", 2)))
        assert_true(client_read(c));
    return (size_t)(p - c->got);
}

/* Reads one answer. false: the connection ended instead. */
static bool hear(struct client *c, struct answer *a, bool head_only) {
    char *p;
    while (!(p = memmem(c->got, c->size, "\r\n\r\n", 4)))
        if (!client_read(c)) {
            assert_int_equal(c->size, 0);
            return false;
        }
    size_t head = (size_t)(p - c->got) + 4;
    assert_true(head < sizeof a->head);
    memcpy(a->head, c->got, head);
    a->head[head] = '\0';
    assert_int_equal(sscanf(a->head, "HTTP/1.1 %d", &a->status), 1);
    a->body_size = 0;
    take(c, head);
    const char *length = field(a, "Content-Length");
    if (length && !head_only) {
        a->body_size = (size_t)atol(length);
        need(c, a->body_size);
        memcpy(a->body, c->got, a->body_size);
        take(c, a->body_size);
    } else if (field(a, "Transfer-Encoding") && !head_only) {
        for (size_t chunk = 1; chunk;) {
            size_t line = line_end(c);
            chunk = strtoul(c->got, NULL, 16);
            take(c, line + 2);
            need(c, chunk + 2);
            assert_true(a->body_size + chunk <= sizeof a->body);
            memcpy(a->body + a->body_size, c->got, chunk);
            a->body_size += chunk;
            take(c, chunk + 2);
        }
    }
    return true;
}

static struct client client;
static struct answer answer;

static int one(bool tls, const char *request) {
    client_open(&client, tls, "acme.example");
    say(&client, request);
    assert_true(hear(&client, &answer, strncmp(request, "HEAD", 4) == 0));
    client_close(&client);
    return answer.status;
}

#define HOST "Host: acme.example\r\n"

/* ---- tests ---- */

static void simple_requests(void **state) {
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        assert_int_equal(one(tls, "GET /hello HTTP/1.1\r\n" HOST "\r\n"), 200);
        assert_memory_equal(answer.body, "hello", 5);
        assert_non_null(field(&answer, "Date"));
        assert_null(field(&answer, "Server"));
        assert_string_equal(field(&answer, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(field(&answer, "Cache-Control"), "no-store");
        assert_int_equal(one(tls, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n"), 200);
        assert_string_equal(field(&answer, "Content-Length"), "5");
        assert_int_equal(client.size, 0);
        assert_int_equal(one(tls, "GET /a/x%20y/b/z%C3%A9 HTTP/1.1\r\n" HOST "\r\n"), 200);
        assert_memory_equal(answer.body, "z\xc3\xa9", 3);
        assert_int_equal(one(tls, "GET https://acme.example/hello HTTP/1.1\r\n" HOST "\r\n"), 200);
        assert_int_equal(one(tls, "GET /hello HTTP/1.1\r\nHost: ACME.example:8443\r\n\r\n"), 200);
    }
}

static void statuses(void **state) {
    (void)state;
    assert_int_equal(one(true, "GET /nothing HTTP/1.1\r\n" HOST "\r\n"), 404);
    assert_string_equal(field(&answer, "Content-Type"), "application/problem+json");
    assert_int_equal(one(true, "DELETE /echo HTTP/1.1\r\n" HOST "\r\n"), 405);
    assert_string_equal(field(&answer, "Allow"), "POST, PUT, OPTIONS");
    assert_int_equal(one(true, "OPTIONS /hello HTTP/1.1\r\n" HOST "\r\n"), 204);
    assert_string_equal(field(&answer, "Allow"), "GET, HEAD, OPTIONS");
    assert_null(field(&answer, "Content-Length"));
    assert_int_equal(one(true, "BREW /hello HTTP/1.1\r\n" HOST "\r\n"), 501);
    assert_int_equal(one(true, "GET /a/%00/b/c HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(one(true, "GET /a/x%2fy/b/c HTTP/1.1\r\n" HOST "\r\n"), 400);
    assert_int_equal(one(true, "GET /silent HTTP/1.1\r\n" HOST "\r\n"), 500);
    assert_int_equal(one(true, "GET /split HTTP/1.1\r\n" HOST "\r\n"), 500);
    assert_null(strstr(answer.head, "evil"));
    assert_int_equal(one(true, "GET /api/v1/health HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_memory_equal(answer.body, "{\"state\":\"sealed\"}", 18);
    assert_int_equal(one(true, "POST /echo HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n"), 417);
    assert_int_equal(one(true, "GET /api/v1/health HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"), 400);
}

static void who_may(void **state) {
    (void)state;
    assert_int_equal(one(true, "GET /private HTTP/1.1\r\n" HOST "\r\n"), 503); /* sealed */
    assert_non_null(strstr(answer.body, "\"sealed\""));
    self.keys = (struct keyring *)&dummy_store;
    assert_int_equal(one(true, "GET /private HTTP/1.1\r\n" HOST "\r\n"), 401);
    assert_non_null(field(&answer, "WWW-Authenticate"));
    assert_int_equal(one(true, "GET /private HTTP/1.1\r\n" HOST "Authorization: Bearer wrong\r\n\r\n"), 401);
    assert_int_equal(one(true, "GET /private HTTP/1.1\r\n" HOST "Authorization: Bearer reader\r\n\r\n"), 200);
    assert_int_equal(one(true, "POST /private HTTP/1.1\r\n" HOST "Authorization: Bearer reader\r\n\r\n"), 403);
    assert_int_equal(one(true, "POST /private HTTP/1.1\r\n" HOST "Authorization: Bearer foreign\r\n\r\n"), 403);
    assert_int_equal(one(true, "POST /private HTTP/1.1\r\n" HOST "Authorization: Bearer busy\r\n\r\n"), 503);
    assert_int_equal(one(true, "POST /private HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\n\r\n"), 201);
    self.keys = NULL;
}

static void pages_are_strict(void **state) {
    (void)state;
    assert_int_equal(one(true, "GET / HTTP/1.1\r\n" HOST "\r\n"), 200);
    const char *policy = strstr(answer.head, "Content-Security-Policy: default-src 'none'; script-src 'self';");
    assert_non_null(policy);
    assert_null(strstr(answer.head, "unsafe-inline"));
    assert_non_null(strstr(answer.head, "frame-ancestors 'none'"));
    assert_non_null(field(&answer, "Strict-Transport-Security"));
    answer.body[answer.body_size] = '\0';
    char *link = strstr(answer.body, "/app.js?v="), request[512];
    assert_non_null(link);
    snprintf(request, sizeof request, "GET %.26s HTTP/1.1\r\n" HOST "\r\n", link);
    assert_int_equal(one(true, request), 200);
    assert_non_null(strstr(field(&answer, "Cache-Control"), "immutable"));
    assert_int_equal(one(true, "GET /app.js HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_string_equal(field(&answer, "Cache-Control"), "no-cache");
    snprintf(request, sizeof request, "GET /app.js HTTP/1.1\r\n" HOST "If-None-Match: %s\r\n\r\n", field(&answer, "ETag"));
    assert_int_equal(one(true, request), 304);
    assert_int_equal(one(true, "GET /api/v1/openapi.json HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_int_equal(one(true, "GET /../etc/passwd HTTP/1.1\r\n" HOST "\r\n"), 404);
}

static void foreign_hosts(void **state) {
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        assert_int_equal(one(tls, "GET /hello HTTP/1.1\r\nHost: bois.example\r\n\r\n"), 421);
        assert_string_equal(field(&answer, "Connection"), "close");
        assert_int_equal(one(tls, "GET /hello HTTP/1.1\r\nHost: acme.example.\r\n\r\n"), 421);
    }
    /* ours, but not the name of this TLS connection */
    assert_int_equal(one(true, "GET /hello HTTP/1.1\r\nHost: www.acme.example\r\n\r\n"), 421);
    assert_int_equal(one(false, "GET /hello HTTP/1.1\r\nHost: www.acme.example\r\n\r\n"), 200);
    /* a connection used for its own tenant, then for another */
    client_open(&client, true, "acme.example");
    say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\nHost: bois.example\r\n\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 421);
    assert_false(hear(&client, &answer, false));
    client_close(&client);
}

static void foreign_names(void **state) {
    (void)state;
    const char *const names[] = {"bois.example", NULL};
    for (int i = 0; i < 2; i++) {
        client_open(&client, true, names[i]);
        assert_int_not_equal(SSL_connect(client.ssl), 1);
        client_close(&client);
    }
    client_open(&client, true, "acme.example");
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x02h2", 3);
    assert_int_not_equal(SSL_connect(client.ssl), 1);
    client_close(&client);
    client_open(&client, true, "acme.example");
    SSL_set_max_proto_version(client.ssl, TLS1_1_VERSION);
    assert_int_not_equal(SSL_connect(client.ssl), 1);
    client_close(&client);
    client_open(&client, true, "www.acme.example");
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    SSL_set_max_proto_version(client.ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_connect(client.ssl), 1);
    assert_int_equal(SSL_renegotiate(client.ssl), 1);
    assert_int_not_equal(SSL_do_handshake(client.ssl), 1); /* no renegotiation */
    client_close(&client);
    ERR_clear_error();
}

static void keeps_order(void **state) {
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        client_open(&client, tls, "acme.example");
        char all[20000] = "";
        for (int i = 0; i < 100; i++)
            sprintf(all + strlen(all), "GET /a/x/b/%d HTTP/1.1\r\n" HOST "\r\n", i);
        say(&client, all);
        for (int i = 0; i < 100; i++) {
            char want[8];
            sprintf(want, "%d", i);
            assert_true(hear(&client, &answer, false));
            assert_int_equal(answer.body_size, strlen(want));
            assert_memory_equal(answer.body, want, strlen(want));
        }
        client_close(&client);
    }
}

static void byte_by_byte(void **state) {
    (void)state;
    static const char request[] =
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nT: v\r\n\r\n"
        "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    for (int tls = 0; tls < 2; tls++) {
        client_open(&client, tls, "acme.example");
        for (size_t i = 0; i < sizeof request - 1; i++)
            client_send(&client, request + i, 1);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.body_size, 6);
        assert_memory_equal(answer.body, "hello!", 6);
        assert_true(hear(&client, &answer, false));
        assert_memory_equal(answer.body, "abc", 3);
        client_close(&client);
    }
}

static void continues(void **state) {
    (void)state;
    client_open(&client, true, "acme.example");
    say(&client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_true(hear(&client, &answer, true));
    assert_int_equal(answer.status, 100);
    say(&client, "body");
    assert_true(hear(&client, &answer, false));
    assert_memory_equal(answer.body, "body", 4);
    /* refused before the body: no 100, and the connection ends */
    say(&client, "POST /nothing HTTP/1.1\r\n" HOST "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 404);
    assert_false(hear(&client, &answer, false));
    client_close(&client);
}

static void bodies(void **state) {
    (void)state;
    static char big[REQUEST_BODY_MAX + 1], head[256];
    memset(big, 'x', sizeof big);
    for (int tls = 0; tls < 2; tls++) {
        client_open(&client, tls, "acme.example");
        size_t size = 300000;
        snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", size);
        say(&client, head);
        client_send(&client, big, size);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.body_size, size);
        assert_memory_equal(answer.body, big, size);
        /* a short body that nobody wanted is dropped, the connection goes on */
        say(&client, "POST /nothing HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nGET /hGET /hello HTTP/1.1\r\n" HOST "\r\n");
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, 404);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, 200);
        /* too large: refused at the head */
        snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", REQUEST_BODY_MAX + 1);
        say(&client, head);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, 413);
        assert_false(hear(&client, &answer, false));
        client_close(&client);
    }
    /* a head at the very end of the input buffer, its body behind */
    client_open(&client, false, NULL);
    char *p = big;
    for (int i = 0; i < 300; i++)
        p += sprintf(p, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    p += sprintf(p, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 30000\r\n\r\n");
    memset(p, 'q', 30000);
    client_send(&client, big, (size_t)(p - big) + 30000);
    for (int i = 0; i < 300; i++)
        assert_true(hear(&client, &answer, false) && answer.status == 200);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.body_size, 30000);
    assert_memory_equal(answer.body, p, 30000);
    client_close(&client);
}

static void chunked_body_too_large(void **state) {
    (void)state;
    static char chunk[0x10000 + 16];
    client_open(&client, false, NULL);
    say(&client, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "10000\r\n", 7);
    memcpy(chunk + 7 + 0x10000, "\r\n", 2);
    for (int i = 0; i < 17; i++)
        if (send(client.fd, chunk, 0x10000 + 9, MSG_NOSIGNAL) < 0) break;
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 413);
    assert_false(hear(&client, &answer, false));
    client_close(&client);
}

static void uploads(void **state) {
    (void)state;
    static char piece[10000];
    memset(piece, 'x', sizeof piece);
    releases = 0;
    client_open(&client, true, "acme.example");
    say(&client, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    for (int i = 0; i < 300; i++)
        client_send(&client, piece, sizeof piece);
    assert_true(hear(&client, &answer, false));
    assert_memory_equal(answer.body, "3000000", 7);
    say(&client, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    assert_true(hear(&client, &answer, false));
    assert_memory_equal(answer.body, "0", 1);
    say(&client, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nab!def");
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 422);
    say(&client, "POST /upload HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_int_equal(releases, 3);
    client_close(&client); /* in the middle of a body */
    for (int i = 0; i < 100 && releases < 4; i++)
        usleep(10000);
    assert_int_equal(releases, 4);
}

static void streams(void **state) {
    (void)state;
    releases = 0;
    for (int tls = 0; tls < 2; tls++) {
        client_open(&client, tls, "acme.example");
        say(&client, "GET /flow?n=400 HTTP/1.1\r\n" HOST "\r\nHEAD /flow?n=9 HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.body_size, 400000);
        assert_int_equal(answer.body[399999], 'a' + 1);
        assert_true(hear(&client, &answer, true));
        assert_true(hear(&client, &answer, false));
        assert_memory_equal(answer.body, "hello", 5);
        client_close(&client);
    }
    assert_int_equal(releases, 4);
    /* a client that reads nothing holds back its stream, and its end gives it back */
    client_open(&client, false, NULL);
    say(&client, "GET /flow?n=100000 HTTP/1.1\r\n" HOST "\r\n");
    usleep(50000);
    assert_int_equal(releases, 4);
    client_close(&client);
    for (int i = 0; i < 100 && releases < 5; i++)
        usleep(10000);
    assert_int_equal(releases, 5);
}

/* Somebody is removed while their request lasts: the rest of it does nothing, and gives nothing. */
static void sessions_end_meanwhile(void **state) {
    (void)state;
    static const char *const begun[] = {
        "POST /private-echo HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\nContent-Length: 6\r\n\r\nabc",
        "POST /private-upload HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\nContent-Length: 6\r\n\r\nabc",
    };
    releases = 0;
    self.keys = (struct keyring *)&dummy_store;
    for (int removed = 0; removed < 2; removed++)
        for (int i = 0; i < 2; i++) {
            client_open(&client, true, "acme.example");
            say(&client, begun[i]);
            usleep(50000); /* the session was looked at */
            ended = removed;
            say(&client, "def");
            assert_true(hear(&client, &answer, false));
            assert_int_equal(answer.status, removed ? 401 : 200);
            client_close(&client);
            ended = false;
        }
    for (int i = 0; i < 100 && releases < 2; i++)
        usleep(10000);
    assert_int_equal(releases, 2);
    client_open(&client, false, NULL);
    say(&client, "GET /private-flow?n=100000 HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\n\r\n");
    usleep(50000); /* it fills what may wait for a client that does not read */
    ended = true;
    for (int i = 0; i < 2000 && releases < 3; i++)
        if (!client_read(&client)) break;
    for (int i = 0; i < 100 && releases < 3; i++)
        usleep(10000);
    assert_int_equal(releases, 3);
    client_close(&client);
    ended = false;
    self.keys = NULL;
}

/* What a function that is off would do is refused, and what is under way when it is switched off ends (C4). */
static void functions_are_switched_off_meanwhile(void **state) {
    (void)state;
    static const char *const begun[] = {
        "POST /import-whole HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\nContent-Length: 6\r\n\r\nabc",
        "POST /import HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\nContent-Length: 6\r\n\r\nabc",
    };
    int uploads_before = begun_uploads;
    static const char flowing[] = "GET /export?n=100000 HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\n\r\n";
    releases = 0;
    self.keys = (struct keyring *)&dummy_store;
    for (int before = 0; before < 2; before++)
        for (int i = 0; i < 2; i++) {
            client_open(&client, true, "acme.example");
            off = before;
            say(&client, begun[i]);
            usleep(50000); /* its head was looked at */
            off = true;
            say(&client, "def");
            assert_true(hear(&client, &answer, false));
            assert_int_equal(answer.status, 403);
            assert_non_null(strstr(answer.body, "\"type\":\"function-off\""));
            assert_non_null(strstr(answer.body, "\"function\":\"import\""));
            client_close(&client);
            off = false;
        }
    for (int i = 0; i < 100 && releases < 1; i++)
        usleep(10000);
    assert_int_equal(releases, 1);
    assert_int_equal(begun_uploads - uploads_before, 1); /* the one that began while it was on */
    client_open(&client, true, "acme.example");
    say(&client, flowing);
    usleep(50000); /* it fills what may wait for a client that does not read */
    off = true;
    for (int i = 0; i < 2000 && releases < 2; i++)
        if (!client_read(&client)) break;
    for (int i = 0; i < 100 && releases < 2; i++)
        usleep(10000);
    assert_int_equal(releases, 2);
    client_close(&client);
    client_open(&client, true, "acme.example");
    say(&client, flowing);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 403);
    say(&client, "GET /private HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\n\r\n");
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 200); /* what is of no function goes on */
    client_close(&client);
    /* What came by the proxy that ends TLS: nothing any more, public or not, and the connection ends. */
    client_open(&client, false, NULL);
    say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 403);
    assert_non_null(strstr(answer.body, "\"function\":\"plain_socket\""));
    client_close(&client);
    off = false;
    self.keys = NULL;
}

static void answers_later(void **state) {
    (void)state;
    client_open(&client, true, "acme.example");
    held_number = 0;
    say(&client, "GET /later HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n");
    while (!held_number)
        usleep(1000);
    usleep(10000);
    order(ORDER_ANSWER, -1, 0, NULL);
    assert_true(hear(&client, &answer, false));
    assert_memory_equal(answer.body, "at last", 7);
    assert_true(hear(&client, &answer, false));
    assert_memory_equal(answer.body, "hello", 5);
    order(ORDER_ANSWER, -1, 0, NULL); /* a second answer finds nobody */
    client_close(&client);
}

/* C2: what is answered later asks again, at that moment, whether the session and the function still are */
static void an_answer_that_comes_too_late_is_none(void **state) {
    (void)state;
    self.keys = (struct keyring *)&dummy_store;
    for (int why = 0; why < 3; why++) {
        client_open(&client, true, "acme.example");
        held_number = 0;
        say(&client, "GET /private-later HTTP/1.1\r\n" HOST "Authorization: Bearer all\r\n\r\n");
        while (!held_number)
            usleep(1000);
        ended = why == 1;
        off = why == 2;
        order(ORDER_ANSWER, -1, 0, NULL);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, why == 0 ? 200 : why == 1 ? 401 : 403);
        ended = off = false;
        client_close(&client);
    }
    self.keys = NULL;
}

static void writes_wait_for_the_commit(void **state) {
    (void)state;
    static const char both[] =
        "GET /hello HTTP/1.1\r\n" HOST "\r\nPOST /public-record HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"
        "HEAD /hello HTTP/1.1\r\n" HOST "\r\nGET /flow?n=3 HTTP/1.1\r\n" HOST "\r\n";
    static const struct {
        int result, wrote, read;
    } cases[] = {{STORE_OK, 201, 200}, {STORE_FULL, 507, 503}, {STORE_IO, 500, 503}, {STORE_MEMORY, 503, 503}, {STORE_OK, 201, 200}};
    dirty = 0;
    self.store = (struct store *)&dummy_store;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int before = commits_made;
        commit_result = cases[i].result;
        releases = 0;
        client_open(&client, true, "acme.example");
        say(&client, both);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, 200); /* before the write, in the same turn */
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, cases[i].wrote);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, cases[i].read);
        assert_true(hear(&client, &answer, true));
        assert_int_equal(answer.status, cases[i].read);
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, cases[i].read);
        if (cases[i].read == 200) assert_int_equal(answer.body_size, 3000);
        assert_int_equal(commits_made, before + 1);
        commit_result = STORE_OK;
        say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        assert_true(hear(&client, &answer, false));
        assert_int_equal(answer.status, 200);
        assert_int_equal(releases, 1);
        client_close(&client);
    }
    /* more than may be held on one connection */
    char all[16000] = "";
    for (int i = 0; i < 40; i++)
        strcat(all, "POST /public-record HTTP/1.1\r\n" HOST "\r\n");
    client_open(&client, false, NULL);
    say(&client, all);
    for (int i = 0; i < 40; i++)
        assert_true(hear(&client, &answer, false) && answer.status == 201);
    client_close(&client);
    self.store = NULL;
}

/* Each is answered with this status and the connection ends, or it ends at once (0); what stands behind is never executed. */
static void smuggling(void **state) {
    (void)state;
    static const struct {
        const char *head;
        int status;
    } bad[] = {
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0, 5\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding:\x0b"
         "chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n 0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\n\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\n" HOST "\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: acme.example\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: acme.example, bois.example\r\n\r\n", 400},
        {"GET http://bois.example/hello HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://u@acme.example/hello HTTP/1.1\r\n" HOST "\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT acme.example:443 HTTP/1.1\r\n" HOST "\r\n", 501},
        {"GET /hello HTTP/1.0\r\n" HOST "\r\n", 505},
        {"GET /hello\r\n" HOST "\r\n", 400},
        {"GET  /hello HTTP/1.1\r\n" HOST "\r\n", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    };
    for (int tls = 0; tls < 2; tls++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            client_open(&client, tls, "acme.example");
            say(&client, bad[i].head);
            say(&client, "GET /a/smuggled/b/smuggled HTTP/1.1\r\n" HOST "\r\n");
            assert_true(hear(&client, &answer, false));
            if (answer.status != bad[i].status) print_error("row %zu: %d\n", i, answer.status);
            assert_int_equal(answer.status, bad[i].status);
            assert_string_equal(field(&answer, "Connection"), "close");
            answer.body[answer.body_size] = '\0';
            assert_null(strstr(answer.body, "smuggled"));
            assert_false(hear(&client, &answer, false));
            client_close(&client);
        }
    }
    static const char nul[] = "GET /hello HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
    client_open(&client, false, NULL);
    client_send(&client, nul, sizeof nul - 1);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 400);
    client_close(&client);
}

static void endless_heads(void **state) {
    (void)state;
    static char line[1 << 16];
    memset(line, 'a', sizeof line);
    memcpy(line, "X: ", 3);
    client_open(&client, false, NULL);
    say(&client, "GET /hello HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 64; i++)
        if (send(client.fd, line, sizeof line, MSG_NOSIGNAL) < 0) break;
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 431);
    client_close(&client);
    client_open(&client, false, NULL);
    memcpy(line, "GET /", 5);
    client_send(&client, line, 20000);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 414);
    client_close(&client);
}

/* The beginning of a TLS record makes the loop wait, not spin. */
static void half_a_record(void **state) {
    (void)state;
    char record[512];
    client_open(&client, true, "acme.example");
    assert_int_equal(SSL_connect(client.ssl), 1);
    BIO *wire = BIO_new(BIO_s_mem());
    SSL_set0_wbio(client.ssl, wire);
    say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    int size = BIO_read(wire, record, sizeof record);
    assert_true(size > 40);
    for (int part = 3; part > 0; part--) {
        assert_int_equal(write(client.fd, record, (size_t)size / 4), size / 4);
        memmove(record, record + size / 4, sizeof record - (size_t)size / 4);
        usleep(10000);
        int before = turns;
        usleep(50000);
        assert_true(turns - before < 10);
    }
    assert_int_equal(write(client.fd, record, (size_t)(size - size / 4 * 3)), size - size / 4 * 3);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    client_close(&client);
}

static void half_closed(void **state) {
    (void)state;
    client_open(&client, false, NULL);
    say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    shutdown(client.fd, SHUT_WR);
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_false(hear(&client, &answer, false));
    client_close(&client);
    client_open(&client, false, NULL);
    say(&client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nshort");
    shutdown(client.fd, SHUT_WR);
    assert_false(hear(&client, &answer, false));
    client_close(&client);
    client_open(&client, false, NULL);
    say(&client, "GET /hello HTTP/1.1\r\n" HOST "Connection: keep-alive, Close\r\n\r\n");
    assert_true(hear(&client, &answer, false));
    assert_string_equal(field(&answer, "Connection"), "close");
    assert_false(hear(&client, &answer, false));
    client_close(&client);
}

static void wait_for_connections(size_t n) {
    for (int i = 0; i < 300 && web_connections() != n; i++)
        usleep(10000);
    assert_int_equal(web_connections(), n);
}

/* At the ceiling the connection that has been idle longest makes room. */
static void ceiling(void **state) {
    (void)state;
    static struct client many[5];
    wait_for_connections(0);
    self.profile.connections = 4;
    for (int i = 0; i < 4; i++) {
        client_open(&many[i], false, NULL);
        say(&many[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        assert_true(hear(&many[i], &answer, false));
    }
    say(&many[0], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&many[0], &answer, false));
    client_open(&many[4], false, NULL);
    say(&many[4], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&many[4], &answer, false));
    assert_false(hear(&many[1], &answer, false));
    say(&many[0], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&many[0], &answer, false));
    for (int i = 0; i < 5; i++)
        client_close(&many[i]);
    self.profile.connections = 100;
}

static uint64_t counter(enum counter c) { return atomic_load(&self.counters->value[c]); }

static void counts(void **state) {
    (void)state;
    wait_for_connections(0);
    uint64_t ok = counter(COUNTER_requests_2xx), bad = counter(COUNTER_requests_4xx), in = counter(COUNTER_bytes_in),
             all = counter(COUNTER_latency_inf), failed = counter(COUNTER_handshake_failures);
    one(true, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    one(true, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
    client_open(&client, true, "acme.example");
    assert_int_equal(write(client.fd, "not a handshake, not at all\n", 28), 28);
    assert_false(client_read(&client) && client_read(&client));
    client_close(&client);
    wait_for_connections(0);
    assert_int_equal(counter(COUNTER_requests_2xx), ok + 1);
    assert_int_equal(counter(COUNTER_requests_4xx), bad + 1);
    assert_int_equal(counter(COUNTER_latency_inf), all + 2);
    assert_int_equal(counter(COUNTER_handshake_failures), failed + 1);
    assert_true(counter(COUNTER_bytes_in) > in);
    assert_int_equal(counter(COUNTER_inflight), 0);
    assert_int_equal(counter(COUNTER_connections), 0);
    assert_true(counter(COUNTER_last_activity) > 0);
}

/* ---- the certificate ---- */

static char installed_pem[8192];
static enum chain_result installed_result;

static void install(void) { installed_result = identity_install(installed_pem, strlen(installed_pem)); }

static EVP_PKEY *served_key(void) {
    client_open(&client, true, "acme.example");
    assert_int_equal(SSL_connect(client.ssl), 1);
    X509 *x = SSL_get1_peer_certificate(client.ssl);
    EVP_PKEY *key = X509_get_pubkey(x);
    X509_free(x);
    client_close(&client);
    return key;
}

/* A leaf of a CA of our own for these hosts and this key. */
static void issue(EVP_PKEY *key, const char *hosts, long from, long to) {
    EVP_PKEY *ca = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), to);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"Test CA", -1, -1, 0);
    X509_set_pubkey(x, key);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, hosts);
    X509_add_ext(x, san, -1);
    X509_EXTENSION_free(san);
    assert_true(X509_sign(x, ca, EVP_sha256()) > 0);
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    int n = BIO_read(out, installed_pem, sizeof installed_pem - 1);
    installed_pem[n] = '\0';
    BIO_free(out);
    X509_free(x);
    EVP_PKEY_free(ca);
}

static enum chain_result try_install(void) {
    order(ORDER_DO, -1, 0, install);
    return installed_result;
}

static void chains(void **state) {
    (void)state;
    static const char all_hosts[] = "DNS:acme.example,DNS:www.acme.example";
    static struct client old;
    EVP_PKEY *key = served_key(), *other = EVP_EC_gen("P-256");
    client_open(&old, true, "acme.example");
    say(&old, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&old, &answer, false));
    strcpy(installed_pem, "nonsense");
    assert_int_equal(try_install(), CHAIN_UNREADABLE);
    issue(other, all_hosts, -60, 3600);
    assert_int_equal(try_install(), CHAIN_WRONG_KEY);
    issue(key, "DNS:acme.example", -60, 3600);
    assert_int_equal(try_install(), CHAIN_WRONG_HOSTS);
    issue(key, all_hosts, -7200, -3600);
    assert_int_equal(try_install(), CHAIN_NOT_VALID_NOW);
    assert_int_equal(counter(COUNTER_cert_expires), 0);
    issue(key, all_hosts, -60, 3600);
    strcat(installed_pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert_int_equal(try_install(), CHAIN_UNREADABLE);
    issue(key, all_hosts, -60, 3600);
    assert_int_equal(try_install(), CHAIN_INSTALLED);
    assert_true(counter(COUNTER_cert_expires) > 1700000000);
    /* the old connection goes on, new ones get the new chain */
    say(&old, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&old, &answer, false));
    client_close(&old);
    client_open(&client, true, "acme.example");
    assert_int_equal(SSL_connect(client.ssl), 1);
    X509 *x = SSL_get1_peer_certificate(client.ssl);
    assert_int_equal(ASN1_INTEGER_get(X509_get_serialNumber(x)), 7);
    X509_free(x);
    client_close(&client);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static uint8_t csr[CSR_MAX];
static size_t csr_size;
static void ask_csr(void) { csr_size = identity_csr(csr, sizeof csr); }

static void requests_a_certificate(void **state) {
    (void)state;
    order(ORDER_DO, -1, 0, ask_csr);
    const unsigned char *p = csr;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)csr_size);
    assert_non_null(r);
    EVP_PKEY *key = X509_REQ_get_pubkey(r), *served = served_key();
    assert_int_equal(X509_REQ_verify(r, key), 1);
    assert_int_equal(EVP_PKEY_eq(key, served), 1);
    EVP_PKEY_free(key);
    EVP_PKEY_free(served);
    X509_REQ_free(r);
}

static void tickets_resume(void **state) {
    (void)state;
    client_open(&client, true, "acme.example");
    say(&client, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&client, &answer, false));
    SSL_SESSION *s = SSL_get1_session(client.ssl);
    SSL_shutdown(client.ssl); /* without it the session would not be taken up again */
    client_close(&client);
    client_open(&client, true, "acme.example");
    SSL_set_session(client.ssl, s);
    assert_int_equal(SSL_connect(client.ssl), 1);
    assert_int_equal(SSL_session_reused(client.ssl), 1);
    say(&client, "GET /hello HTTP/1.1\r\nHost: www.acme.example\r\n\r\n");
    assert_true(hear(&client, &answer, false));
    assert_int_equal(answer.status, 421); /* resumed, and still bound to its name */
    SSL_SESSION_free(s);
    client_close(&client);
}

static const char *asked_before;
static struct client asking;
static size_t left_open;

/* In the loop's thread: the request lies in the socket unread when the drain begins. */
static void ask_and_drain(void) {
    say(&asking, asked_before);
    web_drain(on_drained, NULL);
}
static void count_open(void) { left_open = connections_open(); }

/* Last: there is no way back from it. */
static void drains(void **state) {
    (void)state;
    static struct client idle, working;
    client_open(&idle, true, "acme.example");
    say(&idle, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_true(hear(&idle, &answer, false));
    client_open(&asking, true, "acme.example");
    asked_before = "GET /hello HTTP/1.1\r\n" HOST "\r\n";
    say(&asking, asked_before);
    assert_true(hear(&asking, &answer, false));
    client_open(&working, true, "acme.example");
    held_number = 0;
    say(&working, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    while (!held_number)
        usleep(1000);
    order(ORDER_DO, -1, 0, ask_and_drain);
    assert_true(hear(&asking, &answer, false));
    assert_string_equal(field(&answer, "Connection"), "close");
    assert_false(hear(&asking, &answer, false));
    assert_false(hear(&idle, &answer, false));
    order(ORDER_DO, -1, 0, count_open);
    assert_int_equal(left_open,
                     2); /* `working`, and `asking`, which has had a last answer; `idle` is gone although its client has not closed */
    client_close(&asking);
    client_close(&idle);
    assert_int_equal(drained, 0);
    order(ORDER_ANSWER, -1, 0, NULL);
    assert_true(hear(&working, &answer, false));
    assert_string_equal(field(&answer, "Connection"), "close");
    assert_false(hear(&working, &answer, false));
    client_close(&working);
    for (int i = 0; i < 300 && !drained; i++)
        usleep(10000);
    assert_int_equal(drained, 1);
}

static int start(void **state) {
    (void)state;
    self.counters = calloc(1, sizeof *self.counters);
    self.profile.connections = 100;
    self.profile.host_count = 2;
    strcpy(self.profile.host[0], "acme.example");
    strcpy(self.profile.host[1], "www.acme.example");
    self.base = event_base_new();
    assert_int_equal(identity_open(memfd_create("identity", 0)), 0);
    assert_int_equal(web_start(), 0);
    assert_int_equal(identity_begin(), 0);
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(client_context, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, orders), 0);
    return pthread_create(&loop, NULL, run_loop, NULL);
}

static int stop(void **state) {
    (void)state;
    order(ORDER_STOP, -1, 0, NULL);
    pthread_join(loop, NULL);
    SSL_CTX_free(client_context);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_requests),
        cmocka_unit_test(statuses),
        cmocka_unit_test(who_may),
        cmocka_unit_test(pages_are_strict),
        cmocka_unit_test(foreign_hosts),
        cmocka_unit_test(foreign_names),
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(continues),
        cmocka_unit_test(bodies),
        cmocka_unit_test(chunked_body_too_large),
        cmocka_unit_test(uploads),
        cmocka_unit_test(streams),
        cmocka_unit_test(sessions_end_meanwhile),
        cmocka_unit_test(functions_are_switched_off_meanwhile),
        cmocka_unit_test(answers_later),
        cmocka_unit_test(an_answer_that_comes_too_late_is_none),
        cmocka_unit_test(writes_wait_for_the_commit),
        cmocka_unit_test(smuggling),
        cmocka_unit_test(endless_heads),
        cmocka_unit_test(half_a_record),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(ceiling),
        cmocka_unit_test(counts),
        cmocka_unit_test(requests_a_certificate),
        cmocka_unit_test(chains),
        cmocka_unit_test(tickets_resume),
        cmocka_unit_test(drains),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
