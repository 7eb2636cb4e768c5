/*
 * A register of processing activities (GDPR article 30; S8, C4): the same rows as a page for people or as a table for programs, in French
 * or English. The tenant's own is made of functions.def and its settings, the provider's (as a processor) of functions.def and the
 * registry. No I/O: the bytes go to `put`.
 */
#pragma once

#include "csv_cell.h"
#include "functions.h"

enum register_form { REGISTER_HTML, REGISTER_CSV };

struct register_cell {
    struct both label;
    const char *value; /* UTF-8 */
};

struct register_writer {
    enum register_form form;
    bool english;
    text_put *put;
    void *argument;
    bool any; /* a row has been written */
};

/* The beginning, with what is true of all rows; only a page shows that. */
void register_begin(struct register_writer *w, struct both title, const struct register_cell *head, size_t cells);
/* Every row of a register has the same labels; the first cell is its heading. */
void register_row(struct register_writer *w, const struct register_cell *cell, size_t cells);
void register_end(struct register_writer *w);

/* One of the two. */
const char *register_word(const struct register_writer *w, struct both text);

/* The technical and organisational measures, as both registers say them. */
extern const struct both register_measures;
