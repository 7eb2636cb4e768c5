/*
 * How many pages are left. LMDB learns that the map or the disk is full in the middle of a write and then spoils the whole transaction, so
 * every write is weighed before it starts: against what it may need at most, what the transaction may already have taken, and what
 * the file has. The file is kept larger than what LMDB uses, in written zeros: those blocks are the disk's promise, and overwriting them
 * syncs faster than appending. (For a large value the disk is only asked for the promise.) Deleting may use a reserve that nothing else
 * touches.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* All in pages. */
struct room {
    size_t page;       /* bytes of a page */
    uint64_t quota;    /* what puts may fill */
    uint64_t map;      /* what LMDB has mapped; more than the quota only where the quota was lowered under what is used */
    uint64_t file;     /* written pages of the file */
    uint64_t live;     /* used by content as of the last commit */
    uint64_t tree;     /* of these LMDB's own tree */
    uint64_t end;      /* pages below LMDB's high-water mark as of the last commit */
    uint64_t pinned;   /* freed too recently to be used by the open transaction */
    uint64_t branches; /* branch pages as of the last commit: the most that all writes together copy of them */
    uint64_t depth;
    uint64_t taken;      /* at most taken by the open transaction, branches aside */
    uint64_t taken_puts; /* at most copied and freed by it */
    uint64_t taken_branches;
    bool stuck; /* the file could not grow when it last should have */
};

/* What a write may need at most. */
struct need {
    uint64_t pages;    /* leaves and overflow */
    uint64_t puts;     /* how many LMDB puts and dels */
    uint64_t freed;    /* pages beyond a leaf that it gives up, of no use before the next commit */
    uint64_t in_a_row; /* the longest run of pages; 0 or 1 = any will do */
    bool deleting;     /* may use the reserve */
};

/* Reads the figures: after opening, after each commit and at each begin of a write transaction. false: LMDB fails. */
bool room_read(struct store *s);

/* Pages that one LMDB value of this size takes beyond its leaf. */
uint64_t room_overflow(const struct store *s, size_t size);

/* Whether the write fits, growing the file when it helps. ROOM_TRY: only a trial in a nested transaction can tell (a run of free pages). */
enum room_answer { ROOM_FINE, ROOM_TRY, ROOM_NONE };
enum room_answer room_for(struct store *s, const struct need *need);
void room_take(struct store *s, const struct need *need); /* it was done */

bool room_pressed(const struct store *s); /* the transaction is large */
bool room_crushed(const struct store *s); /* the transaction is too large */
/* With this write it would be. */
bool room_crushed_by(const struct store *s, const struct need *need);
