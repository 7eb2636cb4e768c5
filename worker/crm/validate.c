/* record_validate(): what was sent, field by field against the table. */
#include "record.h"

#include "collate.h"

#include <math.h>
#include <string.h>

/* Where we are: the path of the field in hand, for problems. */
struct place {
    unsigned flags;
    struct problem *problem;
    char path[PROBLEM_FIELD_MAX];
};

static json_t *refuse(struct place *at, const char *type, const char *detail) {
    snprintf(at->problem->field, sizeof at->problem->field, "%s", at->path);
    problem_set(at->problem, 400, type, "%s", detail);
    return NULL;
}

static json_t *refuse_long(struct place *at, unsigned max, const char *what) {
    char detail[64];
    snprintf(detail, sizeof detail, "at most %u %s", max, what);
    return refuse(at, "invalid-field", detail);
}

/* Adds ".name" (or "name" at the top) to the path, of a name that may be the client's own: cut between characters. Returns the old length.
 */
static size_t enter(struct place *at, const char *name) {
    size_t old = strlen(at->path), n = old;
    if (n && n < sizeof at->path - 1) at->path[n++] = '.';
    size_t cut = text_cut(name, strlen(name), sizeof at->path - 1 - n);
    memcpy(at->path + n, name, cut);
    at->path[n + cut] = 0;
    return old;
}

static void leave(struct place *at, size_t old) { at->path[old] = 0; }

static json_t *fields_of(const struct field *fields, const json_t *input, struct place *at);

/* A text of a type; json_null() when it is empty. */
static json_t *text_of(enum field_type type, unsigned max, const json_t *input, struct place *at) {
    if (!json_is_string(input)) return refuse(at, "invalid-field", field_expected(type));
    char *out;
    size_t size;
    switch (field_text(type, max, at->flags & RECORD_LENIENT, json_string_value(input), json_string_length(input), &out, &size)) {
    case FIELD_FINE:
        break;
    case FIELD_EMPTY:
        return json_null();
    case FIELD_TOO_LONG:
        return refuse_long(at, max, "characters");
    case FIELD_CONTROL:
        return refuse(at, "invalid-field", "control characters are not allowed");
    case FIELD_FORM:
        return refuse(at, "invalid-field", field_expected(type));
    case FIELD_MEMORY:
        return problem_memory(at->problem), NULL;
    }
    json_t *text = json_stringn_nocheck(out, size);
    free(out);
    if (!text) problem_memory(at->problem);
    return text;
}

static bool holds(const json_t *list, const json_t *item) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), item)) return true;
    return false;
}

static json_t *list_of(const struct field *f, const json_t *input, struct place *at) {
    if (!json_is_array(input)) return refuse(at, "invalid-field", field_expected(f->type));
    if (json_array_size(input) > f->items) return refuse_long(at, f->items, "items");
    json_t *out = json_array();
    size_t old = strlen(at->path);
    for (size_t i = 0; out && i < json_array_size(input); i++) {
        snprintf(at->path + old, sizeof at->path - old, "[%zu]", i);
        json_t *item = text_of(f->item, f->max, json_array_get(input, i), at);
        bool keep = item && !json_is_null(item) && !holds(out, item);
        if (!item || (keep && json_array_append(out, item) != 0)) {
            json_decref(out);
            out = NULL;
        }
        json_decref(item);
    }
    leave(at, old);
    if (!out && !at->problem->status) problem_memory(at->problem);
    return out;
}

static json_t *custom_value(const struct field *f, json_t *input, struct place *at) {
    if (json_is_string(input)) return text_of(FIELD_LINES, f->max, input, at);
    if (json_is_boolean(input) || json_is_integer(input)) return json_incref(input);
    if (json_is_real(input) && isfinite(json_real_value(input))) return json_incref(input);
    return refuse(at, "invalid-field", "expected a text, a number or a boolean");
}

static json_t *custom_of(const struct field *f, const json_t *input, struct place *at) {
    if (!json_is_object(input)) return refuse(at, "invalid-field", field_expected(f->type));
    if (json_object_size(input) > f->items) return refuse_long(at, f->items, "names");
    json_t *out = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)input, name, value) {
        if (json_is_null(value) && (at->flags & RECORD_NULLS)) continue;
        size_t old = enter(at, name), size;
        char *key = NULL;
        json_t *made = NULL;
        if (field_text(FIELD_LINE, CUSTOM_NAME_MAX, at->flags & RECORD_LENIENT, name, strlen(name), &key, &size) != FIELD_FINE)
            refuse(at, "invalid-field", "expected a name of 1 to 64 characters on one line");
        else if (json_object_get(out, key))
            refuse(at, "invalid-field", "the same name is given twice");
        else
            made = custom_value(f, value, at);
        bool kept = made && (json_is_null(made) || json_object_set(out, key, made) == 0);
        json_decref(made);
        free(key);
        leave(at, old);
        if (kept) continue;
        json_decref(out);
        if (!at->problem->status) problem_memory(at->problem);
        return NULL;
    }
    return out;
}

static json_t *one_of(const struct field *f, json_t *input, struct place *at) {
    switch (f->type) {
    case FIELD_LIST:
        return list_of(f, input, at);
    case FIELD_CUSTOM:
        return custom_of(f, input, at);
    case FIELD_GROUP:
        if (!json_is_object(input)) return refuse(at, "invalid-field", field_expected(f->type));
        return fields_of(f->group, input, at);
    default:
        return text_of(f->type, f->max, input, at);
    }
}

static bool known_only(const struct field *fields, const json_t *input, struct place *at) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)input, name, value) {
        if (field_find(fields, name, strlen(name))) continue;
        enter(at, name);
        refuse(at, "unknown-field", "no such field; fields of your own go into custom");
        return false;
    }
    return true;
}

/* Empty texts, lists and objects are left out. */
static bool is_nothing(const json_t *value) {
    return json_is_null(value) || (json_is_array(value) && !json_array_size(value)) || (json_is_object(value) && !json_object_size(value));
}

static json_t *fields_of(const struct field *fields, const json_t *input, struct place *at) {
    if (!known_only(fields, input, at)) return NULL;
    json_t *out = json_object();
    for (const struct field *f = fields; out && f->name; f++) {
        json_t *given = json_object_get(input, f->name);
        if (!given || (json_is_null(given) && (at->flags & RECORD_NULLS))) continue;
        size_t old = enter(at, f->name);
        json_t *made = one_of(f, given, at);
        if (!made || (!is_nothing(made) && json_object_set(out, f->name, made) != 0)) {
            json_decref(out);
            out = NULL;
        }
        json_decref(made);
        leave(at, old);
    }
    if (!out && !at->problem->status) problem_memory(at->problem);
    return out;
}

json_t *record_validate(enum kind kind, const json_t *input, unsigned flags, struct problem *p) {
    struct place at = {.flags = flags, .problem = p};
    p->status = 0;
    p->field[0] = 0;
    if (!json_is_object(input)) return refuse(&at, "invalid-json", "expected an object");
    json_t *out = fields_of(kind_table[kind].fields, input, &at);
    if (!out) return NULL;
    const char *missing = NULL;
    if (kind != KIND_CONTACT && !json_object_get(out, "name")) missing = "name";
    if (kind == KIND_CONTACT && !json_object_get(out, "given_name") && !json_object_get(out, "family_name")) missing = "family_name";
    if (!missing) return out;
    json_decref(out);
    enter(&at, missing);
    char detail[64];
    snprintf(detail, sizeof detail, "%s is required", kind_table[kind].required);
    return refuse(&at, "invalid-field", detail);
}
