/* A small JSON object as a request's body: known fields of known types, nothing else. Each call that returns false has answered. */
#pragma once

#include "http.h"

enum { FIELDS_BODY_MAX = 16384 };

/* Reads the body; *object is to be given to json_decref. `names` ends with NULL: any other field is refused. */
bool fields_read(struct exchange *x, const struct request *r, const char *const *names, json_t **object);

/* A string of 1..max bytes, borrowed from the object. */
bool fields_string(struct exchange *x, json_t *object, const char *name, size_t max, const char **value);

/* 400 `invalid-field`. expected: a sentence, never what came. */
void fields_refuse(struct exchange *x, const char *name, const char *expected);
