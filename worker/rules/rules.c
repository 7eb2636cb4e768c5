#include "rules.h"

#include "../crm/anonymise.h"
#include "../crm/catalog.h"
#include "../documents/documents.h"
#include "../functions.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "../web/connection.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_RECORDS = 64, FIRST_MS = 5000, STEP_MS = 20, RETRY_MS = 5000, AGAIN_MS = 6 * 3600 * 1000, HOUR = 3600, DAY = 86400 };

/* ---- the rules in the store ---- */

enum store_result rule_get(const uint8_t id[ID_BYTES], struct rule *rule) {
    const uint8_t *value;
    size_t size;
    enum store_result result = store_get(self.store, STORE_RULES, id, &value, &size, NULL);
    return result == STORE_OK && !rule_load(rule, value, size) ? STORE_BROKEN : result;
}

enum store_result rule_save(const struct rule *rule) {
    json_t *o = rule_json(rule);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    enum store_result result = text ? store_put(self.store, STORE_RULES, rule->id, text, strlen(text), STORE_ANY, NULL) : STORE_MEMORY;
    free(text);
    json_decref(o);
    return result;
}

static bool take_rule(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct rule_list *all = argument;
    (void)id, (void)version;
    all->count += rule_load(&all->rule[all->count], value, size);
    return all->count < RULES_MAX;
}

static int by_id(const void *a, const void *b) { return memcmp(((const struct rule *)a)->id, ((const struct rule *)b)->id, ID_BYTES); }

enum store_result rules_load(struct rule_list **list) {
    struct store_cursor cursor = {0};
    struct rule_list *all = calloc(1, sizeof *all);
    enum store_result result = all ? STORE_OK : STORE_MEMORY;
    while ((result == STORE_OK || result == STORE_BROKEN) && !cursor.done && all->count < RULES_MAX)
        result = store_walk(self.store, STORE_RULES, &cursor, RULES_MAX, take_rule, all);
    *list = all;
    if (result == STORE_OK || result == STORE_BROKEN) {
        qsort(all->rule, all->count, sizeof *all->rule, by_id);
        return STORE_OK;
    }
    free(all);
    *list = NULL;
    return result;
}

/* ---- the clock ---- */

/* As stored in STORE_SETTINGS: fixed size, host byte order, sealed like every value. */
static const uint8_t clock_id[ID_BYTES] = "rules-clock";
struct watch {
    uint64_t trusted; /* Unix seconds */
    uint32_t held;    /* enum rules_clock; kept over a stop until it is lifted */
    uint32_t reserved;
};
static struct watch watch;
/* The first good look in this process, by the clock and by the time that really goes by; 0, 0 = none yet. It stays, so that many small
 * steps of the clock are seen as the large one that they are. */
static int64_t anchor_clock, anchor_gone;
static int64_t clock_skew, gone_skew;

void rules_skew(int64_t clock, int64_t gone_by) {
    clock_skew += clock;
    gone_skew += gone_by;
}

static int64_t clock_now(void) { return (int64_t)time(NULL) + clock_skew; }
static int64_t gone_by(void) { /* time spent asleep counts as well */
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec + 1 + gone_skew;
}

int64_t rules_today(void) { return clock_now() / DAY; }
uint64_t rules_trusted(void) { return watch.trusted; }

static void watch_load(void) {
    anchor_clock = anchor_gone = 0;
    enum store_result result = store_get_struct(self.store, STORE_SETTINGS, clock_id, &watch, sizeof watch);
    if (result != STORE_OK && result != STORE_MISSING)
        watch.held = RULES_CLOCK_AHEAD; /* what was trusted is not known: somebody must say */
}

static enum store_result watch_save(void) { return store_put(self.store, STORE_SETTINGS, clock_id, &watch, sizeof watch, STORE_ANY, NULL); }

