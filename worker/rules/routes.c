/* The retention rules as the tenant's administrators make them. */
#include "rules.h"

#include "../crm/answer.h"
#include "../crm/ulid.h"
#include "../functions.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_IDS = 20, PIECE_RECORDS = 256 };

json_t *rule_shown(const struct rule *rule) {
    json_t *o = rule_json(rule);
    if (o && json_object_set_new(o, "ran", json_time(rule->ran)) == 0) return o;
    json_decref(o);
    return NULL;
}

static void answer_rule(struct exchange *x, int status, const struct rule *rule) {
    json_t *body = rule_shown(rule);
    if (body)
        respond_json(x, status, body);
    else
        answer_errno(x, ENOMEM);
}

/* The rule that the path names. false: answered. */
static bool path_rule(struct exchange *x, const struct request *r, struct rule *rule) {
    uint8_t id[ID_BYTES];
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    enum store_result result = named ? rule_get(id, rule) : STORE_MISSING;
    if (result == STORE_MISSING)
        respond_problem(x, 404, "not-found", "There is no such rule.", NULL, 0);
    else if (result != STORE_OK)
        answer_failure(x, result);
    return result == STORE_OK;
}

/* With its line in the journal, or not at all. true: it is so. */
static bool settled(struct exchange *x, const struct request *r, enum journal_act act, const struct rule *rule, enum store_result result) {
    if (result == STORE_OK)
        result =
            journal_add(act, r->session->user,
                        json_pack("{s:o, s:s, s:s, s:i, s:b}", "rule", journal_id(rule->id), "action", rule_actions[rule->action], "kind",
                                  kind_table[rule->kind].plural, "after_days", (int)rule->after_days, "enabled", (int)rule->enabled));
    if (result == STORE_OK) return true;
    if (store_dirty(self.store)) store_lose(self.store, result);
    answer_failure(x, result);
    return false;
}

static void get_rules(struct exchange *x, struct request *r) {
    static const char *const held[] = {[RULES_CLOCK_GOOD] = NULL, [RULES_CLOCK_BEHIND] = "behind", [RULES_CLOCK_AHEAD] = "ahead"};
    struct rule_list *all;
    (void)r;
    enum store_result result = rules_load(&all);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    json_t *items = json_array();
    int failed = items == NULL;
    for (size_t i = 0; i < all->count; i++)
        failed |= json_array_append_new(items, rule_shown(&all->rule[i]));
    enum rules_clock clock = all->count ? rules_clock() : RULES_CLOCK_GOOD;
    free(all);
    json_t *body = json_pack("{s:o, s:{s:s?, s:o}}", "items", items, "clock", "held", held[clock], "trusted", json_time(rules_trusted()));
    if (failed || !body) {
        json_decref(body);
        answer_errno(x, ENOMEM);
        return;
    }
    respond_json(x, 200, body);
}

/* What was sent, over what the rule is. false: answered. */
static bool read_rule(struct exchange *x, const struct request *r, struct rule *rule) {
    static const char *const names[] = {"name", "kind", "action", "after_days", "date", "tag", "enabled", NULL};
    struct problem p = {0};
    json_t *object;
    if (!fields_read(x, r, names, &object)) return false;
    bool fine = rule_take(rule, object, &p);
    json_decref(object);
    if (!fine) answer_problem(x, &p);
    return fine;
}

static void post_rule(struct exchange *x, struct request *r) {
    struct rule rule = {0};
    if (!read_rule(x, r, &rule)) return;
    if (store_count(self.store, STORE_RULES) >= RULES_MAX) {
        respond_problem(x, 409, "too-many", "There are too many rules: remove some first.", NULL, 0);
        return;
    }
    rules_clock(); /* the first look: from here on it is watched */
    ulid_new(rule.id);
    if (settled(x, r, JOURNAL_rule_made, &rule, rule_save(&rule))) answer_rule(x, 201, &rule);
}

static void patch_rule(struct exchange *x, struct request *r) {
    struct rule rule;
    if (!path_rule(x, r, &rule) || !read_rule(x, r, &rule)) return;
    if (settled(x, r, JOURNAL_rule_changed, &rule, rule_save(&rule))) answer_rule(x, 200, &rule);
}

/* To take away goes on, on a full store too; its line is then counted as missing. */
static void delete_rule(struct exchange *x, struct request *r) {
    struct rule rule;
    if (!path_rule(x, r, &rule)) return;
    enum store_result result = store_delete(self.store, STORE_RULES, rule.id, STORE_ANY);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    journal_add(JOURNAL_rule_removed, r->session->user, json_pack("{s:o}", "rule", journal_id(rule.id)));
    respond_empty(x, 204);
}

/* ---- a run, real or not ---- */

