#include "archived.h"

#include "../tenant.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_RECORDS = 64 };

struct walk {
    enum kind kind;
    struct store_cursor cursor;
    struct text out; /* the piece in hand */
    bool started, any, failed;
};

static bool each(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    static const char mark[] = ",\"archived\":\""; /* in a text its quotes would be escaped */
    struct walk *w = argument;
    struct record r;
    (void)id, (void)version;
    if (!memmem(value, size, mark, sizeof mark - 1) || !record_load(w->kind, value, size, &r)) return true;
    if (r.archived[0]) {
        if (w->any) text_char(&w->out, ',');
        w->any = true;
        w->failed |= !record_summary(&r, &w->out);
    }
    record_free(&r);
    return !w->failed;
}

static int more(void *argument, struct evbuffer *out) {
    struct walk *w = argument;
    text_clear(&w->out);
    if (!w->started) text_string(&w->out, "{\"items\":[");
    w->started = true;
    enum store_result result = store_walk(self.store, kind_table[w->kind].table, &w->cursor, PIECE_RECORDS, each, w);
    if (result != STORE_OK && result != STORE_BROKEN) return -1; /* the walk goes on behind a broken one */
    if (w->cursor.done) text_string(&w->out, "],\"next\":null}");
    if (w->failed || w->out.failed || (w->out.size && evbuffer_add(out, w->out.data, w->out.size) != 0)) return -1;
    return !w->cursor.done;
}

static void release(void *argument) {
    struct walk *w = argument;
    text_free(&w->out);
    free(w);
}

void archived_list(struct exchange *x, enum kind kind) {
    struct walk *w = calloc(1, sizeof *w);
    if (!w) {
        answer_store(x, STORE_MEMORY);
        return;
    }
    w->kind = kind;
    respond_stream(x, 200, "application/json", more, release, w);
}
