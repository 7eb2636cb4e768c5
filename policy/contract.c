#include "contract.h"

#define DAY_MS ((uint64_t)86400000)

/* S14: no clock that is set ends a term */
enum contract contract_state(const struct contract_dates *d, bool enrolled, uint64_t now_ms, uint64_t counted_ms) {
    if (d->gone_ms) return CONTRACT_GONE;
    if (!d->end_ms) return CONTRACT_CURRENT;
    bool has_run = counted_ms >= d->counted_ms && counted_ms - d->counted_ms >= d->term_ms - d->end_ms;
    return !enrolled || (now_ms >= d->term_ms && has_run) ? CONTRACT_OVERDUE : CONTRACT_ENDING;
}

uint64_t contract_term(uint64_t now_ms, uint64_t wanted_ms) {
    uint64_t least = now_ms + CONTRACT_TERM_DAYS * DAY_MS;
    if (!wanted_ms) return least;
    return wanted_ms >= least && wanted_ms <= now_ms + CONTRACT_TERM_MAX_DAYS * DAY_MS ? wanted_ms : 0;
}

bool contract_dates_fit(const struct contract_dates *d) {
    if (!d->end_ms) return !d->term_ms && !d->returned_ms && !d->gone_ms && !d->counted_ms;
    return d->term_ms > d->end_ms && (!d->returned_ms || d->returned_ms >= d->end_ms) && (!d->gone_ms || d->gone_ms >= d->end_ms);
}
