/* A small JSON object as a request's body: known fields of known types, nothing else. Each call that returns false has answered. */
#pragma once

#include "http.h"

enum { FIELDS_BODY_MAX = 16384 };

/* Reads the body; *object is to be given to json_decref. `names` ends with NULL: any other field is refused. */
bool fields_read(struct exchange *x, const struct request *r, const char *const *names, json_t **object);

/* A string of 1..max bytes, borrowed from the object. */
bool fields_string(struct exchange *x, json_t *object, const char *name, size_t max, const char **value);

/* The member `expires`, a time to come in RFC 3339 and UTC, as Unix seconds; absent: `standard` seconds from now. longest: the most seconds
 * from now, 0 = any, and null = never (0). */
bool fields_expires(struct exchange *x, json_t *object, uint64_t standard, uint64_t longest, uint64_t *expires);

/* A query that may be empty or name=true|false alone; absent is false. */
bool fields_flag(struct exchange *x, const struct request *r, const char *name, bool *value);

/* Unix seconds as RFC 3339 in UTC; 0 = null. A new value; NULL: out of memory. */
json_t *json_time(uint64_t seconds);

/* 400 `invalid-field`. expected: a sentence, never what came. */
void fields_refuse(struct exchange *x, const char *name, const char *expected);