enum rules_clock rules_clock(void) {
    int64_t now = clock_now(), gone = gone_by(), trusted = (int64_t)watch.trusted;
    int64_t latest = anchor_gone ? anchor_clock + (gone - anchor_gone) + HOUR : trusted + RULES_UNSEEN_DAYS * (int64_t)DAY;
    struct watch before = watch;
    if (trusted == 0 && !watch.held)
        watch.trusted = (uint64_t)now;
    else if (now < trusted - HOUR)
        watch.held = RULES_CLOCK_BEHIND;
    else if (now > latest)
        watch.held = RULES_CLOCK_AHEAD;
    else if (anchor_gone || watch.held == RULES_CLOCK_BEHIND)
        watch.held = RULES_CLOCK_GOOD; /* it is right again; of one that was ahead before a stop nobody can tell */
    if (watch.held) {
        if (watch.held != before.held) watch_save();
        return (enum rules_clock)watch.held;
    }
    if (!anchor_gone) {
        anchor_clock = now;
        anchor_gone = gone;
    }
    if (now > (int64_t)watch.trusted) watch.trusted = (uint64_t)now; /* not moved back by a small step, nor written at every look */
    if (before.held || watch.trusted >= before.trusted + HOUR) {
        if (watch_save() != STORE_OK) return RULES_CLOCK_AHEAD; /* what cannot be kept is not relied on */
    }
    return RULES_CLOCK_GOOD;
}

enum store_result rules_trust_clock(void) {
    struct watch before = watch;
    watch = (struct watch){.trusted = (uint64_t)clock_now()};
    enum store_result result = watch_save();
    if (result == STORE_OK) {
        anchor_clock = clock_now();
        anchor_gone = gone_by();
    } else {
        watch = before;
    }
    return result;
}

/* ---- runs ---- */

static struct event *timer;
static uint8_t waiting[RULES_MAX][ID_BYTES]; /* whose run is under way or comes, the first one now */
static size_t waits;
static struct run {
    struct store_cursor cursor;
    bool began;       /* its line is in the journal, */
    struct rule rule; /* about this one, as it was after the last step */
} run;

static void after(unsigned ms) {
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(timer, &wait);
}

static json_t *about(const struct rule *rule) {
    return json_pack("{s:o, s:s, s:s, s:i}", "rule", journal_id(rule->id), "action", rule_actions[rule->action], "kind",
                     kind_table[rule->kind].plural, "after_days", (int)rule->after_days);
}

/* The ids of a step's records that the rule is about: nothing of the store may be called while it is walked. */
struct found {
    const struct rule *rule;
    int64_t today;
    size_t count;
    uint8_t id[STEP_RECORDS][ID_BYTES];
};

static bool find(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct found *f = argument;
    (void)version;
    json_t *record = json_loadb((const char *)value, size, 0, NULL);
    if (record && rule_matches(f->rule, record, f->today)) memcpy(f->id[f->count++], id, ID_BYTES);
    json_decref(record);
    return true;
}

static enum store_result change(const struct rule *rule, const struct record *old) {
    struct record r = {.kind = old->kind};
    struct text unused = {0};
    enum store_result result = STORE_MEMORY;
    memcpy(r.id, old->id, ID_BYTES);
    r.fields = rule->action == RULE_ARCHIVE ? json_incref(old->fields) : anonymised(old->kind, old->fields);
    if (r.fields) result = rule->action == RULE_ARCHIVE ? catalog_archive(old, &r, &unused) : catalog_change(old, &r, &unused);
    text_free(&unused);
    record_free(&r);
    return result;
}

static enum store_result act(struct rule *rule, const uint8_t id[ID_BYTES]) {
    struct record old;
    enum store_result result = catalog_get(rule->kind, id, &old);
    if (result == STORE_MISSING || result == STORE_BROKEN) return STORE_OK; /* the check tells of the broken ones */
    if (result != STORE_OK) return result;
    result = rule->action == RULE_DELETE ? catalog_remove(&old) : change(rule, &old);
    if (result == STORE_OK && old.kind == KIND_DOCUMENT) document_removed(&old);
    record_free(&old);
    if (result == STORE_OK) rule->pending++;
    return result;
}

