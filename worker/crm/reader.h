/* A file of records read as it arrives, whatever its format: pieces of bytes in, one JSON object a record out. */
#pragma once

#include "field.h"
#include "problem.h"

struct reader;

/* One record as read, not yet validated: input (stolen by the callee), or NULL and why it could not be read; an empty record has both NULL.
 * line: where it begins, from 1. Returns false to stop reading. */
typedef bool reader_each(void *argument, unsigned long line, json_t *input, const struct problem *why);

struct reader_methods {
    bool (*feed)(struct reader *r, const uint8_t *bytes, size_t size);
    bool (*end)(struct reader *r);
    void (*free)(struct reader *r);
};

struct reader {
    const struct reader_methods *methods;
    enum kind kind;
    reader_each *each;
    void *argument;
    struct problem broken; /* why feed or end returned false; status 0 = `each` wanted no more */
};

/* Reads on. false: stop, see broken; the file is not what it should be, records before were given out. Never called again after false. */
static inline bool reader_feed(struct reader *r, const uint8_t *bytes, size_t size) { return r->methods->feed(r, bytes, size); }
/* At the end of the file, once. */
static inline bool reader_end(struct reader *r) { return r->methods->end(r); }
static inline void reader_free(struct reader *r) {
    if (r) r->methods->free(r);
}

struct csv_options {
    char separator;  /* ',', ';' or '\t'; 0 = told from the header row */
    const char *map; /* "name:Organization Name,address.street:Address": field and column; `\` before a comma or `\` of a column's name.
                        NULL = the columns are called like the fields */
};
/* RFC 4180, strict, with a header row; UTF-8, with or without a byte order mark. NULL with *p: a bad map, or no memory. */
struct reader *csv_reader(enum kind kind, const struct csv_options *options, reader_each *each, void *argument, struct problem *p);
/* vCard 3.0 (RFC 2426) and 4.0 (RFC 6350). Cards of another kind, and of groups and places, are given out as empty records. */
struct reader *vcard_reader(enum kind kind, reader_each *each, void *argument, struct problem *p);
/* A JSON array of objects, or objects one after the other (NDJSON). */
struct reader *json_reader(enum kind kind, reader_each *each, void *argument, struct problem *p);
