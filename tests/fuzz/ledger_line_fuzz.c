/* A ledger's text: whatever line is taken is written again byte for byte, and a walk consumes exactly the lines it gives. */
#include "../../policy/ledger_line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static void check_spelling(const char *text, size_t size, const struct ledger_line *line) {
    struct ledger_line again = *line;
    char out[LEDGER_LINE_MAX];
    must(ledger_line_format(&again, out) == size + 1 && memcmp(out, text, size) == 0 && out[size] == '\n');
    must(memcmp(&again, line, sizeof again) == 0);
}

/* Lines made of the input's bytes: what is written is read. */
static void check_made(const uint8_t *data, size_t size) {
    struct ledger_line line = {0}, again;
    char out[LEDGER_LINE_MAX];
    memcpy(&line, data, size < sizeof line ? size : sizeof line);
    line.has_uid = size & 1; /* any other byte is no bool */
    line.verb[LEDGER_WORD_MAX] = line.result[LEDGER_WORD_MAX] = line.name[TENANT_NAME_MAX] = line.note[LEDGER_NOTE_MAX] = '\0';
    size_t written = ledger_line_format(&line, out);
    if (!written) return;
    must(written <= LEDGER_LINE_MAX && ledger_line_parse(out, written - 1, &again));
    must(again.count == line.count && strcmp(again.verb, line.verb) == 0 && memcmp(again.hash, line.hash, LEDGER_HASH) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct ledger_line line;
    struct ledger_chain chain = {0};
    size_t at = 0, used;
    while (ledger_chain_next(&chain, text + at, size - at, &used, &line) == LEDGER_LINE) {
        must(used > 0 && used <= size - at);
        check_spelling(text + at, used - 1, &line);
        at += used;
    }
    if (ledger_line_parse(text, size, &line)) check_spelling(text, size, &line);
    /* What the fuzzer cannot guess is the hash: give it a fitting one. */
    check_made(data, size);
    return 0;
}
