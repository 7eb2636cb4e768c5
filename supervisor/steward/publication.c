#include "publication.h"

#include "../../policy/cohort.h"

#include <errno.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One copy of the file. */
struct groups {
    char magic[8];
    uint64_t written; /* rises by one with each */
    uint64_t period;  /* the latest that has begun: none before it is published any more, whatever the clock says */
    uint32_t last_group, count;
    struct cohort_member member[TENANTS_MAX];
    uint8_t hash[SHA256_DIGEST_LENGTH]; /* of all before it */
};
static const char magic[8] = "CLGROUP1";

struct publication {
    int fd; /* -1 = not started */
    uint32_t threshold, seconds;
    uint64_t period; /* that goes on now */
    bool whole;      /* watched from its first moment on */
    bool lost;       /* the file had groups that cannot be read */
    struct groups groups;
    /* What is published. */
    bool ready;
    uint64_t said_period;
    uint32_t said_tenants;
    struct cohort_cell cell[COUNTER_COUNT];
};

struct publication *publication_new(void) {
    struct publication *p = calloc(1, sizeof *p);
    if (p) p->fd = -1;
    return p;
}

void publication_free(struct publication *p) {
    if (p && p->fd >= 0) close(p->fd);
    free(p);
}

/* ---- the file ---- */

static void hash_of(const struct groups *g, uint8_t hash[SHA256_DIGEST_LENGTH]) {
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)g, offsetof(struct groups, hash));
    SHA256Final(hash, &context);
}

static bool groups_read(int fd, int copy, struct groups *g) {
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (pread(fd, g, sizeof *g, copy * (off_t)sizeof *g) != (ssize_t)sizeof *g) return false;
    hash_of(g, hash);
    return memcmp(hash, g->hash, sizeof hash) == 0 && memcmp(g->magic, magic, sizeof magic) == 0 && g->count <= TENANTS_MAX;
}

static bool groups_write(struct publication *p) {
    struct groups *g = &p->groups;
    memcpy(g->magic, magic, sizeof magic);
    g->written++;
    hash_of(g, g->hash);
    return pwrite(p->fd, g, sizeof *g, (off_t)(g->written % 2) * (off_t)sizeof *g) == (ssize_t)sizeof *g && fdatasync(p->fd) == 0;
}

/* The newer copy. A new file is empty; in any other that has none, everybody must be taken for one who was in a group. */
static bool groups_load(struct publication *p) {
    struct groups *other = malloc(sizeof *other);
    char first;
    if (!other) return false;
    bool any = groups_read(p->fd, 0, &p->groups), second = groups_read(p->fd, 1, other);
    if (second && (!any || other->written > p->groups.written)) p->groups = *other;
    free(other);
    if (any || second) return true;
    memset(&p->groups, 0, sizeof p->groups);
    ssize_t size = pread(p->fd, &first, 1, 0);
    if (size == 0) return true;
    steward_log("the groups of the publication cannot be read: nothing is published for %d periods", COHORT_WAIT);
    p->lost = true;
    return size > 0;
}

bool publication_start(struct publication *p, int fd, uint32_t threshold, uint32_t seconds, uint64_t now_ms) {
    if (p->fd >= 0 && p->threshold == threshold && p->seconds == seconds) {
        close(fd); /* a reload that changes nothing here */
        return true;
    }
    if (p->fd >= 0) close(p->fd);
    p->fd = fd;
    errno = EINVAL;
    if (threshold < COHORT_THRESHOLD || seconds == 0) return false;
    p->threshold = threshold;
    p->seconds = seconds;
    p->period = now_ms / 1000 / seconds;
    p->whole = false;
    return groups_load(p);
}

/* ---- the members ---- */

static struct cohort_member *member_of(struct groups *g, uint32_t tenant) {
    for (uint32_t i = 0; i < g->count; i++)
        if (g->member[i].tenant == tenant) return &g->member[i];
    return NULL;
}

/* Members without a tenant leave once their wait is over or they have none; tenants without a member come. */
static void members_follow(struct publication *p, const struct tenants *tenants, uint64_t period, uint64_t wait) {
    struct groups *g = &p->groups;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->count; i++)
        if (g->member[i].group || g->member[i].wait > period || tenants_by_number(tenants, g->member[i].tenant))
            g->member[kept++] = g->member[i];
    g->count = kept;
    for (size_t i = 0; i < tenants_count(tenants); i++) {
        uint32_t number = tenants_at(tenants, i)->is.head.tenant;
        if (!member_of(g, number) && g->count < TENANTS_MAX) g->member[g->count++] = (struct cohort_member){.tenant = number, .wait = wait};
    }
}

