/* The hash after each line of a record, so that what was once its end is found again. */
#pragma once

#include "../policy/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heads {
    size_t count;
    uint8_t (*hash)[LEDGER_HASH];
};

bool heads_room(struct heads *heads); /* for one more; false: no memory */
void heads_add(struct heads *heads, const uint8_t hash[LEDGER_HASH]);
void heads_free(struct heads *heads);

/* Whether its first `count` lines ended with that hash. */
bool heads_hold(const struct heads *heads, uint64_t count, const uint8_t hash[LEDGER_HASH]);
