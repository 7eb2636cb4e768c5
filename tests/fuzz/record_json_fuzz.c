/* JSON body -> record: what is taken is canonical (taking it again changes nothing), renders, loads and summarises; what is refused says
 * why. */
#include "../../worker/crm/collate.h"
#include "../../worker/crm/record.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds) {
    if (!holds) abort();
}

static void check_stored(enum kind kind, const json_t *fields) {
    struct record r = {.kind = kind, .version = 1, .fields = json_deep_copy(fields)}, back;
    struct text stored = {0}, again = {0}, summary = {0};
    struct index_key key;
    ulid_new(r.id);
    record_time(r.created);
    record_time(r.modified);
    check(record_render(&r, &stored) && record_load(kind, stored.data, stored.size, &back) && json_equal(back.fields, fields));
    check(record_render(&back, &again) && again.size == stored.size && memcmp(again.data, stored.data, stored.size) == 0);
    check(record_summary(&r, &summary) && summary.size <= INDEX_SUMMARY_MAX);
    check(record_key(&r, &key) && key.size <= INDEX_KEY_MAX && (key.letter == '#' || (key.letter >= 'A' && key.letter <= 'Z')));
    record_free(&r);
    record_free(&back);
    text_free(&stored);
    text_free(&again);
    text_free(&summary);
}

static void try_kind(enum kind kind, const json_t *parsed, unsigned flags) {
    struct problem p = {0};
    json_t *input = json_deep_copy(parsed);
    if (!record_strip(kind, NULL, input, &p)) {
        check(p.status == 400 && p.field[0] && p.detail[0]);
        json_decref(input);
        return;
    }
    json_t *fields = record_validate(kind, input, flags, &p);
    check(fields ? p.status == 0 : p.status >= 400 && p.type && p.detail[0]);
    if (fields) {
        json_t *again = record_validate(kind, fields, 0, &p);
        check(again && json_equal(again, fields));
        json_decref(again);
        json_t *merged = record_merge(fields, input), *same = record_merge(fields, fields);
        check(merged && same && json_equal(same, fields));
        json_decref(merged);
        json_decref(same);
        check_stored(kind, fields);
    }
    json_decref(fields);
    json_decref(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool started;
    struct problem p = {0};
    if (!started) check(started = collate_start());
    json_t *parsed = record_parse(data, size, 1, &p);
    if (!parsed) {
        check(p.status >= 400 && p.line >= 1 && p.detail[0]);
        return 0;
    }
    for (unsigned flags = 0; flags < 4; flags++) {
        try_kind(KIND_COMPANY, parsed, flags);
        try_kind(KIND_CONTACT, parsed, flags);
    }
    json_decref(parsed);
    return 0;
}
