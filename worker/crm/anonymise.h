/*
 * What remains of a record when nobody can be told from it any more (S10, C4): the fields that the field table says may stay, and a name
 * that is nobody's. Everything else goes, also what the tenant added itself.
 */
#pragma once

#include "field.h"

/* The canonical fields of the anonymous record. New reference; NULL: out of memory. */
json_t *anonymised(enum kind kind, const json_t *fields);
/* Has this one (its fields, or the record as stored) nothing left to take away? */
bool is_anonymous(enum kind kind, const json_t *fields);