/* The first line is on the disk before the first change is made. The count goes with what it counts: a kill loses both or neither. */
static enum store_result act_on(const struct found *f, struct rule *rule) {
    enum store_result result = STORE_OK;
    if (f->count && !run.began) result = journal_first(JOURNAL_rule_began, NULL, about(rule));
    run.began |= f->count && result == STORE_OK;
    for (size_t i = 0; i < f->count && result == STORE_OK; i++) {
        if (store_pressed(self.store)) result = rule_save(rule);
        if (result == STORE_OK && store_pressed(self.store)) result = exchange_commit();
        if (result == STORE_OK) result = act(rule, f->id[i]);
    }
    if (f->count && result == STORE_OK) result = rule_save(rule);
    run.rule = *rule;
    return result;
}

/* The run at the head is over, whole or not; its rule may be gone. */
static void end_run(bool whole) {
    struct rule rule;
    bool there = rule_get(waiting[0], &rule) == STORE_OK, interrupted = there && !run.began && rule.pending;
    const struct rule *said = interrupted ? &rule : &run.rule;
    if (run.began || interrupted) {
        json_t *line = about(said);
        json_object_set_new(line, "done", json_integer((json_int_t)said->pending));
        json_object_set_new(line, "whole", json_boolean(whole));
        journal_add(JOURNAL_rule_ended, NULL, line);
    }
    bool shows = there && whole && (run.began || !rule.ran);
    if (shows) {
        rule.ran = (uint64_t)clock_now();
        rule.done = run.rule.pending;
    }
    if (shows || (there && rule.pending)) {
        rule.pending = 0;
        rule_save(&rule);
    }
    memmove(waiting[0], waiting[1], (RULES_MAX - 1) * ID_BYTES);
    waits -= waits > 0;
    memset(&run, 0, sizeof run);
}

static void run_step(struct rule *rule) {
    struct found found = {.rule = rule, .today = rules_today()};
    enum store_result result = store_walk(self.store, kind_table[rule->kind].table, &run.cursor, STEP_RECORDS, find, &found);
    if (result == STORE_CONFLICT) { /* the keys were changed: what was not yet seen cannot be told */
        memset(&run.cursor, 0, sizeof run.cursor);
        return;
    }
    bool broken = result == STORE_BROKEN; /* the walk goes on behind it */
    run.began |= rule->pending > 0;       /* before a kill */
    if (result == STORE_OK || broken) result = act_on(&found, rule);
    if (run.began) gauge(COUNTER_last_activity, clock_ms() / 1000); /* the tenant's own work is no idleness */
    if (result != STORE_OK)
        end_run(false);
    else if (run.cursor.done)
        end_run(true);
}

/* C4, C13: a rule of the tenant's own runs while its function is on and the clock is to be trusted; each step asks anew */
static void step(void) {
    struct rule rule;
    if (self.profile.end_ms || !function_on(FUNCTION_retention) || rules_clock() != RULES_CLOCK_GOOD) {
        while (waits)
            end_run(false);
        return;
    }
    enum store_result result = rule_get(waiting[0], &rule);
    if (result == STORE_OK && rule.enabled)
        run_step(&rule);
    else
        end_run(false);
}

static void begin_pass(void) {
    struct rule_list *all;
    if (self.profile.end_ms || !function_on(FUNCTION_retention) || rules_load(&all) != STORE_OK) return; /* S14: all is handed back */
    for (size_t i = 0; i < all->count; i++)
        if (all->rule[i].enabled) rules_run(all->rule[i].id);
    free(all);
}

static void turn(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    if (!self.keys) return;
    if (waits)
        step();
    else
        begin_pass();
    after(waits ? STEP_MS : AGAIN_MS);
}

void rules_run(const uint8_t id[ID_BYTES]) {
    for (size_t i = 0; i < waits; i++)
        if (memcmp(waiting[i], id, ID_BYTES) == 0) return;
    if (waits == RULES_MAX) return;
    memcpy(waiting[waits++], id, ID_BYTES);
    if (timer) after(0);
}

void rules_unsealed(void) {
    watch_load();
    waits = 0;
    memset(&run, 0, sizeof run);
    if (!timer) timer = evtimer_new(self.base, turn, NULL);
    if (timer) after(FIRST_MS);
}
