#include "duties.h"

#include <stddef.h>
#include <string.h>

const struct duty_row duty_table[DUTY_COUNT] = {
#define DUTY(NAME, GROUP) {#NAME, GROUP},
#define VERB(NAME, DUTY, RECORDED, HELP)
#define REFUSED(NAME)
#include "duties.def"
#undef DUTY
#undef VERB
#undef REFUSED
};

const struct verb_row verb_table[VERB_COUNT] = {
    {"", 0, false, ""},
#define DUTY(NAME, GROUP)
#define VERB(NAME, DUTY, RECORDED, HELP) {#NAME, 1U << DUTY_##DUTY, RECORDED, HELP},
#define REFUSED(NAME)                    {#NAME, 0, true, "nobody at the provider may (C6)"},
#include "duties.def"
#undef DUTY
#undef VERB
#undef REFUSED
};

bool duty_may(uint32_t duties, enum verb verb) {
    if ((unsigned)verb >= VERB_COUNT) return false;
    return (verb_table[verb].duties & duties) != 0;
}

/* The table's names are C identifiers: "enrol_code" is said "enrol-code". Both are taken. */
static bool same(const char *row, const char *name) {
    for (; *row && *name; row++, name++)
        if (*row != *name && !(*row == '_' && *name == '-')) return false;
    return *row == *name;
}

enum verb verb_named(const char *name) {
    for (int v = VERB_NONE + 1; v < VERB_COUNT; v++)
        if (same(verb_table[v].name, name)) return (enum verb)v;
    return VERB_NONE;
}
