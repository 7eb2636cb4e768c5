/*
 * An upload's body on its way into chunks, and what becomes of it: another version of a document, seen from the commit on that holds its
 * last chunk, or an upload that waits (entry.h). Memory: one chunk. What was not committed when the store dropped it is not told as taken.
 */
#pragma once

#include "../crm/text.h"
#include "../web/http.h"
#include "entry.h"

/* How one request delivers bytes. */
struct delivery {
    bool resumable; /* what broke off waits; else it goes */
    uint64_t match; /* the version that the document must still have at the end; 0 = any */
    /* Answers when the body has ended: `stored` is the document's new bytes, NULL while the upload waits for more. */
    void (*answer)(struct exchange *x, const struct upload *u, uint64_t version, const struct text *stored);
};

/* Takes the exchange's body as what follows u->offset. u is copied. Answers itself when it cannot. */
void receive(struct exchange *x, const struct upload *u, const struct delivery *how);
