#include "rollback.h"

#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../tenant.h"
#include "exchange.h"
#include "fields.h"
#include "login.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

static const char cookie_name[] = "__Host-cloison-seen", field_name[] = "Cloison-Seen";

static uint64_t lost; /* the highest lost commit that was shown */

/* The mark that an answer of now tells, made once a commit. */
static const uint8_t *mark_now(void) {
    static uint8_t mark[STORE_MARK];
    static uint64_t of;
    uint64_t commit = store_commits(self.store) + store_dirty(self.store);
    if (of != commit) store_mark(self.store, mark);
    of = commit;
    return mark;
}

/* ---- what a client shows ---- */

static void note_lost(const struct session *session, uint64_t commit) {
    if (lost == 0) {
        gauge(COUNTER_rollback_state, 1);
        journal_tell(JOURNAL_rollback_seen, session ? session->user : NULL,
                     json_pack("{s:I, s:I}", "commit", (json_int_t)store_commits(self.store), "seen", (json_int_t)commit));
    }
    if (commit > lost) lost = commit;
}

static void look_at(struct exchange *x, const char *text, size_t size) {
    uint8_t mark[STORE_MARK];
    uint64_t commit;
    if (!secret_parse(text, size, mark)) return;
    bool newest = secret_equal(mark, mark_now(), sizeof mark);
    switch (newest ? MARK_KNOWN : store_mark_read(self.store, mark, &commit)) {
    case MARK_KNOWN:
        x->has_mark |= newest;
        break;
    case MARK_LOST:
        x->request.rolled = true;
        note_lost(x->request.session, commit);
        break;
    case MARK_FOREIGN:
        break;
    }
}

static void look_at_cookies(struct exchange *x, struct slice value) {
    enum { NAME = sizeof cookie_name - 1 };
    const char *at = value.data, *end = value.data + value.size;
    while ((at = memmem(at, (size_t)(end - at), cookie_name, NAME)) != NULL) {
        bool whole = at == value.data || at[-1] == ' ' || at[-1] == ';';
        at += NAME;
        if (!whole || at == end || *at != '=') continue;
        const char *stop = memchr(at, ';', (size_t)(end - at));
        look_at(x, at + 1, (size_t)((stop ? stop : end) - at - 1));
    }
}

static void look(struct exchange *x) {
    for (size_t i = 0; i < x->head.header_count; i++) {
        const struct http_header *h = &x->head.header[i];
        if (x->tells == TELL_COOKIE && slice_equals_nocase(h->name, "Cookie")) look_at_cookies(x, h->value);
        if (x->tells == TELL_FIELD && slice_equals_nocase(h->name, field_name)) look_at(x, h->value.data, h->value.size);
    }
}

/* S4: a client that has seen what is lost is told before it is served */
bool rollback_admit(struct exchange *x) {
    x->tells = x->request.session->kind == SLOT_TOKEN ? TELL_FIELD : TELL_COOKIE;
    look(x);
    if (!x->request.rolled || x->route->flags & ROUTE_ROLLED) return true;
    respond_problem(x, 409, "rolled-back",
                    "You have seen what is no longer here: an older state of the store was put back. An administrator may go on from it.",
                    NULL, 0);
    return false;
}

/* ---- what an answer tells ---- */

void session_seen(struct exchange *x) {
    x->tells = TELL_COOKIE;
    look(x);
}

/* What was lost stays with the client: it is the only proof. */
size_t rollback_field(const struct exchange *x, char out[ROLLBACK_FIELD]) {
    char text[SECRET_TEXT + 1];
    if (x->tells == TELL_NOTHING || x->request.rolled || !self.keys) return 0;
    if (x->has_mark && !store_dirty(self.store)) return 0;
    secret_format(mark_now(), text);
    int size = x->tells == TELL_FIELD
                   ? snprintf(out, ROLLBACK_FIELD, "%s: %s\r\n", field_name, text)
                   : snprintf(out, ROLLBACK_FIELD, "Set-Cookie: %s=%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=%d\r\n",
                              cookie_name, text, 400 * 86400);
    return (size_t)size;
}

/* ---- the acceptance ---- */

static void show(struct exchange *x, struct request *r) {
    json_t *body =
        json_pack("{s:b, s:I, s:o, s:I}", "rolled_back", (int)(lost != 0 || r->rolled), "commit", (json_int_t)store_commits(self.store),
                  "last_commit", json_time(store_committed(self.store)), "seen", (json_int_t)lost);
    respond_json(x, 200, body);
}

static void go_on(struct exchange *x, struct request *r) {
    if (lost == 0) {
        respond_problem(x, 409, "not-rolled-back", "Nobody has shown to have seen more than is here.", NULL, 0);
        return;
    }
    json_t *about = json_pack("{s:I, s:I}", "commit", (json_int_t)store_commits(self.store), "seen", (json_int_t)lost);
    enum store_result result = journal_add(JOURNAL_rollback_accepted, r->session->user, about);
    if (result == STORE_OK) result = store_accept(self.store, lost);
    if (result == STORE_OK) result = exchange_commit();
    if (result != STORE_OK) {
        if (store_dirty(self.store)) store_lose(self.store, result);
        answer_failure(x, result);
        return;
    }
    lost = 0;
    gauge(COUNTER_rollback_state, 2);
    r->rolled = false; /* the answer tells the new mark */
    respond_empty(x, 204);
}

const struct route rollback_routes[] = {
    {HTTP_GET, "/api/v1/rollback", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_ROLLED, show},
    {HTTP_POST, "/api/v1/rollback", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_ROLLED | ROUTE_PERSON, go_on},
    {0},
};
