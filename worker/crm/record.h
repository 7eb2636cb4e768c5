/*
 * One company, contact or document: from a JSON text of anybody's making to the bytes that are stored, which are the bytes that are served.
 * Everything refused is a struct problem that names the field and what was expected, or the line of broken JSON; never a value (S2).
 */
#pragma once

#include "field.h"
#include "problem.h"
#include "text.h"
#include "ulid.h"

enum {
    RECORD_BODY_MAX = 262144, /* bytes of JSON that make one record */
    RECORD_DEPTH_MAX = 8,     /* arrays and objects in one another */
    RECORD_VALUES_MAX = 4096, /* values and names in one record: bounds what a parsed one takes */
    RECORD_TIME = 24,         /* characters of 2026-01-31T12:34:56.789Z */
};

struct record {
    enum kind kind;
    uint8_t id[ID_BYTES];
    uint64_t version;              /* as the store has it; 0 = not stored */
    char created[RECORD_TIME + 1]; /* UTC */
    char modified[RECORD_TIME + 1];
    char archived[RECORD_TIME + 1]; /* since when it is out of the lists; "" = it is in them. A change of the record brings it back */
    json_t *fields;                 /* canonical, without id, kind, version, created, modified, archived; owned */
};
void record_free(struct record *r); /* r->fields only; r may be used again */

/* Reads one JSON object, strictly: RFC 8259, UTF-8, no NUL, no lone surrogate, no name twice, bounded. first_line: the line of the file at
 * which json starts, 1 for a body. New reference; NULL with *p. */
json_t *record_parse(const void *json, size_t size, unsigned long first_line, struct problem *p);

/* Takes the members that the server gives out of input: id (which must be `id`, if that is not NULL and else not be there), kind (which
 * must be kind's name), version, created, modified, archived and the kind's own (not looked at), so that what was got may be sent back.
 * false with *p. */
bool record_strip(enum kind kind, const uint8_t *id, json_t *input, struct problem *p);
/* Puts what the server gives this kind into fields that a client sent, as it stands in `from`. false: out of memory. */
bool record_keep_given(const struct record *from, json_t *fields);

enum record_flag { RECORD_NULLS = 1 /* null = not given */, RECORD_LENIENT = 2 /* white space of files: see field_text() */ };
/* The canonical fields out of what was sent (stripped): known names in the table's order, texts in canonical form, empty ones left out.
 * New reference; NULL with *p. */
json_t *record_validate(enum kind kind, const json_t *input, unsigned flags, struct problem *p);

/* RFC 7396: the target with patch merged in; neither is changed. New reference; NULL: out of memory. */
json_t *record_merge(const json_t *target, const json_t *patch);

/* The time now, in the form of created and modified. */
void record_time(char out[RECORD_TIME + 1]);

/* How to write JSON with these custom values: compact, numbers as short as gives them back exactly. */
size_t record_dump_flags(const json_t *custom);

/* The bytes to store: compact JSON, id, kind, version, created, modified, archived if it is, then the fields. false: out of memory. */
bool record_render(const struct record *r, struct text *out);
/* The reverse, of bytes that record_render() made. false: they are not, or out of memory. */
bool record_load(enum kind kind, const void *stored, size_t size, struct record *r);

/* What a list shows of a record: compact JSON of at most INDEX_SUMMARY_MAX bytes; long texts are cut with an ellipsis. false: out of
 * memory. */
bool record_summary(const struct record *r, struct text *out);
/* Its place in the index. false: out of memory. */
bool record_key(const struct record *r, struct index_key *key);
