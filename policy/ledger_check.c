#include "ledger_check.h"

#include <stdlib.h>
#include <string.h>

static struct ledger_own *own_of(struct ledger_check *c, uint32_t tenant) {
    for (size_t i = 0; i < c->own_count; i++)
        if (c->own[i].tenant == tenant) return &c->own[i].own;
    struct ledger_check_own *more = reallocarray(c->own, c->own_count + 1, sizeof *more);
    if (!more) return NULL;
    c->own = more;
    c->own[c->own_count] = (struct ledger_check_own){.tenant = tenant};
    return &c->own[c->own_count++].own;
}

static bool own_follows(struct ledger_check *c, const struct ledger_line *line) {
    if (!line->own_count) return true;
    struct ledger_own *own = own_of(c, line->tenant);
    if (!own) return false;
    if (own->count == 0 && c->first > 1) {
        *own = (struct ledger_own){.count = line->own_count - 1, .at = line->own_last};
        memcpy(own->hash, line->own_previous, LEDGER_HASH);
    }
    return ledger_own_next(own, line);
}

/* Begins in the middle: as if everything before had been seen. */
static void begin(struct ledger_check *c, const char *bytes, size_t size) {
    struct ledger_line line;
    const char *end = memchr(bytes, '\n', size < LEDGER_LINE_MAX ? size : LEDGER_LINE_MAX);
    if (!end || !ledger_line_parse(bytes, (size_t)(end - bytes), &line)) return;
    c->first = line.count;
    c->chain.count = line.count - 1;
    if (line.count > 1) memcpy(c->chain.hash, line.previous, LEDGER_HASH);
}

enum ledger_verdict ledger_check_next(struct ledger_check *c, const char *bytes, size_t size, size_t *used, struct ledger_line *line) {
    if (c->first == 0) begin(c, bytes, size);
    enum ledger_verdict verdict = ledger_chain_next(&c->chain, bytes, size, used, line);
    if (verdict != LEDGER_LINE || own_follows(c, line)) return verdict;
    c->chain.count--;
    *used = 0;
    return LEDGER_BROKEN;
}

void ledger_check_free(struct ledger_check *c) {
    free(c->own);
    c->own = NULL;
    c->own_count = 0;
}
