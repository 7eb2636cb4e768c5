/*
 * The account routes over the real capsule and store, with the connection and the supervisor played here. For one program each: it holds
 * what it plays.
 */
#pragma once

#include "../../policy/enrol_code.h"
#include "../../worker/functions.h"
#include "../../worker/journal/journal.h"
#include "../../worker/keys/credential.h"
#include "../../worker/kit_keeper.h"
#include "../../worker/memory/arena.h"
#include "../../worker/rotation/rotation.h"
#include "../../worker/tenant.h"
#include "../../worker/uplink.h"
#include "../../worker/web/account.h"
#include "../../worker/web/lockout.h"
#include "../../worker/web/login_text.h"
#include "../../worker/web/session.h"
#include "../../worker/web/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct tenant self;
static struct counter_page counters;
static char dir[] = "/tmp/account-test-XXXXXX";
static const char code[] = "ABCDE-FGHJK-MNPQR-STVWX", password[] = "correct horse battery";

/* ---- what web/ and uplink do, played ---- */

struct exchange {
    int status; /* 0 = not answered */
    char type[64];
    json_t *body;
    char cookie[256], retry[16];
    bool seen;
};
static struct exchange now;
static uint8_t source[16]; /* where requests come from; zero = the plain socket */
static bool client_gone, permits = true, disk_full;
static void (*permit)(void *); /* asked for last */
static int enrolled_told, plain_told = -1, asked, done, rotations_asked;

void respond_json(struct exchange *x, int status, json_t *body) {
    assert_int_equal(x->status, 0);
    x->status = status;
    x->body = body;
}
void respond_empty(struct exchange *x, int status) {
    assert_int_equal(x->status, 0);
    x->status = status;
}
void respond_problem(struct exchange *x, int status, const char *type, const char *detail, const char *field, unsigned long line) {
    (void)field, (void)line;
    assert_int_equal(x->status, 0);
    assert_non_null(detail);
    x->status = status;
    snprintf(x->type, sizeof x->type, "%s", type);
}
void respond_header(struct exchange *x, const char *name, const char *value) {
    if (strcmp(name, "Retry-After") == 0)
        snprintf(x->retry, sizeof x->retry, "%s", value);
    else
        snprintf(x->cookie, sizeof x->cookie, "%s", value);
}
void session_seen(struct exchange *x) { x->seen = true; }
uint64_t exchange_hold(struct exchange *x) {
    assert_ptr_equal(x, &now);
    return 7;
}
struct exchange *exchange_held(uint64_t number) {
    assert_int_equal(number, 7);
    return client_gone ? NULL : &now;
}
enum store_result exchange_commit(void) {
    if (!disk_full) return store_commit(self.store);
    store_abort(self.store);
    return STORE_FULL;
}
/* A supervisor that knows of the enrolment never takes another: what the tenant opens on must be there by then. */
void uplink_enrolled(void) {
    assert_true(store_commits(self.store) > 0 && store_count(self.store, STORE_USERS) > 0 && !store_dirty(self.store));
    enrolled_told++;
}
void uplink_plain(bool wanted) { plain_told = wanted; }
void uplink_references(uint64_t bits) { (void)bits; }
void uplink_regions(uint64_t bits) { (void)bits; }
void uplink_plan(uint64_t packed) { (void)packed; }
void uplink_backup(enum backup_kind kind) { (void)kind; }
void uplink_want_permit(void (*granted)(void *), void *argument) {
    asked++;
    permit = granted;
    if (permits) granted(argument);
}
void uplink_permit_done(void) { done++; }

unsigned tenant_newest_file(void) { return 0; }
int rotation_ask(const uint8_t *user) {
    (void)user;
    rotations_asked++;
    return 0;
}

int tenant_unseal(const uint8_t tmk[KEY_BYTES], uint32_t by) {
    (void)by;
    if (self.keys) return 0;
    struct keyring *keys = keyring_new(tmk);
    if (!keys || store_unseal(self.store, keys, capsule_tenant_id(self.capsule)) != STORE_OK) {
        keyring_free(keys);
        return EIO;
    }
    self.keys = keys;
    functions_load();
    memcpy(self.tmk, tmk, KEY_BYTES);
    if (capsule_enrolled(self.capsule)) kit_keep(self.store, self.tmk);
    account_unsealed();
    return 0;
}

/* ---- a worker's life ---- */

static void stop(void) {
    session_forget(NULL);
    functions_forget();
    if (self.store) store_close(self.store);
    capsule_close(self.capsule);
    keyring_free(self.keys);
    self.store = NULL;
    self.capsule = NULL;
    self.keys = NULL;
    if (self.tmk) secret_wipe(self.tmk, KEY_BYTES);
}

