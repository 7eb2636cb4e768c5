/*
 * Notices of change and who has them (S7, S13, C11), in STATE_DIR/notices: the texts as N.text, and `record`, to which every line is
 * appended and synced before what it tells counts. A line that a crash cut short is cut off; any other damage stops the start.
 *
 *   notice NUMBER KIND PUBLISHED EFFECTIVE TENANT UID ENTITY HASH     SHA-256 of the text; older lines have none
 *   acknowledged|mailed NUMBER TENANT TIME
 *   removed NUMBER
 */
#pragma once

#include "../policy/limits.h"
#include "../policy/notices.h"
#include "heads.h"

#include <stdbool.h>
#include <sys/types.h>

enum { NOTICES_ERROR_MAX = 512, NOTICES_AGAIN_MS = 3600000 };

struct notice {
    uint32_t number; /* 1.. */
    enum notice_kind kind;
    uint64_t published_ms, effective_ms; /* Unix time */
    uint32_t tenant;                     /* whom it is for; 0 = all */
    uint32_t uid;                        /* of the person who published it */
    char entity[TENANT_TITLE_MAX + 1];   /* transfer: to whom; "" otherwise */
    int text;                            /* a sealed memfd */
    uint32_t bytes;                      /* in it */
    char hash[2 * LEDGER_HASH + 1];      /* SHA-256 of it, in hex */
};

struct notices;

/* NULL with error. */
struct notices *notices_open(const char *state_dir, char error[NOTICES_ERROR_MAX]);
void notices_close(struct notices *notices); /* NULL is fine */

size_t notices_count(const struct notices *notices);
const struct notice *notices_at(const struct notices *notices, size_t i); /* in the order of their numbers */
const struct notice *notices_find(const struct notices *notices, uint32_t number);
bool notices_had(const struct notices *notices, uint32_t number); /* it was published, and may have been removed since */

/* Publishes `wanted`, whose number, text and bytes are given here: on the disk when it returns. text: a file of 1 to NOTICE_BYTES, read
 * now. NULL with errno: ENOSPC: NOTICES_MAX are kept; EINVAL: no text; others: not written. */
const struct notice *notices_publish(struct notices *notices, const struct notice *wanted, int text);

/* Takes one out to make place: its text goes, its number is not given again. 0, or -1 with errno: it stays. */
int notices_remove(struct notices *notices, uint32_t number);

/* The hash after each line of the record, over the lines before. */
const struct heads *notices_heads(const struct notices *notices);

/* What the ledger says of one: its number, the day it names, the SHA-256 of its text. */
void notices_note(const struct notice *notice, char note[NOTE_MAX + 1]);

/* Zero when nothing is known. */
struct notice_trace notices_trace(const struct notices *notices, uint32_t number, uint32_t tenant);
/* Keep what happened, and how long the house had run then (plans.h); the first time counts. 0, or -1 with errno. */
int notices_acknowledged(struct notices *notices, uint32_t number, uint32_t tenant, uint64_t now_ms, uint64_t counted_ms);
int notices_mailed(struct notices *notices, uint32_t number, uint32_t tenant, uint64_t now_ms, uint64_t counted_ms);
/* Whether a letter is due: none was taken, nobody has acknowledged, and the last try is NOTICES_AGAIN_MS of the clock ago. Counts as a try.
 */
bool notices_letter_due(struct notices *notices, uint32_t number, uint32_t tenant, uint64_t clock);
/* The courier says what became of that letter. false: it has none. */
bool notices_letter_back(struct notices *notices, uint32_t number, uint32_t tenant);
