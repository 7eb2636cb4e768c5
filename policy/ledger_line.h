/*
 * One line of the provider's ledger and the two chains the lines make (S11); pure. Thirteen fields with one tab between them and the two
 * hashes that chain.h describes:
 *   COUNT TIME UID VERB TENANT NAME RESULT TIMES NUMBER NOTE OWN LAST OWNHASH PREVIOUS HASH
 * COUNT from 1 without a hole; TIME Unix ms; UID the person's, `-` for an event; VERB a verb or event; TENANT the number, 0 and NAME `-`
 * for none, 0 and a NAME for one that is not in the registry; TIMES how many of them this line stands for; NUMBER of a request, 0 = none;
 * NOTE in people's words, `-` = none. PREVIOUS and HASH are the central chain: of all lines. The lines about one tenant are a chain of
 * their own, which that tenant reads and checks without the others: OWN counts them from 1, LAST is the COUNT of the one before (0 in the
 * first) and OWNHASH its HASH (zeros in the first); 0, 0 and `-` where there is no tenant. Since a HASH covers PREVIOUS and OWNHASH, each
 * line of a tenant is also a head of the central chain.
 * A line with nothing to say in the last five fields leaves them out; so did every line of the first version, also those about a tenant.
 */
#pragma once

#include "limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_WORD_MAX = 31, /* bytes of a verb, event or result: [a-z][a-z0-9_-]* */
    LEDGER_NOTE_MAX = NOTE_MAX,
    LEDGER_LINE_MAX = LEDGER_LINE_BYTES, /* bytes of any line, its newline included */
};

struct ledger_line {
    uint64_t count;
    uint64_t time_ms;
    bool has_uid;
    uint32_t uid; /* of the person; 0 when !has_uid */
    char verb[LEDGER_WORD_MAX + 1];
    uint32_t tenant;                /* 0 = none, or none yet */
    char name[TENANT_NAME_MAX + 1]; /* "" = none */
    char result[LEDGER_WORD_MAX + 1];
    uint64_t times;                 /* 1.. */
    uint64_t number;                /* of a request; 0 = none */
    char note[LEDGER_NOTE_MAX + 1]; /* "" = none */
    uint64_t own_count, own_last;   /* 0: not in a tenant's chain */
    uint8_t own_previous[LEDGER_HASH];
    uint8_t previous[LEDGER_HASH];
    uint8_t hash[LEDGER_HASH];
};

/* Writes the line, newline included, computing its hash into line->hash. Its size, or 0: a field is not what it may be. No NUL is added. */
size_t ledger_line_format(struct ledger_line *line, char out[LEDGER_LINE_MAX]);

/* Reads one line, text[0..size) without its newline, in exactly the spelling that ledger_line_format() writes. false: not such a line, or
 * its hash is wrong. The chain is not looked at. */
bool ledger_line_parse(const char *text, size_t size, struct ledger_line *line);

/* Walks a ledger piece by piece. Start with a zeroed chain to verify from the first line. */
struct ledger_chain {
    uint64_t count;            /* lines verified so far */
    uint8_t hash[LEDGER_HASH]; /* of the last one */
};
enum ledger_verdict {
    LEDGER_LINE,  /* *line is the next one; *used bytes were consumed */
    LEDGER_MORE,  /* no whole line is left: give these bytes again with more behind them. At the end of the file with none left: sound */
    LEDGER_BROKEN /* line chain->count + 1 is damaged, or does not follow from the one before */
};
enum ledger_verdict ledger_chain_next(struct ledger_chain *chain, const char *bytes, size_t size, size_t *used, struct ledger_line *line);

/* The chain of one tenant's own lines. Start with a zeroed one, or with a head that is known. */
struct ledger_own {
    uint64_t count;            /* of its lines; 0 = none */
    uint64_t at;               /* COUNT of the last */
    uint8_t hash[LEDGER_HASH]; /* of the last */
};
/* Moves the chain on by a line. false: the line does not follow from the one before. */
bool ledger_own_next(struct ledger_own *own, const struct ledger_line *line);
