/*
 * Retention rules at work (C4, C13): records whose term is over are deleted, made anonymous or archived, by rules of the tenant's
 * administrators alone. Each rule is off until one switches it on, and none runs while the function `retention` is off.
 *
 * In the background while the tenant is unsealed: a pass over all rules soon after each unsealing and every six hours, a few records a
 * step, each step's changes one commit, and their count with them. A run that finds something writes a line of the journal before its first
 * change and one with the count at its end, of one that a stop interrupted when it has gone on; never what the records held.
 *
 * The clock decides what is lost for good, and the provider sets it. So the rules keep the latest time they trust in the sealed store, and
 * rest when the clock is an hour behind it; when it gained an hour on the time that has really gone by since their last look; and, after a
 * stop, when more than RULES_UNSEEN_DAYS are said to have gone by. They then wait until the clock is right again, or an administrator says
 * what day it is.
 *
 *   GET    /api/v1/rules                        200 {items: [rule], clock: {held, trusted}}                       admin
 *
 *   POST   /api/v1/rules                        {name, kind, action, after_days, date, tag, enabled}   201 rule   admin, logged in
 *
 *   PATCH  /api/v1/rules/{id}                   the same but kind and action   200 rule                           admin, logged in
 *
 *   DELETE /api/v1/rules/{id}                   204                                                               admin, logged in
 *
 *   POST   /api/v1/rules/{id}/run?dry_run=true  200 {matching, seen, first: [id]}: what a run would be about now  admin, logged in
 *
 *   POST   /api/v1/rules/{id}/run               202 rule: its run begins; 409 `rule-off`, 409 `clock-held`        admin, logged in
 *
 *   POST   /api/v1/rules/clock                  {date}   204: it is that day; 409 `another-day`                   admin, logged in
 *
 * held is null, "behind" or "ahead".
 */
#pragma once

#include "rule.h"

#include "../store/store.h"

enum { RULES_MAX = 32, RULES_UNSEEN_DAYS = 31 };

/* At unsealing: a pass will come. */
void rules_unsealed(void);

struct rule_list {
    size_t count;
    struct rule rule[RULES_MAX];
};
/* All of them, by id; one that cannot be read is left out. The list is the caller's to free(). */
enum store_result rules_load(struct rule_list **list);
enum store_result rule_get(const uint8_t id[ID_BYTES], struct rule *rule);
enum store_result rule_save(const struct rule *rule);

/* As the API shows it. A new value; NULL: out of memory. */
json_t *rule_shown(const struct rule *rule);

/* Puts a run of this rule behind those that wait. */
void rules_run(const uint8_t id[ID_BYTES]);

enum rules_clock { RULES_CLOCK_GOOD, RULES_CLOCK_BEHIND, RULES_CLOCK_AHEAD };
/* Looks at the clock; the first look ever trusts it. What has changed is part of the next commit. */
enum rules_clock rules_clock(void);
uint64_t rules_trusted(void); /* Unix seconds; 0 = nothing yet */
/* An administrator says that the clock is right. Part of the next commit. */
enum store_result rules_trust_clock(void);

int64_t rules_today(void); /* the clock's day, in days since 1970 */

void rules_skew(int64_t clock, int64_t gone_by); /* for tests: the clock was set by so many seconds, so many have really gone by */
