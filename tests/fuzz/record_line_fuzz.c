/* A record of undertakings or requests, cut and changed in every way: nothing is read past its end, and what is taken follows. */
#include "../../policy/record_line.h"
#include "../../policy/request.h"
#include "../../policy/undertaking.h"

#include <stdlib.h>
#include <string.h>

static void must(bool so) {
    if (!so) abort();
}

/* Lines made of the input: what the fuzzer cannot guess is the hash. */
static void check_made(const char *fields, size_t size) {
    static const char *const words[] = {"signed", "ended", "asked", "agreed", "withdrawn", "released"};
    char copy[RECORD_LINE_MAX] = "", out[RECORD_LINE_MAX], name[TENANT_TITLE_MAX + 1];
    struct request_book book = {0};
    struct ledger_chain chain = {0};
    if (size >= 512) return;
    memcpy(copy, fields, size);
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        struct record_line line = {.time_ms = 5, .uid = 7};
        struct undertaking u;
        size_t used;
        memcpy(line.word, words[w], strlen(words[w]) + 1);
        size_t made = record_line_format(&chain, &line, copy, out);
        if (!made || record_next(&chain, out, made, &used, &line) != LEDGER_LINE) continue;
        must(used <= made && line.uid == 7);
        undertaking_read(&line, &u, name);
        request_fold(&book, &line, true);
    }
    request_book_free(&book);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct ledger_chain chain = {0};
    struct record_line line;
    size_t at = 0, used;
    while (record_next(&chain, text + at, size - at, &used, &line) == LEDGER_LINE) {
        must(used > 0 && used <= size - at);
        for (size_t i = 0; i < line.fields; i++)
            must(line.field[i].data >= text && line.field[i].data + line.field[i].size <= text + size);
        at += used;
    }
    check_made(text, size);
    return 0;
}
