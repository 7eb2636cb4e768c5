/* The processing functions (C4, C12): the table, without any I/O. What is switched on is the tenant's own setting (worker/functions.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum function {
    FUNCTION_NONE, /* of a route: it needs none */
#define FUNCTION(NAME, ...) FUNCTION_##NAME,
#include "functions.def"
#undef FUNCTION
    FUNCTION_COUNT
};

/* Who in a tenant may switch a function or confirm a single use. */
enum function_who { WHO_NOBODY, WHO_USER, WHO_ADMINISTRATOR };

enum function_basis {
#define BASIS(NAME, FRENCH, ENGLISH) BASIS_##NAME,
#include "functions.def"
#undef BASIS
    BASIS_COUNT
};

/* The same in the interface's two languages. */
struct both {
    const char *fr, *en;
};

struct function_row {
    const char *name;
    int version; /* of the texts, from 1 on */
    enum function_who switched_by, once;
    const char *needed;   /* why nothing works without it; "" = it does */
    const char *enforced; /* "" = by the routes; else the file that does, as seen from the root of the sources */
    enum function_basis basis;
    struct both title, purpose, data, recipients, term, meaning;
};

enum { FUNCTION_NAME_MAX = 14 }; /* bytes of a name */

extern const struct function_row function_table[FUNCTION_COUNT]; /* row 0 is FUNCTION_NONE: name "" */
extern const struct both basis_table[BASIS_COUNT];
extern const char *const who_names[]; /* "nobody", "user", "administrator" */

/* FUNCTION_NONE when there is none of this name. */
enum function function_find(const char *name, size_t size);
