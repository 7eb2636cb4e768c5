#include "backup.h"

/* kind 8 bits, destination 8, period 20, keep 24, paused 1; the top three are 0. */
uint64_t plan_pack(const struct plan *p) {
    return (uint64_t)p->kind | (uint64_t)p->destination << 8 | (uint64_t)p->period_minutes << 16 | (uint64_t)p->keep_hours << 36 |
           (uint64_t)p->paused << 60;
}

bool plan_unpack(uint64_t number, struct plan *p) {
    *p = (struct plan){.kind = number & 0xff, .destination = number >> 8 & 0xff, .period_minutes = number >> 16 & 0xfffff};
    p->keep_hours = number >> 36 & 0xffffff;
    p->paused = number >> 60 & 1;
    if (p->kind >= BACKUP_KINDS || number >> 61) return false;
    if (p->period_minutes == 0) return p->destination == 0 && p->keep_hours == 0 && !p->paused;
    return p->period_minutes <= PLAN_PERIOD_MAX && p->keep_hours >= PLAN_KEEP_MIN && p->keep_hours <= PLAN_KEEP_MAX;
}

static const struct {
    const char *word, *meaning;
} results[BACKUP_RESULTS] = {
#define RESULT(NAME, WORD, MEANING) {WORD, MEANING},
#include "backup_results.def"
#undef RESULT
};

const char *backup_result_word(enum backup_result r) { return r < BACKUP_RESULTS ? results[r].word : "unknown"; }
const char *backup_result_meaning(enum backup_result r) { return r < BACKUP_RESULTS ? results[r].meaning : "an unknown result"; }
