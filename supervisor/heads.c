#include "heads.h"

#include <stdlib.h>
#include <string.h>

bool heads_room(struct heads *h) {
    uint8_t(*more)[LEDGER_HASH] = reallocarray(h->hash, h->count + 1, sizeof *more);
    if (more) h->hash = more;
    return more;
}

void heads_add(struct heads *h, const uint8_t hash[LEDGER_HASH]) { memcpy(h->hash[h->count++], hash, LEDGER_HASH); }

void heads_free(struct heads *h) {
    free(h->hash);
    *h = (struct heads){0};
}

bool heads_hold(const struct heads *h, uint64_t count, const uint8_t hash[LEDGER_HASH]) {
    return count == 0 || (count <= h->count && memcmp(h->hash[count - 1], hash, LEDGER_HASH) == 0);
}
