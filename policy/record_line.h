/*
 * One line of a record that is kept whole: undertakings, requests. Like the ledger's it is chained by hash (chain.h); its fields:
 *   COUNT TIME UID WORD FIELD...
 * COUNT from 1 without a hole; TIME Unix ms; UID of the person who did it; WORD what was done; the FIELDs after it are the word's own.
 * Pure.
 */
#pragma once

#include "chain.h"
#include "ledger_line.h"

enum { RECORD_FIELDS_MAX = 12, RECORD_LINE_MAX = 2048 /* bytes of any line, its newline included */ };

struct record_line {
    uint64_t count, time_ms;
    uint32_t uid;
    char word[LEDGER_WORD_MAX + 1];
    size_t fields;
    struct chain_field field[RECORD_FIELDS_MAX]; /* the word's own; pointers into the text that was parsed */
    uint8_t previous[LEDGER_HASH];
    uint8_t hash[LEDGER_HASH];
};

/* Writes the line that comes after `chain`; line: time_ms, uid and word. fields: the word's own with tabs between them, or "". Its size, or
 * 0: it is too long. *chain is moved on only by record_next(). */
size_t record_line_format(const struct ledger_chain *chain, const struct record_line *line, const char *fields, char out[RECORD_LINE_MAX]);

/* As ledger_chain_next(). */
enum ledger_verdict record_next(struct ledger_chain *chain, const char *bytes, size_t size, size_t *used, struct record_line *line);
