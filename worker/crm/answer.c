#include "answer.h"

#include "../tenant.h"

#include <inttypes.h>
#include <string.h>

void answer_problem(struct exchange *x, const struct problem *p) {
    if (p->status == 503) count(COUNTER_out_of_memory, 1);
    respond_problem(x, p->status, p->type, p->detail, p->field[0] ? p->field : NULL, p->line);
}

void problem_store(struct problem *p, enum store_result result) {
    switch (result) {
    case STORE_OK:
        return;
    case STORE_MISSING:
        problem_set(p, 404, "not-found", "There is no such record.");
        return;
    case STORE_CONFLICT:
        problem_set(p, 412, "version-conflict", "The record has been changed or deleted since; read it again.");
        return;
    case STORE_FULL:
        problem_set(p, 507, "store-full", "The space of this tenant is used up; reading and deleting go on.");
        return;
    case STORE_BROKEN:
        problem_set(p, 500, "store-damaged", "What is stored does not open; it was damaged or altered.");
        return;
    case STORE_SEALED:
        problem_set(p, 503, "sealed", "The tenant is sealed; log in.");
        return;
    case STORE_MEMORY:
        problem_memory(p);
        return;
    default:
        problem_set(p, 500, "store-failed", "The store failed.");
        return;
    }
}

void answer_store(struct exchange *x, enum store_result result) {
    struct problem p = {0};
    problem_store(&p, result);
    if (result == STORE_FULL) count(COUNTER_store_refusals, 1);
    answer_problem(x, &p);
}

void answer_etag(struct exchange *x, uint64_t version) {
    char tag[32];
    snprintf(tag, sizeof tag, "\"%" PRIu64 "\"", version);
    respond_header(x, "ETag", tag);
}

/* The next entity tag of a list. false: not one. */
static bool next_tag(const char **p, const char *end, bool *weak, const char **tag, size_t *size) {
    *weak = end - *p >= 2 && memcmp(*p, "W/", 2) == 0;
    if (*weak) *p += 2;
    if (*p == end || **p != '"') return false;
    *tag = ++*p;
    while (*p < end && **p != '"') {
        if ((unsigned char)**p <= 0x20 || **p == 0x7f) return false;
        ++*p;
    }
    if (*p == end) return false;
    *size = (size_t)(*p - *tag);
    ++*p;
    return true;
}

enum match match_tag(const struct http_request_head *head, const char *name, bool weak, const char *own) {
    const struct slice *value = http_header_find(head, name);
    if (!value) return MATCH_NONE;
    if (slice_equals(*value, "*")) return own ? MATCH_YES : MATCH_NO;
    const char *p = value->data, *end = p + value->size, *tag;
    bool is_weak, found = false;
    size_t size;
    for (;;) {
        if (!next_tag(&p, end, &is_weak, &tag, &size)) return MATCH_MALFORMED;
        found |= own && (weak || !is_weak) && size == strlen(own) && memcmp(tag, own, size) == 0;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p == end) return found ? MATCH_YES : MATCH_NO;
        if (*p++ != ',') return MATCH_MALFORMED;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
    }
}

enum match match_version(const struct http_request_head *head, const char *name, bool weak, uint64_t version) {
    char own[24];
    snprintf(own, sizeof own, "%" PRIu64, version);
    return match_tag(head, name, weak, version ? own : NULL);
}

void answer_parameter(struct exchange *x, const char *name, const char *expected) {
    respond_problem(x, 400, "invalid-parameter", expected, name, 0);
}

bool may_act(struct exchange *x, const struct request *r, enum kind kind, enum right act) {
    if (r->session->rights & RIGHT_OF(kind, act)) return true;
    respond_problem(x, 403, "rights", "Your rights do not cover this.", NULL, 0);
    return false;
}

bool query_known(struct exchange *x, const struct request *r, const char *const *names) {
    struct slice rest = r->head->query, name, value;
    char text[64];
    while (http_query_next(&rest, &name, &value)) {
        const char *const *n = names;
        while (*n && !slice_equals(name, *n))
            n++;
        if (*n) continue;
        if (!http_percent_decode(name, true, text, sizeof text)) snprintf(text, sizeof text, "?");
        answer_parameter(x, text, "no such parameter");
        return false;
    }
    return true;
}

bool query_text(struct exchange *x, const struct request *r, const char *name, char *out, size_t room) {
    int found = http_query_value(r->head->query, name, out, room);
    if (found == 0) *out = 0;
    if (found < 0) answer_parameter(x, name, "malformed, given twice, or too long");
    return found >= 0;
}
