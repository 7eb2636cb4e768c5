#include "certificate_view.h"

#include "../../policy/contract.h"
#include "../../policy/hex.h"
#include "act.h"
#include "ledger_files.h"
#include "support.h"
#include "traces.h"
#include "undertaking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES_MAX = 100000 };

bool certificate_view_read_end(const char *body, size_t size, struct message_act *act, struct act_problem *problem) {
    json_error_t error;
    const char *until = NULL;
    if (!size) return true;
    json_t *root = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    bool fine = root && json_unpack_ex(root, &error, JSON_STRICT, "{s:s}", "until", &until) == 0 && undertaking_day(until, &act->until_ms);
    act->set |= ACT_UNTIL;
    json_decref(root);
    if (!fine) *problem = (struct act_problem){.field = "until", .detail = "{\"until\": \"YYYY-MM-DD\"}, or no body for the shortest term"};
    return fine;
}

json_t *certificate_view_date(uint64_t ms) {
    char text[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (!ms || !gmtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm)) return json_null();
    return json_string(text);
}

json_t *certificate_view_contract(const struct message_tenant *t) {
    static const char *const words[] = {"current", "ending", "overdue", "gone"};
    if (t->contract == CONTRACT_CURRENT) return json_null();
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "state", words[t->contract], "end", certificate_view_date(t->contract_end_ms), "term",
                     certificate_view_date(t->contract_term_ms), "returned", certificate_view_date(t->contract_returned_ms), "gone",
                     certificate_view_date(t->contract_gone_ms));
}

/* ---- the certificate ---- */

struct facts {
    json_t *destroyed, *remains, *decided;
    uint64_t line; /* the last of the tenant's */
    uint8_t hash[LEDGER_HASH];
};

static json_t *fact(const struct ledger_line *line) {
    return json_pack("{s:s, s:o, s:I}", "what", line->note, "when", certificate_view_date(line->time_ms), "ledger_line",
                     (json_int_t)line->count);
}

/* Only since the last notice: a contract may have ended and been resumed before. */
static void begin_anew(struct facts *f) {
    json_array_clear(f->destroyed);
    json_array_clear(f->remains);
    json_array_clear(f->decided);
}

/* What is told as "WHAT at PLACE: …" both when it stays and when it went. */
static void remains_no_more(json_t *remains, const char *note) {
    size_t size = strcspn(note, ":");
    for (size_t i = json_array_size(remains); i-- > 0;) {
        const char *what = json_string_value(json_object_get(json_array_get(remains, i), "what"));
        if (what && strcspn(what, ":") == size && strncmp(what, note, size) == 0) json_array_remove(remains, i);
    }
}

static void take_line(struct facts *f, const struct ledger_line *line) {
    f->line = line->count;
    memcpy(f->hash, line->hash, sizeof f->hash);
    if (strcmp(line->verb, "contract_end") == 0 && strcmp(line->result, "done") == 0) begin_anew(f);
    if (strcmp(line->verb, "destroyed") == 0) {
        remains_no_more(f->remains, line->note);
        json_array_append_new(f->destroyed, fact(line));
    }
    if (strcmp(line->verb, "remains") == 0) {
        remains_no_more(f->remains, line->note);
        json_array_append_new(f->remains, fact(line));
    }
    bool decision = strcmp(line->verb, "handed_back") == 0 || strcmp(line->verb, "destroy") == 0 ||
                    strcmp(line->verb, "destruction") == 0 || (strcmp(line->verb, "request_approve") == 0 && line->number);
    if (!decision) return;
    json_t *o = json_pack("{s:s, s:s, s:o, s:I}", "act", line->verb, "result", line->result, "when", certificate_view_date(line->time_ms),
                          "ledger_line", (json_int_t)line->count);
    json_object_set_new(o, "uid", line->has_uid ? json_integer(line->uid) : json_null());
    json_array_append_new(f->decided, o);
}

static bool collect(struct steward *steward, uint32_t tenant, uint64_t last, struct facts *f) {
    size_t size, at = 0;
    char *text = ledger_files_own(&steward->ledger, tenant, last, 1, LINES_MAX, &size);
    bool fine = text;
    while (fine && at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        struct ledger_line line;
        fine = end && ledger_line_parse(text + at, (size_t)(end - text) - at, &line);
        if (!fine) break;
        take_line(f, &line);
        at = (size_t)(end - text) + 1;
    }
    free(text);
    return fine;
}

/* What nobody at the provider can know, said in every certificate. */
static json_t *not_known(const struct tenants_row *row) {
    uint64_t kits, since;
    json_t *list =
        json_pack("[s, s]",
                  "snapshots of disks or of the key capsule that somebody took outside Cloison: one of a capsule opens the copies "
                  "of its own day with a credential of that day",
                  "exports and copies that the tenant itself fetched");
    if (!tenants_self_sufficient(row, &kits, &since) || since)
        json_array_append_new(list,
                              json_string("whether a self-sufficient recovery kit exists: it was the tenant's own act to make one, and "
                                          "with it a copy of the data file opens without the key capsule"));
    return list;
}

/* Messages that the tenant itself sent to the support: sealed to the support's key, they outlive it to the end of their term. */
static void add_support(struct steward *steward, uint32_t tenant, json_t *remains) {
    struct trace t;
    for (size_t i = 0; support_kept(steward, tenant, &i, &t);) {
        char what[96];
        snprintf(what, sizeof what, "message %llu to the support: sealed to the support's key, erased at its date",
                 (unsigned long long)t.number);
        json_array_append_new(remains, json_pack("{s:s, s:o, s:o}", "what", what, "when", certificate_view_date(t.received_ms), "until",
                                                 certificate_view_date(t.until_ms)));
    }
}

static json_t *certificate(struct steward *steward, const struct tenants_row *row, const struct facts *f) {
    add_support(steward, row->is.head.tenant, f->remains);
    const struct message_tenant *t = &row->is;
    char hash[2 * LEDGER_HASH + 1] = "";
    hex_write(f->hash, LEDGER_HASH, hash);
    return json_pack("{s:s, s:{s:s, s:s, s:I}, s:o, s:O, s:O, s:O, s:s, s:o, s:{s:I, s:s}, s:o}", "certificate", "cloison destruction 1",
                     "tenant", "name", t->name, "title", t->title, "number", (json_int_t)t->head.tenant, "contract",
                     certificate_view_contract(t), "decided", f->decided, "destroyed", f->destroyed, "remains", f->remains, "remains_means",
                     "copies are ciphertext under keys whose every listed capsule is destroyed, so that nobody can read them; a message to "
                     "the support is readable by the support alone; each is erased at its date",
                     "not_known", not_known(row), "ledger", "line", (json_int_t)f->line, "hash", hash, "issued",
                     certificate_view_date(steward_now_ms()));
}

void certificate_view_answer(struct steward *steward, struct staff_request *r, uint64_t last) {
    const struct tenants_row *row = tenants_by_name(steward->tenants, r->tenant);
    struct facts f = {.destroyed = json_array(), .remains = json_array(), .decided = json_array()};
    json_t *json = row && collect(steward, row->is.head.tenant, last, &f) ? certificate(steward, row, &f) : NULL;
    json_decref(f.destroyed);
    json_decref(f.remains);
    json_decref(f.decided);
    if (json)
        staff_json(r, 200, json);
    else
        staff_problem(r, 500, "unreadable", NULL, "the tenant's lines of the ledger cannot be read: nothing is certified");
}
