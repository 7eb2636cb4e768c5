/* Verifies a ledger from its first line, or from the middle: the central chain and the chain of each tenant (S11). Pure. */
#pragma once

#include "ledger_line.h"

struct ledger_check {
    struct ledger_chain chain; /* zeroed = nothing yet */
    uint64_t first;            /* COUNT of the first line seen; 0 = none yet */
    struct ledger_check_own {
        uint32_t tenant;
        struct ledger_own own;
    } * own;
    size_t own_count;
};

/* As ledger_chain_next(), of the tenants' chains too. When the first line ever given is not the ledger's first, it is taken as it is, and
 * so is the first line of each tenant. LEDGER_BROKEN also when there is no memory. */
enum ledger_verdict ledger_check_next(struct ledger_check *check, const char *bytes, size_t size, size_t *used, struct ledger_line *line);
void ledger_check_free(struct ledger_check *check);
