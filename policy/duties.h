/* Staff duties and verbs: the decision, without any I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum duty {
#define DUTY(NAME, GROUP) DUTY_##NAME,
#define VERB(NAME, DUTY, RECORDED, HELP)
#define SHARED(NAME, RECORDED, HELP)
#define REFUSED(NAME)
#include "duties.def"
#undef DUTY
#undef VERB
#undef SHARED
#undef REFUSED
    DUTY_COUNT
};
enum { DUTY_ALL = (1 << DUTY_COUNT) - 1 /* a set of duties: every one */ };

enum verb {
    VERB_NONE,
#define DUTY(NAME, GROUP)
#define VERB(NAME, DUTY, RECORDED, HELP) VERB_##NAME,
#define SHARED(NAME, RECORDED, HELP)     VERB_##NAME,
#define REFUSED(NAME)                    VERB_##NAME,
#include "duties.def"
#undef DUTY
#undef VERB
#undef SHARED
#undef REFUSED
    VERB_COUNT
};

struct duty_row {
    const char *name;
    const char *group;
};
extern const struct duty_row duty_table[DUTY_COUNT];

struct verb_row {
    const char *name; /* as in duties.def; the command says "enrol-code" for enrol_code */
    uint32_t duties;  /* bit set of the duties that may; 0 = nobody, ever (C6) */
    bool recorded;    /* in the ledger, and refused when the ledger cannot take it */
    const char *help;
};
extern const struct verb_row verb_table[VERB_COUNT]; /* row 0 is VERB_NONE: name "", nobody */

/* Whether a person holding these duties may do this. An out-of-range verb is refused. */
bool duty_may(uint32_t duties, enum verb verb);
