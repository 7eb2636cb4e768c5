/* Uses of a tenant as a reference (C10): the table, without any I/O. */
#pragma once

#include <stddef.h>

enum reference {
#define REFERENCE(NAME, FRENCH, ENGLISH) REFERENCE_##NAME,
#include "references.def"
#undef REFERENCE
    REFERENCE_COUNT
};
enum { REFERENCES_ALL = (1 << REFERENCE_COUNT) - 1 }; /* bits, 1 << enum reference */

struct reference_row {
    const char *name, *fr, *en;
};
extern const struct reference_row reference_table[REFERENCE_COUNT];

/* REFERENCE_COUNT: there is none of that name. */
enum reference reference_find(const char *name, size_t size);
