#include "wishes.h"

#include "clock.h"
#include "log.h"
#include "supervisor.h"
#include "tell.h"
#include "tenant.h"

#include <string.h>

#define WORDS(WORD) WORD(enrolled) WORD(plain_on) WORD(plain_off) WORD(references) WORD(regions)
#define NUMBER(W)   line_##W,
#define TEXT(W)     #W,
enum { WORDS(NUMBER) LINES, SAVE_AGAIN_MS = 5000 /* when the registry could not be written */ };
static const char *const words[] = {WORDS(TEXT)};
#define LINE(W) (1u << line_##W)

static bool has_wishes(const struct tenant *t) {
    return t->save_enrolled || t->save_plain >= 0 || t->save_references >= 0 || t->save_bound || t->save_chain_ms;
}

/* The row as it is to be. */
static struct registry_tenant wanted_row(const struct tenant *t) {
    struct registry_tenant e = *t->entry;
    if (t->save_enrolled) {
        e.enrolled = true;
        e.has_code = false;
        memset(e.code_hash, 0, sizeof e.code_hash);
    }
    if (t->save_plain >= 0) e.plain = t->save_plain;
    if (t->save_references >= 0) e.references = (uint32_t)t->save_references;
    if (t->save_bound) e.bound = t->bound;
    if (t->save_chain_ms) e.chain_ms = t->save_chain_ms;
    return e;
}

/* The line first, once. */
static void record_wishes(struct tenant *t) {
    for (int i = 0; i < LINES; i++)
        if (t->save_lines >> i & 1) ledger_event(t->house->ledger, clock_unix_ms(), words[i], supervisor_about(t->entry), "done");
    t->save_lines = 0;
}

static void keep_wishes(struct tenant *t) {
    uint64_t now = clock_ms();
    if (t->save_lines && !changes_take(&t->changes, now, &t->save_at)) return;
    record_wishes(t);
    t->save_at = now + SAVE_AGAIN_MS;
    const struct registry_tenant e = wanted_row(t);
    if (registry_update(t->house->registry, &e) != REGISTRY_DONE) {
        log_errno("tenant %s: what its worker did is not in the registry yet", t->entry->name);
        return;
    }
    if (t->save_enrolled) tell_event(t, EVENT_ENROLLED);
    t->save_enrolled = false;
    t->save_plain = -1;
    t->save_references = -1;
    t->save_bound = false;
    t->save_chain_ms = 0;
    tenant_open_plain(t);
    tell_tenant(t);
}

static void wish(struct tenant *t, uint32_t line) {
    t->save_lines |= line;
    keep_wishes(t);
}

void wishes_tick(struct tenant *t, uint64_t now) {
    if (has_wishes(t) && now >= t->save_at) keep_wishes(t);
}

void wishes_plain(struct tenant *t, bool wanted) {
    if (t->entry->plain == wanted && t->save_plain < 0) return;
    t->save_plain = wanted;
    t->save_lines &= ~(LINE(plain_on) | LINE(plain_off));
    wish(t, wanted ? LINE(plain_on) : LINE(plain_off));
}

void wishes_references(struct tenant *t, uint32_t references) {
    if (t->entry->references == references && t->save_references < 0) return;
    t->save_references = references;
    wish(t, LINE(references));
}

/* S8: a bound is names, so that another list of destinations or places does not widen it: what crosses
 * with another list is put right by the worker, which says its bits anew after each one */
void wishes_regions(struct tenant *t, uint64_t bits) {
    const struct config *c = &t->house->config;
    struct region_bound wanted = {.bounded = bits != 0};
    if (bits & REGIONS_NODE) region_allow(&wanted, c->region);
    for (uint32_t i = 0; i < c->destination_count; i++)
        if (bits >> i & 1) region_allow(&wanted, c->destination[i].region);
    for (uint32_t i = 0; i < c->place_count; i++)
        if (bits >> (REGIONS_PLACES + i) & 1) region_allow(&wanted, c->place[i].region);
    const struct region_bound *now = t->save_bound ? &t->bound : &t->entry->bound;
    if (now->bounded == wanted.bounded && strcmp(now->names, wanted.names) == 0) return;
    t->bound = wanted;
    t->save_bound = true;
    wish(t, LINE(regions));
}

bool wishes_allow(const struct tenant *t, const char *region) {
    return region_allowed(t->save_bound ? &t->bound : &t->entry->bound, region);
}

void wishes_enrolled(struct tenant *t) {
    t->save_enrolled = true;
    wish(t, LINE(enrolled));
}

void wishes_chain(struct tenant *t) {
    t->save_chain_ms = clock_unix_ms();
    keep_wishes(t);
    tell_event(t, EVENT_CHAIN_INSTALLED);
}
