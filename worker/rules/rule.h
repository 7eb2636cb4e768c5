/*
 * One retention rule (C4, C13): which records of a kind, how old, and what becomes of them. What is stored and what the API shows are the
 * same JSON; see rules.h.
 */
#pragma once

#include "../crm/field.h"
#include "../crm/problem.h"

#include <jansson.h>

enum rule_action { RULE_DELETE, RULE_ANONYMISE, RULE_ARCHIVE, RULE_ACTIONS };

enum { RULE_NAME_MAX = 256 /* bytes */, RULE_DATE_MAX = 7 + 4 * CUSTOM_NAME_MAX, RULE_TAG_MAX = 256, RULE_DAYS_MAX = 36525 };

struct rule {
    uint8_t id[ID_BYTES];
    char name[RULE_NAME_MAX + 1];
    enum kind kind;
    enum rule_action action;
    uint32_t after_days; /* 1..RULE_DAYS_MAX */
    char date[RULE_DATE_MAX +
              1];               /* what the term counts from: "modified", "created" or "custom.NAME", a field that begins with YYYY-MM-DD */
    char tag[RULE_TAG_MAX + 1]; /* only records with it; "" = all */
    bool enabled;               /* off until an administrator says otherwise */
    uint64_t ran, done;         /* Unix seconds of the end of its last run, how many records that one was about; 0, 0 = it never ran */
    uint64_t pending;           /* how many one has been about that is not over, or that a kill ended */
};

extern const char *const rule_actions[RULE_ACTIONS]; /* "delete", "anonymise", "archive" */

/* What a client sent, over what the rule is already (after_days 0 = a new one, which needs name, kind, action and after_days). false with
 * *p; the kind and the action of a rule do not change. */
bool rule_take(struct rule *rule, const json_t *input, struct problem *p);

/* A new value; NULL: out of memory. */
json_t *rule_json(const struct rule *rule);
/* The reverse, of what rule_json() made. */
bool rule_load(struct rule *rule, const void *stored, size_t size);

/* The days since 1970 of a text that begins with a date YYYY-MM-DD which is one; followed by nothing or by T. */
bool rule_days(const char *text, int64_t *days);

/* Is this record's (as stored) term over on that day, and is there something left to do with it? Never of a record without the date, or
 * with one that cannot be read, nor of one that is restricted. */
bool rule_matches(const struct rule *rule, const json_t *record, int64_t today);
