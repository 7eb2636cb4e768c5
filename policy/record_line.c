#include "record_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OWN = 4 /* fields before the word's */ };

size_t record_line_format(const struct ledger_chain *chain, const struct record_line *line, const char *fields, char out[RECORD_LINE_MAX]) {
    uint8_t hash[LEDGER_HASH];
    int size = snprintf(out, RECORD_LINE_MAX, "%" PRIu64 "\t%" PRIu64 "\t%" PRIu32 "\t%s%s%s", chain->count + 1, line->time_ms, line->uid,
                        line->word, *fields ? "\t" : "", fields);
    return size < 0 || size >= RECORD_LINE_MAX ? 0 : chain_close(out, (size_t)size, RECORD_LINE_MAX, chain->hash, hash);
}

static bool parse(const char *text, size_t size, struct record_line *line) {
    struct chain_field own[OWN + RECORD_FIELDS_MAX];
    uint64_t uid;
    *line = (struct record_line){0};
    size_t fields = chain_open(text, size, own, OWN + RECORD_FIELDS_MAX, line->previous, line->hash);
    if (fields < OWN) return false;
    if (!chain_number(own[0], UINT64_MAX, &line->count) || !chain_number(own[1], UINT64_MAX, &line->time_ms)) return false;
    if (!chain_number(own[2], UINT32_MAX, &uid) || !chain_text(own[3], line->word, LEDGER_WORD_MAX)) return false;
    line->uid = (uint32_t)uid;
    line->fields = fields - OWN;
    memcpy(line->field, own + OWN, line->fields * sizeof *own);
    return true;
}

enum ledger_verdict record_next(struct ledger_chain *chain, const char *bytes, size_t size, size_t *used, struct record_line *line) {
    *used = 0;
    if (size == 0) return LEDGER_MORE;
    const char *end = memchr(bytes, '\n', size < RECORD_LINE_MAX ? size : RECORD_LINE_MAX);
    if (!end) return size < RECORD_LINE_MAX ? LEDGER_MORE : LEDGER_BROKEN;
    if (!parse(bytes, (size_t)(end - bytes), line) || line->count != chain->count + 1) return LEDGER_BROKEN;
    if (memcmp(line->previous, chain->hash, LEDGER_HASH) != 0) return LEDGER_BROKEN;
    chain->count = line->count;
    memcpy(chain->hash, line->hash, LEDGER_HASH);
    *used = (size_t)(end - bytes) + 1;
    return LEDGER_LINE;
}
