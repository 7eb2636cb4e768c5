#include "notices_view.h"

#include "undertaking.h"

#include <stdio.h>
#include <string.h>

bool notices_view_put(struct steward *s, const struct message_notice *notice) {
    size_t i = 0;
    while (i < s->notice_count && s->notice[i].number != notice->number)
        i++;
    if (i == NOTICES_MAX) return false;
    s->notice[i] = *notice;
    if (i == s->notice_count) s->notice_count++;
    return true;
}

void notices_view_forget(struct steward *s, uint64_t number) {
    size_t i = 0;
    while (i < s->notice_count && s->notice[i].number != number)
        i++;
    if (i < s->notice_count) memmove(&s->notice[i], &s->notice[i + 1], (--s->notice_count - i) * sizeof *s->notice);
}

static json_t *text_or_null(const char *text) { return *text ? json_string(text) : json_null(); }

void notices_view_list(struct steward *s, struct staff_request *r) {
    json_t *items = json_array();
    for (size_t i = 0; i < s->notice_count; i++) {
        const struct message_notice *n = &s->notice[i];
        const struct tenants_row *row = n->head.tenant ? tenants_by_number(s->tenants, n->head.tenant) : NULL;
        json_array_append_new(items, json_pack("{s:i, s:s, s:I, s:I, s:o, s:o, s:i, s:i, s:i}", "number", (int)n->number, "kind",
                                               notice_table[n->kind].name, "published", (json_int_t)(n->published_ms / 1000), "effective",
                                               (json_int_t)(n->effective_ms / 1000), "tenant", text_or_null(row ? row->is.name : ""), "to",
                                               text_or_null(n->entity), "tenants", (int)n->tenants, "delivered", (int)n->delivered, "bytes",
                                               (int)n->bytes));
    }
    staff_json(r, 200, json_pack("{s:o}", "items", items));
}

bool notices_view_read(const struct staff_request *r, struct message_act *act, struct act_problem *problem) {
    char kind[32], day[16];
    if (http_query_value(r->head.query, "kind", kind, sizeof kind) != 1 || !(act->notice_kind = notice_find(kind, strlen(kind))) ||
        notice_table[act->notice_kind].by != NOTICE_BY_DOCUMENT)
        return act_wrong(problem, "kind", "terms, privacy or subprocessors");
    if (http_query_value(r->head.query, "effective", day, sizeof day) != 1 || !undertaking_day(day, &act->effective_ms))
        return act_wrong(problem, "effective", "a day like 2027-01-31, after the notice period");
    if (!notice_text_is_fine(r->body, r->body_size))
        return act_wrong(problem, "text", "1 to 65536 bytes of UTF-8 without control characters");
    act->set = ACT_KIND | ACT_EFFECTIVE;
    return true;
}
