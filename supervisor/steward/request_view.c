#include "request_view.h"

#include "../../policy/names.h"
#include "../../policy/references.h"
#include "../../policy/request.h"
#include "ledger_view.h"
#include "undertaking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PACKAGE_LINES = 100000 };

/* ---- the body of a disclosure ---- */

static int row_of(const struct ground_row *rows, int count, const json_t *value) {
    const char *name = json_string_value(value);
    for (int i = 0; name && i < count; i++)
        if (strcmp(rows[i].name, name) == 0) return i;
    return -1;
}

static bool take_text(const json_t *value, char *out, size_t most) {
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) > most || !name_is_note(text)) return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool take_scope(const json_t *value, struct message_act *act, struct act_problem *problem) {
    size_t i;
    json_t *word;
    act->set |= ACT_SCOPE;
    json_array_foreach(value, i, word) {
        int which = row_of(scope_table, SCOPES, word);
        if (which < 0)
            return act_wrong(problem, "scope", "each one of registry, counters, ledger, sealed: the provider holds nothing else");
        act->scope |= 1U << which;
    }
    return act->scope || act_wrong(problem, "scope", "a list of at least one of registry, counters, ledger, sealed");
}

static bool take(const char *key, json_t *value, int unused, struct message_act *act, struct act_problem *problem) {
    (void)unused;
    if (strcmp(key, "ground") == 0) {
        int ground = row_of(ground_table, GROUNDS, value);
        act->set |= ACT_GROUND;
        act->ground = (uint32_t)ground;
        return ground >= 0 || act_wrong(problem, "ground", "one of law, terms, abuse, protection: there is no other (S9, S11)");
    }
    if (strcmp(key, "scope") == 0) return take_scope(value, act, problem);
    if (strcmp(key, "recipient") == 0) {
        act->set |= ACT_RECIPIENT;
        return take_text(value, act->recipient, RECIPIENT_MAX) || act_wrong(problem, "recipient", "1 to 128 bytes of text, one line");
    }
    if (strcmp(key, "reason") == 0) {
        act->set |= ACT_REASON;
        return take_text(value, act->reason, REASON_MAX) || act_wrong(problem, "reason", "1 to 200 bytes of text, one line");
    }
    if (strcmp(key, "hold_until") == 0) {
        const char *text = json_string_value(value);
        act->set |= ACT_UNTIL;
        return (text && undertaking_day(text, &act->until_ms)) || act_wrong(problem, "hold_until", "a day: YYYY-MM-DD");
    }
    return act_wrong(problem, key, "none of ground, scope, recipient, reason, hold_until");
}

bool request_view_read(const char *body, size_t size, struct message_act *act, struct act_problem *problem) {
    static const struct {
        uint32_t bit;
        const char *name;
    } required[] = {{ACT_GROUND, "ground"}, {ACT_SCOPE, "scope"}, {ACT_RECIPIENT, "recipient"}, {ACT_REASON, "reason"}};
    bool fine = act_members(body, size, take, 0, act, problem);
    for (size_t i = 0; fine && i < sizeof required / sizeof *required; i++)
        if (!(act->set & required[i].bit)) fine = act_wrong(problem, required[i].name, "required");
    return fine;
}

static bool take_citation(const char *key, json_t *value, int unused, struct message_act *act, struct act_problem *problem) {
    (void)unused;
    if (strcmp(key, "use") == 0) {
        const char *name = json_string_value(value);
        enum reference use = name ? reference_find(name, strlen(name)) : REFERENCE_COUNT;
        act->set |= ACT_SCOPE;
        act->scope = 1U << use;
        return use < REFERENCE_COUNT || act_wrong(problem, "use", "one of logo, quote, case_study, contact");
    }
    act->set |= ACT_RECIPIENT;
    if (strcmp(key, "where") != 0) return act_wrong(problem, key, "none of use, where");
    return take_text(value, act->recipient, RECIPIENT_MAX) || act_wrong(problem, "where", "1 to 128 bytes of text, one line");
}

