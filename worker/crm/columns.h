/* The columns of a CSV file: which field of a record each cell is, one way and the other. */
#pragma once

#include "field.h"
#include "problem.h"
#include "text.h"

struct columns;

/* map: see csv_options. NULL with *p. */
struct columns *columns_new(enum kind kind, const char *map, struct problem *p);
void columns_free(struct columns *c);

/* The next cell of the header row. false with *p. */
bool columns_header(struct columns *c, const char *name, size_t size, struct problem *p);
/* After the last: is every column known and mapped once? Without a map a column of another name is refused, with one it is passed over. */
bool columns_ready(struct columns *c, struct problem *p);
size_t columns_count(const struct columns *c);
/* The path of the field behind a column, "" if there is none. */
void columns_name(const struct columns *c, size_t column, char *out, size_t room);

/* Puts a cell (UTF-8 without NUL) into the record that is being read: an empty one as null, so that an update takes the value away; a
 * list's cell is split at ';' and line breaks, `\;` being a semicolon. With *p when it cannot be. */
void columns_set(const struct columns *c, size_t column, const char *cell, size_t size, json_t *record, struct problem *p);

/* The other way: the header row of a kind, and a stored record's row, of the columns id, kind, version, created, modified, the fields with
 * address.street and the like for groups, and `custom` as a JSON object. CRLF at the end. false: out of memory. */
bool columns_write_header(enum kind kind, struct text *out);
bool columns_write(enum kind kind, const json_t *stored, struct text *out);
