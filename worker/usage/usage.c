#include "usage.h"

#include "../functions.h"
#include "../tenant.h"

static const struct {
    char letter[8];
    enum counter counter;
} letters[] = {
#define LETTER(NAME) {#NAME, COUNTER_letter_##NAME},
#include "../../policy/usage.def"
};

/* S3, S5: it is counted while the tenant has the function on, and is zero again when it has not */
void usage_turn(void) {
    static enum usage_state said = USAGE_UNKNOWN;
    enum usage_state state = !self.keys ? USAGE_UNKNOWN : function_on(FUNCTION_counters) ? USAGE_ON : USAGE_OFF;
    if (state == said) return;
    for (int c = 0; state != USAGE_ON && c < COUNTER_COUNT; c++)
        if (counter_table[c].class == COUNTER_USAGE) gauge((enum counter)c, 0);
    gauge(COUNTER_usage_state, state);
    said = state;
}

void usage_letter(char letter) {
    enum counter counter = COUNTER_letter_other;
    if (!function_on(FUNCTION_counters)) return;
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (!letters[i].letter[1] && letters[i].letter[0] == letter) counter = letters[i].counter;
    count(counter, 1);
}
