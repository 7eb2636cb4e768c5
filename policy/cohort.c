#include "cohort.h"

/* ---- who counts ---- */

static size_t size_of(const struct cohort_member *member, size_t count, uint32_t group) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += member[i].group == group;
    return size;
}

static void dissolve(struct cohort_member *member, size_t count, uint32_t group, uint64_t until) {
    for (size_t i = 0; i < count; i++) {
        if (member[i].group != group) continue;
        member[i].group = 0;
        member[i].wait = until;
    }
}

void cohort_end(struct cohort_member *member, const enum cohort_wish *wish, size_t count, uint32_t threshold, uint64_t period) {
    for (size_t i = 0; i < count; i++) {
        uint32_t group = member[i].group;
        if (group && (wish[i] == COHORT_OUT || size_of(member, count, group) < threshold))
            dissolve(member, count, group, period + COHORT_WAIT);
    }
}

static bool may_join(const struct cohort_member *m, enum cohort_wish wish, uint64_t period) {
    return !m->group && wish == COHORT_IN && m->wait <= period;
}

void cohort_begin(struct cohort_member *member, const enum cohort_wish *wish, size_t count, uint32_t threshold, uint64_t period,
                  uint32_t *last_group) {
    size_t waiting = 0, joined = 0;
    for (size_t i = 0; i < count; i++)
        waiting += may_join(&member[i], wish[i], period);
    size_t groups = waiting / threshold;
    if (!groups || *last_group > UINT32_MAX - groups) return;
    for (size_t i = 0; i < count; i++) {
        if (!may_join(&member[i], wish[i], period)) continue;
        size_t group = joined++ / threshold; /* the last one takes the rest */
        member[i].group = *last_group + 1 + (uint32_t)(group < groups ? group : groups - 1);
    }
    *last_group += (uint32_t)groups;
}

/* ---- what is said ---- */

static uint32_t reach(const uint64_t *value, size_t count, uint64_t least) {
    uint32_t tenants = 0;
    for (size_t i = 0; i < count; i++)
        tenants += value[i] >= least;
    return tenants;
}

/* S12: what is published of many tenants singles none out */
struct cohort_cell cohort_cell(const uint64_t *value, size_t count, uint32_t threshold) {
    struct cohort_cell cell = {0};
    if (threshold == 0) return cell;
    for (uint64_t least = 10;; least *= 10) {
        uint32_t tenants = reach(value, count, least);
        if (tenants < threshold) return cell;
        cell = (struct cohort_cell){.at_least = least, .tenants = tenants / threshold * threshold};
        if (least > UINT64_MAX / 10) return cell;
    }
}