static enum cohort_wish wish_of(const struct tenants *tenants, uint32_t number) {
    const struct tenants_row *row = tenants_by_number(tenants, number);
    if (!row || row->usage_left) return COHORT_OUT;
    return row->usage_on ? COHORT_IN : COHORT_UNKNOWN;
}

/* ---- the end of a period ---- */

/* What each tenant of the cohort has counted since the period began. */
static size_t numbers_of(const struct publication *p, const struct tenants *tenants, enum counter c, uint64_t *value) {
    size_t count = 0;
    for (uint32_t i = 0; i < p->groups.count; i++) {
        const struct tenants_row *row = tenants_by_number(tenants, p->groups.member[i].tenant);
        if (p->groups.member[i].group && row) value[count++] = tenants_usage(row, c) - row->usage_begun[c];
    }
    return count;
}

/* S12: of no fewer tenants than the threshold, over whole periods */
static bool publish(struct publication *p, const struct tenants *tenants) {
    uint64_t *value = calloc(p->groups.count + 1, sizeof *value);
    size_t count = 0;
    if (!value) return false;
    for (int c = 0; c < COUNTER_COUNT; c++) {
        if (counter_table[c].class != COUNTER_USAGE) continue;
        count = numbers_of(p, tenants, (enum counter)c, value);
        p->cell[c] = cohort_cell(value, count, p->threshold);
    }
    free(value);
    p->said_period = p->period;
    p->said_tenants = (uint32_t)count / p->threshold * p->threshold;
    return p->ready = true;
}

static void turn(struct publication *p, struct tenants *tenants, uint64_t now) {
    enum cohort_wish *wish = calloc(TENANTS_MAX, sizeof *wish);
    struct groups *g = &p->groups;
    if (!wish) return;
    members_follow(p, tenants, now, p->lost ? now + COHORT_WAIT : 0);
    p->lost = false;
    for (uint32_t i = 0; i < g->count; i++)
        wish[i] = wish_of(tenants, g->member[i].tenant);
    cohort_end(g->member, wish, g->count, p->threshold, now);
    if (p->whole && now == p->period + 1 && p->period >= g->period) publish(p, tenants);
    cohort_begin(g->member, wish, g->count, p->threshold, now, &g->last_group);
    free(wish);
    if (g->period < now) g->period = now;
    /* Groups that are not kept are none: a period that begins with them is not published. */
    p->whole = groups_write(p);
    if (!p->whole) steward_log("the groups of the publication cannot be written: %s", strerror(errno));
    p->period = now;
    tenants_usage_begin(tenants);
}

void publication_tick(struct publication *p, struct tenants *tenants, uint64_t now_ms) {
    if (p->fd < 0) return;
    uint64_t now = now_ms / 1000 / p->seconds;
    if (now != p->period) turn(p, tenants, now);
}

/* ---- as JSON ---- */

bool publication_ready(const struct publication *p) { return p->ready; }

static json_t *rule_json(const struct publication *p) {
    return json_sprintf(
        "A cell says that at least so many tenants had at least so much each in the period: %u tenants or more, rounded down to a "
        "multiple of %u; at least 10, 100, 1000 and so on. A tenant's number counts by its order of magnitude alone. There are no "
        "totals and no groups; what fewer tenants reached is left out. Counted are tenants that had the function on for the whole "
        "period. They come into the count in groups of at least %u; when one leaves, its whole group does, for %d periods.",
        p->threshold, p->threshold, p->threshold, COHORT_WAIT);
}

/* JSON's integers are signed here. */
static json_int_t number(uint64_t value) { return value > INT64_MAX ? INT64_MAX : (json_int_t)value; }

static json_t *cells_json(const struct publication *p) {
    json_t *cells = json_array();
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (p->cell[c].at_least)
            json_array_append_new(cells,
                                  json_pack("{s:s, s:s, s:I, s:I}", "number", counter_table[c].name, "meaning", counter_table[c].help,
                                            "at_least", number(p->cell[c].at_least), "tenants", (json_int_t)p->cell[c].tenants));
    return cells;
}

json_t *publication_json(const struct publication *p) {
    if (!p->ready) return NULL;
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "from", number(p->said_period * p->seconds), "until",
                     number((p->said_period + 1) * p->seconds), "threshold", (json_int_t)p->threshold, "tenants",
                     (json_int_t)p->said_tenants, "cells", cells_json(p), "rule", rule_json(p));
}
