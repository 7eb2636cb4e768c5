#include "duties.h"

#include <stddef.h>
#include <string.h>

const struct duty_row duty_table[DUTY_COUNT] = {
#define DUTY(NAME, GROUP) {#NAME, GROUP},
#define VERB(NAME, DUTY, RECORDED, HELP)
#define SHARED(NAME, RECORDED, HELP)
#define REFUSED(NAME)
#include "duties.def"
#undef DUTY
#undef VERB
#undef SHARED
#undef REFUSED
};

const struct verb_row verb_table[VERB_COUNT] = {
    {"", 0, false, ""},
#define DUTY(NAME, GROUP)
#define VERB(NAME, DUTY, RECORDED, HELP) {#NAME, 1U << DUTY_##DUTY, RECORDED, HELP},
#define SHARED(NAME, RECORDED, HELP)     {#NAME, DUTY_ALL, RECORDED, HELP},
#define REFUSED(NAME)                    {#NAME, 0, true, "nobody at the provider may (C6)"},
#include "duties.def"
#undef DUTY
#undef VERB
#undef SHARED
#undef REFUSED
};

bool duty_may(uint32_t duties, enum verb verb) {
    if ((unsigned)verb >= VERB_COUNT) return false;
    return (verb_table[verb].duties & duties) != 0;
}
