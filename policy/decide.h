/* Whether a verb of staff is done: the whole decision as one table (needs.def) and two pure functions over plain facts, so that every
 * combination can be tried (C1, C3, C5, S1). supervisor/acts.c collects the facts. */
#pragma once

#include "contract.h"
#include "duties.h"
#include "messages.h"
#include "undertaking.h"

#include <stdbool.h>
#include <stdint.h>

enum mode { MODE_SHARED = 1, MODE_DEDICATED = 2, MODE_ON_PREMISE = 4 }; /* bits; of the machine, cloison.conf(5) */

const char *mode_name(enum mode mode); /* "shared", "dedicated", "on-premise"; NULL = no such mode */
unsigned mode_of(const char *name);    /* an enum mode; 0 = there is none of that name */

enum needs_state {
    STATE_ANY,
    STATE_RUNNABLE, /* not suspended */
    STATE_SUSPENDED,
    STATE_NOT_ENROLLED,
    STATE_KEYED,   /* enrolled and not suspended */
    STATE_LISTED,  /* a copy of its capsule lies at that place */
    STATE_CURRENT, /* its contract has not ended */
    STATE_ENDING,  /* it has, and nothing is destroyed */
    STATE_OVERDUE, /* and the term is over, or there never was anything to hand back */
    STATE_GONE,    /* everything is destroyed */
};

struct needs {
    bool row; /* false: no row, so nobody may */
    bool undertaking;
    bool tenant, is_new; /* about one; that must not be there yet */
    enum needs_state state;
    uint32_t modes; /* bit set of enum mode */
};
extern const struct needs needs_table[VERB_COUNT];

struct decide_person {
    uint32_t duties;
    enum mode mode;
    bool clock_behind; /* the clock is before what the ledger has recorded */
    enum undertaking_state undertaking;
};
/* ACT_DONE = go on; else ACT_REFUSED, ACT_MODE, ACT_CLOCK or ACT_UNDERTAKING, the first that applies. */
enum act_result decide_person(enum verb verb, const struct decide_person *facts);

struct decide_tenant {
    bool exists;
    bool suspended, enrolled, listed;
    bool emptying; /* two people agreed to empty it */
    bool leaving;  /* the supervisor ends */
    enum contract contract;
};
/* ACT_DONE = go on; else ACT_EXISTS, ACT_NO_TENANT or ACT_WRONG_STATE. */
enum act_result decide_tenant(enum verb verb, const struct decide_tenant *facts);
