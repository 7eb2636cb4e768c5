#include "rule.h"

#include "../crm/anonymise.h"
#include "../crm/ulid.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const rule_actions[RULE_ACTIONS] = {"delete", "anonymise", "archive"};
static const char custom[] = "custom.";
enum { CUSTOM = sizeof custom - 1, DAY = 86400 };

/* ---- from and to JSON ---- */

static bool refuse(struct problem *p, const char *field, const char *expected) {
    snprintf(p->field, sizeof p->field, "%s", field);
    problem_set(p, 400, "invalid-field", "%s", expected);
    return false;
}

static bool take_text(const json_t *input, const char *name, bool may_be_empty, char *out, size_t most) {
    const json_t *value = json_object_get(input, name);
    size_t size = json_string_length(value);
    if (!value) return true;
    if (!json_is_string(value) || size > most || (size == 0 && !may_be_empty) || memchr(json_string_value(value), '\0', size)) return false;
    memcpy(out, json_string_value(value), size + 1);
    return true;
}

static bool is_date_field(const char *date) {
    return strcmp(date, "modified") == 0 || strcmp(date, "created") == 0 || (strncmp(date, custom, CUSTOM) == 0 && date[CUSTOM]);
}

static bool take_action(struct rule *rule, const json_t *value) {
    for (int a = 0; json_is_string(value) && a < RULE_ACTIONS; a++)
        if (strcmp(rule_actions[a], json_string_value(value)) == 0) {
            rule->action = (enum rule_action)a;
            return true;
        }
    return false;
}

/* What only a new rule says, and must say. */
static bool take_kind(struct rule *rule, const json_t *input, struct problem *p) {
    const json_t *kind = json_object_get(input, "kind"), *action = json_object_get(input, "action");
    if (rule->after_days) {
        if (kind || action) return refuse(p, kind ? "kind" : "action", "This does not change: make another rule.");
        return true;
    }
    if (!json_is_string(kind) || !kind_find(json_string_value(kind), &rule->kind))
        return refuse(p, "kind", "Expected companies, contacts or documents.");
    if (!take_action(rule, action)) return refuse(p, "action", "Expected delete, anonymise or archive.");
    if (rule->kind == KIND_DOCUMENT && rule->action != RULE_DELETE) return refuse(p, "action", "Documents are deleted only.");
    return true;
}

bool rule_take(struct rule *rule, const json_t *input, struct problem *p) {
    const json_t *days = json_object_get(input, "after_days"), *enabled = json_object_get(input, "enabled");
    if (!take_kind(rule, input, p)) return false;
    if (!rule->date[0]) memcpy(rule->date, "modified", sizeof "modified");
    if (days || !rule->after_days) {
        json_int_t n = json_integer_value(days);
        if (!json_is_integer(days) || n < 1 || n > RULE_DAYS_MAX) return refuse(p, "after_days", "Expected 1 to 36525 days.");
        rule->after_days = (uint32_t)n;
    }
    if (!take_text(input, "name", false, rule->name, RULE_NAME_MAX) || !rule->name[0])
        return refuse(p, "name", "Expected 1 to 256 bytes of text.");
    if (!take_text(input, "date", false, rule->date, RULE_DATE_MAX) || !is_date_field(rule->date))
        return refuse(p, "date", "Expected modified, created, or custom. and the name of a field of your own.");
    if (!take_text(input, "tag", true, rule->tag, RULE_TAG_MAX)) return refuse(p, "tag", "Expected a tag, or an empty text.");
    if (enabled && !json_is_boolean(enabled)) return refuse(p, "enabled", "Expected true or false.");
    if (enabled) rule->enabled = json_is_true(enabled);
    return true;
}

json_t *rule_json(const struct rule *rule) {
    char id[ULID_TEXT + 1];
    ulid_text(rule->id, id);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:o, s:I, s:I}", "id", id, "name", rule->name, "kind",
                     kind_table[rule->kind].plural, "action", rule_actions[rule->action], "after_days", (int)rule->after_days, "date",
                     rule->date, "tag", rule->tag, "enabled", (int)rule->enabled, "ran",
                     rule->ran ? json_integer((json_int_t)rule->ran) : json_null(), "done", (json_int_t)rule->done, "pending",
                     (json_int_t)rule->pending);
}

bool rule_load(struct rule *rule, const void *stored, size_t size) {
    struct problem unused = {0};
    json_t *o = json_loadb(stored, size, 0, NULL), *id = json_object_get(o, "id");
    *rule = (struct rule){0};
    bool fine = json_is_string(id) && ulid_parse(json_string_value(id), json_string_length(id), rule->id) && rule_take(rule, o, &unused);
    rule->ran = (uint64_t)json_integer_value(json_object_get(o, "ran"));
    rule->done = (uint64_t)json_integer_value(json_object_get(o, "done"));
    rule->pending = (uint64_t)json_integer_value(json_object_get(o, "pending"));
    json_decref(o);
    return fine;
}

/* ---- which records ---- */

bool rule_days(const char *text, int64_t *days) {
    static const char form[] = "0000-00-00";
    int part[3] = {0}, at = 0;
    for (size_t i = 0; form[i]; i++) {
        if (form[i] == '-' ? text[i] != '-' : text[i] < '0' || text[i] > '9') return false;
        if (form[i] == '-')
            at++;
        else
            part[at] = part[at] * 10 + text[i] - '0';
    }
    if (text[sizeof form - 1] != '\0' && text[sizeof form - 1] != 'T') return false;
    struct tm tm = {.tm_year = part[0] - 1900, .tm_mon = part[1] - 1, .tm_mday = part[2]}, back;
    time_t t = timegm(&tm);
    if (!gmtime_r(&t, &back) || back.tm_year != part[0] - 1900 || back.tm_mon != part[1] - 1 || back.tm_mday != part[2]) return false;
    *days = (t - (t % DAY + DAY) % DAY) / DAY;
    return true;
}

static bool has_tag(const json_t *record, const char *tag) {
    json_t *value;
    size_t i;
    json_array_foreach(json_object_get(record, "tags"), i, value) if (strcmp(json_string_value(value), tag) == 0) return true;
    return false;
}

bool rule_matches(const struct rule *rule, const json_t *record, int64_t today) {
    bool own = strncmp(rule->date, custom, CUSTOM) == 0;
    const json_t *value =
        own ? json_object_get(json_object_get(record, "custom"), rule->date + CUSTOM) : json_object_get(record, rule->date);
    int64_t days;
    if (!json_is_string(value) || !rule_days(json_string_value(value), &days) || days + rule->after_days > today) return false;
    if (json_is_true(json_object_get(record, "restricted"))) return false; /* S10: kept as it is, at the person's wish */
    if (rule->tag[0] && !has_tag(record, rule->tag)) return false;
    if (rule->action == RULE_ARCHIVE) return !json_object_get(record, "archived");
    return rule->action == RULE_DELETE || !is_anonymous(rule->kind, record);
}
