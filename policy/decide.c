#include "decide.h"

#include <string.h>

enum { UNSIGNED, SIGNED };
enum { EVERYWHERE = MODE_SHARED | MODE_DEDICATED | MODE_ON_PREMISE, HOSTED = MODE_SHARED };
#define TENANT_NONE .tenant = false
#define TENANT_THAT .tenant = true
#define TENANT_NEW  .tenant = true, .is_new = true

const struct needs needs_table[VERB_COUNT] = {
#define NEEDS(VERB, UNDERTAKING, TENANT, STATE, MODES)                                                                                     \
    [VERB_##VERB] = {.row = true, .undertaking = (UNDERTAKING), TENANT_##TENANT, .state = STATE_##STATE, .modes = (MODES)},
#include "needs.def"
#undef NEEDS
};

static const char *const modes[] = {"shared", "dedicated", "on-premise"}; /* bit by bit */

const char *mode_name(enum mode mode) {
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if ((unsigned)mode == 1U << i) return modes[i];
    return NULL;
}

unsigned mode_of(const char *name) {
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i], name) == 0) return 1U << i;
    return 0;
}

enum act_result decide_person(enum verb verb, const struct decide_person *facts) {
    if (!duty_may(facts->duties, verb) || !needs_table[verb].row) return ACT_REFUSED;
    if (!(needs_table[verb].modes & facts->mode)) return ACT_MODE;
    if (facts->clock_behind && verb_table[verb].recorded) return ACT_CLOCK;
    return needs_table[verb].undertaking && facts->undertaking != UNDERTAKING_IN_FORCE ? ACT_UNDERTAKING : ACT_DONE;
}

static bool fits(enum needs_state wanted, const struct decide_tenant *t) {
    switch (wanted) {
    case STATE_ANY:
        return true;
    case STATE_RUNNABLE:
        return !t->suspended;
    case STATE_SUSPENDED:
        return t->suspended;
    case STATE_NOT_ENROLLED:
        return !t->enrolled;
    case STATE_KEYED:
        return t->enrolled && !t->suspended;
    case STATE_LISTED:
        return t->listed;
    case STATE_CURRENT:
        return t->contract == CONTRACT_CURRENT;
    case STATE_ENDING:
        return t->contract == CONTRACT_ENDING || t->contract == CONTRACT_OVERDUE;
    case STATE_OVERDUE:
        return t->contract == CONTRACT_OVERDUE;
    case STATE_GONE:
        return t->contract == CONTRACT_GONE;
    }
    return false;
}

enum act_result decide_tenant(enum verb verb, const struct decide_tenant *facts) {
    const struct needs *needs = &needs_table[verb];
    if (!needs->tenant) return ACT_DONE;
    if (needs->is_new) return facts->exists ? ACT_EXISTS : ACT_DONE;
    if (!facts->exists) return ACT_NO_TENANT;
    if (facts->contract == CONTRACT_GONE && needs->state != STATE_GONE) return ACT_WRONG_STATE;
    return fits(needs->state, facts) && !facts->emptying && !facts->leaving ? ACT_DONE : ACT_WRONG_STATE;
}
