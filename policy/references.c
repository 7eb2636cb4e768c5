#include "references.h"

#include <string.h>

const struct reference_row reference_table[REFERENCE_COUNT] = {
#define REFERENCE(NAME, FRENCH, ENGLISH) {#NAME, FRENCH, ENGLISH},
#include "references.def"
#undef REFERENCE
};

enum reference reference_find(const char *name, size_t size) {
    int i = 0;
    while (i < REFERENCE_COUNT && (strlen(reference_table[i].name) != size || memcmp(reference_table[i].name, name, size) != 0))
        i++;
    return (enum reference)i;
}
