/* A file read whole and in pieces gives the same records, and every record is an object or has a reason. */
#pragma once

#include "../../worker/crm/collate.h"
#include "../../worker/crm/reader.h"
#include "../../worker/crm/record.h"

#include <stdlib.h>
#include <string.h>

static inline void check(bool holds) {
    if (!holds) abort();
}

static inline bool note(void *argument, unsigned long line, json_t *input, const struct problem *why) {
    struct text *log = argument;
    char head[512];
    check(line >= 1 && !(input && why));
    check(!why || (why->status && why->detail[0] && text_characters(why->field, strlen(why->field)) < sizeof why->field));
    check(!input || json_is_object(input));
    snprintf(head, sizeof head, "%lu %s %s\n", line, why ? why->field : "", why ? why->detail : "");
    text_string(log, head);
    char *dump = input ? json_dumps(input, JSON_COMPACT) : NULL;
    check(!input || dump);
    if (dump) text_string(log, dump);
    free(dump);
    json_decref(input);
    return true;
}

static inline void read_in(struct reader *r, const uint8_t *data, size_t size, size_t piece, struct text *log) {
    bool fine = true;
    for (size_t at = 0; fine && at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(n);
        memcpy(copy, data + at, n);
        fine = reader_feed(r, copy, n);
        free(copy);
    }
    if (fine) fine = reader_end(r);
    check(fine || r->broken.status >= 400);
    char end[512];
    snprintf(end, sizeof end, "%lu %s %s", r->broken.line, r->broken.field, r->broken.detail);
    text_string(log, end);
    reader_free(r);
}

static inline void compare(const struct text *a, const struct text *b) {
    check(a->size == b->size && memcmp(a->data, b->data, a->size) == 0);
}
