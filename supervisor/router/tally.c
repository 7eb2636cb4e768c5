#include "tally.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool notable;
} ends[TALLY_COUNT] = {
#define END(NAME, NOTABLE, MEANING) {#NAME, NOTABLE},
    TALLY_ENDS(END)
#undef END
};

void tally_say(struct tally *tally) {
    bool notable = false;
    char line[1024];
    int used = snprintf(line, sizeof line, "cloison-router: since the last line:");
    for (int i = 0; i < TALLY_COUNT; i++) {
        uint64_t more = tally->count[i] - tally->said[i];
        if (more == 0) continue;
        notable = notable || ends[i].notable;
        used += snprintf(line + used, sizeof line - (size_t)used, " %s %llu", ends[i].name, (unsigned long long)more);
    }
    if (!notable) return;
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)used) < 0) return; /* nobody reads: the next line has the sum */
    memcpy(tally->said, tally->count, sizeof tally->said);
}