bool request_view_read_citation(const char *body, size_t size, struct message_act *act, struct act_problem *problem) {
    bool fine = act_members(body, size, take_citation, 0, act, problem);
    if (fine && !(act->set & ACT_SCOPE)) return act_wrong(problem, "use", "required");
    if (fine && !(act->set & ACT_RECIPIENT)) return act_wrong(problem, "where", "required");
    return fine;
}

/* ---- the record ---- */

/* What the record says now. false: it cannot be read. */
static bool read_book(int fd, struct request_book *book) {
    struct stat st;
    struct ledger_chain chain = {0};
    struct record_line line;
    if (fd < 0 || fstat(fd, &st) < 0) return false;
    size_t size = (size_t)st.st_size, at = 0, used;
    char *bytes = malloc(size + 1);
    bool fine = bytes && ledger_files_read(fd, bytes, size, 0) == (ssize_t)size;
    while (fine && record_next(&chain, bytes + at, size - at, &used, &line) == LEDGER_LINE) {
        fine = request_fold(book, &line, true);
        at += used;
    }
    free(bytes);
    return fine && at == size;
}

static json_t *seconds(uint64_t ms) { return ms ? json_real((double)ms / 1000) : json_null(); }

static json_t *scope_json(uint32_t scope) {
    json_t *list = json_array();
    for (int s = 0; s < SCOPES; s++)
        if (scope >> s & 1) json_array_append_new(list, json_string(scope_table[s].name));
    return list;
}

static json_t *request_json(const struct request *r, uint64_t now_ms) {
    bool over = r->state == REQUEST_ASKED && now_ms >= r->until_ms;
    json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "number", (json_int_t)r->id, "kind", request_table[r->kind].name,
                          "tenant", r->name, "state", request_words[over ? REQUEST_EXPIRED : r->state], "asked_by", (json_int_t)r->asked_by,
                          "asked", seconds(r->asked_ms), "until", seconds(r->until_ms), "ended_by",
                          r->ended_by ? json_integer(r->ended_by) : json_null(), "ended", seconds(r->ended_ms));
    if (r->kind == REQUEST_transfer) json_object_set_new(o, "to", json_string(r->recipient));
    if (r->kind == REQUEST_citation) {
        json_object_set_new(o, "use", json_string(reference_table[__builtin_ctz(r->scope)].name));
        json_object_set_new(o, "where", json_string(r->recipient));
    }
    if (r->kind != REQUEST_disclosure) return o;
    json_object_set_new(o, "ground", json_string(ground_table[r->ground].name));
    json_object_set_new(o, "scope", scope_json(r->scope));
    json_object_set_new(o, "recipient", json_string(r->recipient));
    json_object_set_new(o, "reason", json_string(r->reason));
    json_object_set_new(o, "hold_until", seconds(r->hold_ms));
    json_object_set_new(o, "tenant_told", json_boolean(!request_is_held(r, now_ms, 0))); /* after a hold: once it was released */
    return o;
}

void request_view_list(struct steward *steward, struct staff_request *r) {
    struct request_book book = {0};
    if (!read_book(steward->record[STEWARD_REQUESTS], &book)) {
        request_book_free(&book);
        staff_problem(r, 500, "unreadable", NULL, "the record of requests cannot be read");
        return;
    }
    json_t *items = json_array();
    for (size_t i = 0; i < book.count; i++) {
        const struct request_row *row = &request_table[book.row[i].kind];
        if (r->person.duties & (row->asks | row->agrees)) json_array_append_new(items, request_json(&book.row[i], steward_now_ms()));
    }
    request_book_free(&book);
    staff_json(r, 200, json_pack("{s:o}", "items", items));
}

const char *request_view_duty(uint32_t agrees) { return agrees ? duty_table[__builtin_ctz(agrees)].name : "a"; }

