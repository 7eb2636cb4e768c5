/*
 * Lines of the ledger that a tenant's worker causes: no more than a budget pays for, so that none fills the disk, or every reader's time,
 * by changing its mind, its state or its backups without end (H1). What is decided waits until it can be paid (planning.h, wishes.c); of
 * what merely happened, the lines that there was nothing left for become one later that says how many they are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tenant;

enum {
    CHANGES_MOST = 12,    /* decisions of one tenant, lines each, that its worker may cause at once; */
    CHANGES_MS = 15000,   /* and then one in this time */
    EVENTS_MOST = 48,     /* the same of what happened */
    EVENTS_LEFT_OUT = 16, /* kinds of lines left out; the last stands for all that are more */
};

/* Lines that a worker caused lately: ms of the clock when they will be paid off. */
struct changes {
    uint64_t until;
};
/* Counts one; false: not before *again_at. */
bool changes_take(struct changes *changes, uint64_t now, uint64_t *again_at);

struct events {
    struct changes paid;
    uint64_t again_at; /* ms of the clock: what was left out is not told before */
    struct {
        const char *word, *result; /* of the program's own tables: they stay */
        uint64_t times;            /* 0 = the row is free */
    } left_out[EVENTS_LEFT_OUT];
};
/* It happened, at that Unix time in ms: a line now, or counted. */
void changes_event(struct tenant *tenant, const char *word, const char *result, uint64_t now_ms);
/* At every tick: tells what was left out, as far as can be paid. all: whatever it costs, before leaving. */
void changes_tick(struct tenant *tenant, uint64_t now, bool all);
