#include "requests.h"

#include "ledger.h"
#include "plans.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TICK_EVERY_MS = 1000, AGAIN_LATER_MS = 60000 };

struct requests {
    struct record *record;
    struct request_book book;
    uint64_t look_at; /* Unix ms: not looked at before */
};

struct requests *requests_open(const char *state_dir, char error[RECORD_ERROR_MAX]) {
    struct requests *r = calloc(1, sizeof *r);
    if (r && (r->record = record_open(state_dir, "requests", request_fold, &r->book, error))) return r;
    if (!r) snprintf(error, RECORD_ERROR_MAX, "no memory");
    requests_close(r);
    return NULL;
}

void requests_close(struct requests *r) {
    if (!r) return;
    record_close(r->record);
    request_book_free(&r->book);
    free(r);
}

const struct request_book *requests_book(const struct requests *r) { return &r->book; }
const struct heads *requests_heads(const struct requests *r) { return record_heads(r->record); }
int requests_reader(const struct requests *r) { return record_reader(r->record); }

struct request *requests_ask(struct requests *r, const struct request *wanted, uint64_t now_ms, uint64_t counted_ms) {
    char fields[RECORD_LINE_MAX];
    struct request asked = *wanted;
    asked.id = r->book.count + 1;
    asked.counted_ms = counted_ms;
    if (!asked.until_ms) asked.until_ms = now_ms + request_table[wanted->kind].term_ms;
    if (!request_fields(&asked, fields, sizeof fields)) return errno = EMSGSIZE, NULL;
    if (!record_may_begin(r->record, now_ms, asked.asked_by)) return NULL;
    if (!record_append(r->record, now_ms, asked.asked_by, request_words[REQUEST_ASKED], fields)) return NULL;
    return request_find(&r->book, asked.id);
}

static bool append(struct requests *r, const struct request *request, uint32_t uid, const char *word, uint64_t now_ms) {
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, request->id);
    return record_append(r->record, now_ms, uid, word, id);
}

bool requests_end(struct requests *r, struct request *request, uint32_t uid, enum request_state state, uint64_t now_ms) {
    return append(r, request, uid, request_words[state], now_ms);
}

struct ledger_tenant requests_about(const struct request *request, uint64_t now_ms, uint64_t counted_ms, char *note) {
    struct ledger_tenant about = {.request = request->id, .name = ""};
    if (!request_is_held(request, now_ms, counted_ms)) {
        about.number = request->tenant;
        about.name = request->name;
    }
    if (request_note(request, note)) about.note = note;
    return about;
}

const struct request *requests_open_about(const struct requests *r, enum request_kind kind, uint32_t tenant, uint64_t now_ms) {
    const struct request *open = request_about(&r->book, kind, tenant, REQUEST_ASKED);
    return open && now_ms < open->until_ms ? open : NULL;
}

/* false: the disk did not take it. */
static bool expire(struct supervisor *h, struct request *r, uint64_t now_ms) {
    char note[NOTE_MAX + 1];
    ledger_event(h->ledger, now_ms, "request_expired", requests_about(r, now_ms, plans_counted(h->plans), note),
                 request_table[r->kind].name);
    if (!requests_end(h->requests, r, 0, REQUEST_EXPIRED, now_ms)) return false;
    struct tenant *t = supervisor_tenant(h, r->tenant);
    if (t) tell_tenant(t);
    return true;
}

/* The line first: it is what the tenant reads. */
static bool release(struct supervisor *h, const struct request *r, uint64_t now_ms) {
    char note[NOTE_MAX + 1];
    struct tenant *t = supervisor_tenant(h, r->tenant);
    if (ledger_act(h->ledger, now_ms, r->ended_by, VERB_disclosure, requests_about(r, now_ms, plans_counted(h->plans), note), "released") <
        0)
        return false;
    if (t) tenant_ledger_changed(t);
    return append(h->requests, r, r->ended_by, "released", now_ms);
}

void requests_tick(struct supervisor *h, uint64_t now_ms) {
    struct requests *r = h->requests;
    bool fine = true;
    if (now_ms < r->look_at && r->look_at <= now_ms + AGAIN_LATER_MS) return; /* nor when the clock was set back */
    for (size_t i = 0; i < r->book.count && fine; i++) {
        struct request *one = &r->book.row[i];
        if ((one->state == REQUEST_ASKED || one->state == REQUEST_AGREED) && now_ms >= one->until_ms) fine = expire(h, one, now_ms);
        if (one->state == REQUEST_DONE && one->hold_ms && !one->released && !request_is_held(one, now_ms, plans_counted(h->plans)))
            fine = fine && release(h, one, now_ms);
    }
    r->look_at = now_ms + (fine ? TICK_EVERY_MS : AGAIN_LATER_MS);
}