struct dry_run {
    struct rule rule;
    int64_t today;
    struct store_cursor cursor;
    uint64_t seen, matching;
    json_t *first;
    bool failed;
};

static bool look(void *argument, const uint8_t id[ID_BYTES], const uint8_t *value, size_t size, uint64_t version) {
    struct dry_run *dry = argument;
    (void)version;
    json_t *record = json_loadb((const char *)value, size, 0, NULL);
    dry->seen++;
    if (record && rule_matches(&dry->rule, record, dry->today) && dry->matching++ < FIRST_IDS)
        dry->failed |= json_array_append_new(dry->first, journal_id(id)) != 0;
    json_decref(record);
    return !dry->failed;
}

/* Nothing leaves before the end of the walk, which takes many steps: others are served in between. */
static int more(void *argument, struct evbuffer *out) {
    struct dry_run *dry = argument;
    enum store_result result = store_walk(self.store, kind_table[dry->rule.kind].table, &dry->cursor, PIECE_RECORDS, look, dry);
    if (dry->failed || (result != STORE_OK && result != STORE_BROKEN)) return -1;
    if (!dry->cursor.done) return 1;
    json_t *body = json_pack("{s:I, s:I, s:O}", "matching", (json_int_t)dry->matching, "seen", (json_int_t)dry->seen, "first", dry->first);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    int written = text ? evbuffer_add(out, text, strlen(text)) : -1;
    free(text);
    return written;
}

static void release(void *argument) {
    struct dry_run *dry = argument;
    json_decref(dry->first);
    free(dry);
}

static void run_dry(struct exchange *x, const struct rule *rule) {
    struct dry_run *dry = calloc(1, sizeof *dry);
    if (dry) *dry = (struct dry_run){.rule = *rule, .today = rules_today(), .first = json_array()};
    if (dry && dry->first) {
        respond_stream(x, 200, "application/json", more, release, dry);
        return;
    }
    if (dry) release(dry);
    answer_errno(x, ENOMEM);
}

static void run_rule(struct exchange *x, struct request *r) {
    struct rule rule;
    bool dry;
    if (!fields_flag(x, r, "dry_run", &dry) || !path_rule(x, r, &rule)) return;
    if (dry) {
        run_dry(x, &rule);
        return;
    }
    if (!rule.enabled)
        respond_problem(x, 409, "rule-off", "This rule is off: switch it on first.", NULL, 0);
    else if (rules_clock() != RULES_CLOCK_GOOD)
        respond_problem(x, 409, "clock-held", "The clock is not to be trusted: say what day it is, or wait until it is right.", NULL, 0);
    else {
        rules_run(rule.id);
        answer_rule(x, 202, &rule);
    }
}

/* ---- the clock ---- */

static void trust_clock(struct exchange *x, struct request *r) {
    static const char *const names[] = {"date", NULL};
    const char *date;
    int64_t day;
    json_t *object;
    if (!fields_read(x, r, names, &object)) return;
    bool fine = fields_string(x, object, "date", 10, &date), is_date = fine && rule_days(date, &day);
    json_t *about = json_pack("{s:o, s:s?}", "trusted", json_time(rules_trusted()), "date", fine ? date : NULL);
    json_decref(object);
    if (fine && !is_date) fields_refuse(x, "date", "Expected a date YYYY-MM-DD.");
    if (is_date && llabs(day - rules_today()) > 1)
        respond_problem(x, 409, "another-day", "It is not that day by the clock of this machine: tell your provider.", "date", 0);
    else if (is_date) {
        enum store_result result = journal_add(JOURNAL_clock_trusted, r->session->user, json_incref(about));
        if (result == STORE_OK) result = rules_trust_clock();
        if (result != STORE_OK && store_dirty(self.store)) store_lose(self.store, result);
        if (result == STORE_OK)
            respond_empty(x, 204);
        else
            answer_failure(x, result);
    }
    json_decref(about);
}

const struct route rule_routes[] = {
    {HTTP_GET, "/api/v1/rules", RIGHT_ADMIN, ROUTE_NO_BODY, get_rules},
    {HTTP_POST, "/api/v1/rules", RIGHT_ADMIN, ROUTE_PERSON, post_rule, .function = FUNCTION_retention},
    {HTTP_POST, "/api/v1/rules/clock", RIGHT_ADMIN, ROUTE_PERSON, trust_clock, .function = FUNCTION_retention},
    {HTTP_PATCH, "/api/v1/rules/{}", RIGHT_ADMIN, ROUTE_PERSON, patch_rule, .function = FUNCTION_retention},
    {HTTP_DELETE, "/api/v1/rules/{}", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, delete_rule},
    {HTTP_POST, "/api/v1/rules/{}/run", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, run_rule, .function = FUNCTION_retention},
    {0},
};
