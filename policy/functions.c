#include "functions.h"

#include <string.h>

#define BOTH(FRENCH, ENGLISH)                                                                                                              \
    { FRENCH, ENGLISH }

const struct function_row function_table[FUNCTION_COUNT] = {
    {.name = ""},
#define FUNCTION(NAME, VERSION, SWITCH, ONCE, NEEDED, ENFORCED, BASIS, PURPOSE, DATA, RECIPIENTS, TERM, MEANING)                           \
    {#NAME, VERSION, WHO_##SWITCH, WHO_##ONCE, NEEDED, ENFORCED, BASIS_##BASIS, PURPOSE, DATA, RECIPIENTS, TERM, MEANING},
#include "functions.def"
#undef FUNCTION
};

const struct both basis_table[BASIS_COUNT] = {
#define BASIS(NAME, FRENCH, ENGLISH) {FRENCH, ENGLISH},
#include "functions.def"
#undef BASIS
};

#define FUNCTION(NAME, ...) _Static_assert(sizeof #NAME - 1 <= FUNCTION_NAME_MAX, "the name of a function is part of its setting's id");
#include "functions.def"
#undef FUNCTION

const char *const who_names[] = {[WHO_NOBODY] = "nobody", [WHO_USER] = "user", [WHO_ADMINISTRATOR] = "administrator"};

enum function function_find(const char *name, size_t size) {
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++)
        if (strlen(function_table[f].name) == size && memcmp(function_table[f].name, name, size) == 0) return (enum function)f;
    return FUNCTION_NONE;
}
