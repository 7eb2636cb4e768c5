/*
 * The tenant's own lines of the provider's ledger (policy/ledger_line.h), as they come through the supervisor, and their witness: each is
 * held against the one before, against the end that the supervisor told, and against the end that was seen last, which is kept sealed. A
 * line that is removed, changed or written anew, with all hashes computed again, contradicts it (S11): the journal and the status say so.
 *
 * The supervisor ends a worker that asks more than OWN_LINES_PER_MINUTE times, or before it has the answer. So all who wait share one
 * answer, and who comes when this minute's are used up gets the lines of the last answer, `as_of` a minute ago at most.
 */
#pragma once

#include "../../policy/ledger_line.h"
#include "../web/http.h"

#include <time.h>

struct lines; /* counted; unchanged once it is there */

uint64_t lines_first(const struct lines *lines);  /* own number; 0 = there are none. Beyond 1 only where OWN_LINES_MAX cut */
uint64_t lines_count(const struct lines *lines);  /* own number of the last; lines behind one that does not fit are not given */
bool lines_consistent(const struct lines *lines); /* they are linked to what was seen, and nothing ever contradicted that */
bool lines_verified(const struct lines *lines);   /* false: it cannot be told yet: the lines in between are still being asked for */
time_t lines_as_of(const struct lines *lines);    /* when they were asked for */
struct lines *lines_share(struct lines *lines);   /* for who goes on reading later */
void lines_free(struct lines *lines);             /* NULL: nothing happens */

/* A reader; begins zeroed. */
struct lines_reader {
    uint64_t at;           /* bytes */
    struct ledger_own own; /* as far as it has come */
};
/* Gives the next some hundred lines to `each`, all checked anew. 1: there are more, 0: those were all, -1: they cannot be read, or are not
 * what they were. */
int lines_read(const struct lines *lines, struct lines_reader *reader, void (*each)(void *, const struct ledger_line *), void *argument);

/* What an exchange waits for them for. */
struct lines_wish {
    void (*answer)(struct exchange *x, struct lines *lines, const struct lines_wish *wish);
    uint64_t from, limit; /* for answer() */
    struct session asker;
};
/* Has it answered, now or when they come; or answers 503. */
void lines_wanted(struct exchange *x, const struct lines_wish *wish);

/* 503: they cannot be had now. */
void lines_refuse(struct exchange *x);

/* Once after unsealing: looks at what has come since the chain was seen last. */
void lines_unsealed(void);
/* What was asked for has come. Takes the fd over; -1 = it cannot be had now. */
void lines_came(int fd, uint64_t size);