static void start(void) {
    self.capsule = capsule_open(open("capsule", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    self.store = store_open("data.mdb", 16 << 20);
    assert_true(self.capsule && self.store);
}
static void restart(void) {
    stop();
    start();
}

static int fresh(void **state) {
    (void)state;
    stop();
    unlink("capsule");
    unlink("data.mdb");
    unlink("data.mdb-lock");
    start();
    char normal[ENROL_CODE_CHARS + 1];
    assert_true(enrol_code_normalise(code, normal));
    sha256(normal, ENROL_CODE_CHARS, self.profile.enrol_hash);
    self.profile.enrolled = 0;
    self.profile.https_port = 8443;
    client_gone = disk_full = false;
    memset(source, 0, sizeof source);
    permits = true;
    enrolled_told = asked = done = 0;
    lockout_pass(2 * 3600);
    return 0;
}

/* ---- requests ---- */

static struct http_request_head head;
static struct request request;
static char cookie_field[512], bearer_field[256];

static void clear(void) {
    json_decref(now.body);
    now = (struct exchange){0};
}

static void begin(enum http_method method) {
    clear();
    head = (struct http_request_head){.method = method, .host = {"acme.example", 12}};
    request = (struct request){.head = &head};
    memcpy(request.peer, source, sizeof source);
}
static void header(const char *name, const char *value) {
    head.header[head.header_count++] = (struct http_header){{name, strlen(name)}, {value, strlen(value)}};
}

static const struct route *route_of(enum http_method method, const char *path) {
    static const struct route *const tables[] = {account_routes, function_routes};
    for (size_t t = 0; t < 2; t++)
        for (const struct route *r = tables[t]; r->pattern; r++) {
            size_t fixed = strcspn(r->pattern, "{");
            if (r->method == method && strncmp(r->pattern, path, fixed) == 0 && (r->pattern[fixed] || strcspn(path, "?") == fixed))
                return r;
        }
    fail();
    return NULL;
}

/* As web/ does it: who asks, may they, then the handler; then the loop, until there is an answer; then the commit. */
static int call(const char *path, const char *body) {
    const struct route *route = route_of(head.method, path);
    enum session_refusal why = 0;
    struct session session;
    const struct session *s = route->flags & ROUTE_PUBLIC ? NULL : session_authenticate(&request, &why);
    if (!(route->flags & ROUTE_PUBLIC) && !s)
        return now.status = why == SESSION_FOREIGN || why == SESSION_OFF ? 403 : why == SESSION_BUSY || !self.keys ? 503 : 401;
    if (s) {
        session = *s;
        request.session = &session;
        if ((s->rights & route->rights) != route->rights) return now.status = 403;
        if (route->flags & ROUTE_PERSON && s->kind != SLOT_SESSION) return now.status = 403;
    }
    if (route->function && !function_on(route->function)) return now.status = 403;
    request.body = (const uint8_t *)body;
    request.body_size = body ? strlen(body) : 0;
    const char *hole = strchr(route->pattern, '{'), *query = strchr(path, '?');
    if (query) head.query = (struct slice){query + 1, strlen(query + 1)};
    if (hole) request.segment[0] = (struct slice){path + (hole - route->pattern), strcspn(path + (hole - route->pattern), "/?")};
    route->handle(&now, &request);
    int before = done;
    for (int i = 0; now.status == 0 && i < 200 && !(client_gone && done > before); i++)
        event_base_loop(self.base, EVLOOP_ONCE);
    if (store_dirty(self.store)) assert_int_equal(store_commit(self.store), STORE_OK);
    return now.status;
}

static int post(const char *path, const char *body) {
    begin(HTTP_POST);
    return call(path, body);
}

static char *body_of(const char *login, const char *secret, bool with_code) {
    static char text[4096];
    snprintf(text, sizeof text, "{\"login\":\"%s\",\"password\":\"%s\"%s%s%s}", login, secret, with_code ? ",\"code\":\"" : "",
             with_code ? code : "", with_code ? "\"" : "");
    return text;
}
static int enrol_as(const char *login, const char *secret) { return post("/api/v1/enrol", body_of(login, secret, true)); }
static const char *text(const char *name) { return json_string_value(json_object_get(now.body, name)); }

static int with_cookie(enum http_method method, const char *path, const char *body) {
    begin(method);
    header("Cookie", cookie_field);
    return call(path, body);
}

/* The first one, an administrator, switches tokens on. */
static int log_in_as(const char *login, const char *secret) {
    lockout_pass(LOCKOUT_LAST_SECONDS + 1);
    int status = post("/api/v1/session", body_of(login, secret, false));
    if (now.cookie[0]) snprintf(cookie_field, sizeof cookie_field, "a=b; %.*s", (int)strcspn(now.cookie, ";"), now.cookie);
    if (status == 200 && !function_on(FUNCTION_tokens)) {
        struct exchange kept = now;
        now = (struct exchange){0};
        assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/functions/tokens", "{\"enabled\":true,\"confirmed\":1}"), 200);
        clear();
        now = kept;
    }
    return status;
}
static int with_token(enum http_method method, const char *path, const char *body) {
    begin(method);
    header("authorization", bearer_field);
    return call(path, body);
}

/* ---- the program ---- */

static bool account_open(void) {
    if (arena_open(ARENA_MIN * 4, false) == ARENA_NONE || !mkdtemp(dir) || chdir(dir) < 0) return false;
    self.counters = &counters;
    self.base = event_base_new();
    return account_start() == 0;
}

static int account_close(int failed) {
    stop();
    clear();
    if (chdir("/") == 0) {
        char command[64];
        snprintf(command, sizeof command, "rm -rf %s", dir);
        failed |= system(command);
    }
    return failed;
}