/* ---- a disclosure's package: what the provider holds, and no more (S11) ---- */

static json_t *registry_json(const struct message_tenant *t) {
    json_t *hosts = json_array();
    for (uint32_t i = 0; i < t->host_count; i++)
        json_array_append_new(hosts, json_string(t->host[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:b, s:o}", "name", t->name, "title", t->title, "modules", t->modules, "region",
                     t->region, "hosts", hosts, "quota_bytes", (json_int_t)t->quota_bytes, "enrolled", t->enrolled, "created",
                     seconds(t->created_ms));
}

static json_t *counters_json(const struct tenants_row *row) {
    json_t *o = json_object();
    for (int c = 0; c < COUNTER_COUNT; c++)
        json_object_set_new(o, counter_table[c].name, json_integer((json_int_t)tenants_value(row, (enum counter)c)));
    return o;
}

static json_t *ledger_json(struct steward *steward, uint32_t tenant, uint64_t last) {
    size_t size, at = 0;
    char *text = ledger_files_own(&steward->ledger, tenant, last, 1, PACKAGE_LINES, &size);
    json_t *lines = text ? json_array() : NULL;
    while (text && at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        struct ledger_line line;
        if (!end || !ledger_line_parse(text + at, (size_t)(end - text) - at, &line)) break;
        json_array_append_new(lines, ledger_view_line(&line));
        at = (size_t)(end - text) + 1;
    }
    free(text);
    return lines;
}

static json_t *sealed_json(const struct tenants_row *row) {
    return json_pack(
        "{s:[ss], s:I, s:s}", "files", "data.mdb", "data-2.mdb", "store_bytes", (json_int_t)tenants_value(row, COUNTER_store_bytes), "note",
        "sealed data: nobody at the provider can open it, and the key capsule is not given with it; root copies the files of the "
        "suspended tenant as they lie there");
}

/* NULL: something of it cannot be read, so nothing is given. */
/* S11: what is given is what the provider holds */
static json_t *package(struct steward *steward, const struct request *q, uint64_t last) {
    const struct tenants_row *row = tenants_by_number(steward->tenants, q->tenant);
    json_t *o = row ? json_pack("{s:o}", "disclosure", request_json(q, steward_now_ms())) : NULL;
    if (o && q->scope >> SCOPE_registry & 1) json_object_set_new(o, "registry", registry_json(&row->is));
    if (o && q->scope >> SCOPE_counters & 1) json_object_set_new(o, "counters", counters_json(row));
    if (o && q->scope >> SCOPE_sealed & 1) json_object_set_new(o, "sealed", sealed_json(row));
    json_t *ledger = o && q->scope >> SCOPE_ledger & 1 ? ledger_json(steward, q->tenant, last) : NULL;
    if (ledger) json_object_set_new(o, "ledger", ledger);
    if (!o || ledger || !(q->scope >> SCOPE_ledger & 1)) return o;
    json_decref(o);
    return NULL;
}

void request_view_approved(struct steward *steward, struct staff_request *r, const struct message_answer *answer) {
    struct request_book book = {0};
    const struct request *q = read_book(steward->record[STEWARD_REQUESTS], &book) ? request_find(&book, answer->number) : NULL;
    json_t *json = NULL;
    if (answer->code[0])
        json = json_pack("{s:s}", "enrolment_code", answer->code);
    else if (q && q->kind == REQUEST_disclosure)
        json = package(steward, q, answer->since_ms);
    else if (q && q->kind == REQUEST_citation)
        json = json_pack("{s:o}", "citation", request_json(q, steward_now_ms()));
    else
        json = json_pack("{s:s}", "done", verb_table[r->verb].name);
    request_book_free(&book);
    if (json)
        staff_json(r, 200, json);
    else
        staff_problem(r, 500, "unreadable", NULL, "the disclosure is recorded, but what it would give cannot be read: ask again");
}
