/* The versions in a document's record: members type, size, sha256 and content are those of the newest, `versions` has all, oldest first. */
#pragma once

#include "../crm/record.h"
#include "content.h"

enum { VERSIONS_MAX = 100 };

struct version {
    json_int_t number;
    struct content content;
    const char *type;   /* as the client called it; borrowed */
    const char *sha256; /* hexadecimal; borrowed */
};

size_t version_count(const json_t *fields);
/* The i-th, oldest first. false: there is none, or the record is no document's. */
bool version_at(const json_t *fields, size_t i, struct version *v);
/* The one of a number; 0 = the newest. */
bool version_find(const json_t *fields, json_int_t number, struct version *v);
/* Adds one as the newest, and gives it its number. false: out of memory. */
bool version_add(json_t *fields, struct version *v);
/* Takes one out; the newest of the rest becomes the content. false: none of that number, or out of memory. */
bool version_remove(json_t *fields, json_int_t number);
