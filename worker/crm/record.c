#include "record.h"

#include "../../policy/names.h"
#include "collate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const given_by_server[] = {"id", "kind", "version", "created", "modified", "archived"};
enum { GIVEN_BY_SERVER = sizeof given_by_server / sizeof *given_by_server };

void record_free(struct record *r) {
    json_decref(r->fields);
    r->fields = NULL;
}

void record_time(char out[RECORD_TIME + 1]) {
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(out, RECORD_TIME + 1, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, RECORD_TIME + 1 - n, ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000);
}

/* Looks at brackets and separators only, before a parser allocates for what they announce. */
static bool bounded(const char *json, size_t size, unsigned long line, struct problem *p) {
    size_t depth = 0, values = 1;
    bool in_text = false;
    for (size_t i = 0; i < size; i++) {
        char c = json[i];
        if (c == '\n') line++;
        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
            continue;
        }
        if (c == '"')
            in_text = true;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth)
            depth--;
        else if (c == ',' || c == ':')
            values++;
        if (depth <= RECORD_DEPTH_MAX && values <= RECORD_VALUES_MAX) continue;
        p->line = line;
        if (values > RECORD_VALUES_MAX) return !problem_set(p, 400, "too-large", "More than %d values.", RECORD_VALUES_MAX);
        return !problem_set(p, 400, "invalid-json", "Nested deeper than %d levels.", RECORD_DEPTH_MAX);
    }
    return true;
}

/* jansson's own text quotes the input: only its code is told. */
static const char *json_problem(const json_error_t *error) {
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input:
        return "The JSON text ends too early.";
    case json_error_end_of_input_expected:
        return "Something follows the end of the JSON text.";
    case json_error_invalid_utf8:
        return "Not UTF-8.";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "A NUL character is not allowed.";
    case json_error_duplicate_key:
        return "A name is given twice in one object.";
    case json_error_numeric_overflow:
        return "A number is out of range.";
    default:
        return "Not valid JSON.";
    }
}

json_t *record_parse(const void *json, size_t size, unsigned long first_line, struct problem *p) {
    p->line = first_line;
    if (size > RECORD_BODY_MAX) return problem_set(p, 413, "too-large", "A record is at most %d bytes of JSON.", RECORD_BODY_MAX), NULL;
    if (!bounded(json, size, first_line, p)) return NULL;
    if (!size) return problem_set(p, 400, "invalid-json", "Expected a JSON object, got nothing."), NULL;
    json_error_t error;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!root) {
        if (json_error_code(&error) == json_error_out_of_memory) return problem_memory(p), NULL;
        p->line = first_line + (error.line > 0 ? (unsigned long)error.line - 1 : 0);
        return problem_set(p, 400, "invalid-json", "%s", json_problem(&error)), NULL;
    }
    if (json_is_object(root)) {
        p->line = 0;
        return root;
    }
    json_decref(root);
    return problem_set(p, 400, "invalid-json", "Expected a JSON object."), NULL;
}

static int field_problem(struct problem *p, const char *path, const char *detail) {
    snprintf(p->field, sizeof p->field, "%s", path);
    return problem_set(p, 400, "invalid-field", "%s", detail);
}

static void strip(enum kind kind, json_t *input, bool whole) {
    for (int i = 0; i < GIVEN_BY_SERVER; i++)
        json_object_del(input, given_by_server[i]);
    for (const char *const *name = kind_table[kind].given; whole && name && *name; name++)
        json_object_del(input, *name);
}

bool record_keep_given(const struct record *from, json_t *fields) {
    for (const char *const *name = kind_table[from->kind].given; name && *name; name++) {
        json_t *value = json_object_get(from->fields, *name);
        if (value && json_object_set(fields, *name, value) != 0) return false;
    }
    return true;
}

bool record_strip(enum kind kind, const uint8_t *id, json_t *input, struct problem *p) {
    json_t *given = json_object_get(input, "id");
    if (given) {
        char text[ULID_TEXT + 1] = "";
        if (id) ulid_text(id, text);
        if (!id) return !field_problem(p, "id", "given by the server; leave it out");
        if (!json_is_string(given) || strcmp(json_string_value(given), text) != 0)
            return !field_problem(p, "id", "expected the record's own id, or none");
    }
    given = json_object_get(input, "kind");
    if (given && (!json_is_string(given) || strcmp(json_string_value(given), kind_table[kind].name) != 0)) {
        field_problem(p, "kind", "");
        snprintf(p->detail, sizeof p->detail, "expected \"%s\", or none", kind_table[kind].name);
        return false;
    }
    strip(kind, input, true);
    return true;
}

json_t *record_merge(const json_t *target, const json_t *patch) {
    if (!json_is_object(patch)) return json_deep_copy(patch);
    json_t *out = json_is_object(target) ? json_deep_copy(target) : json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
        if (!out) return NULL;
        if (json_is_null(value)) {
            json_object_del(out, name);
            continue;
        }
        if (json_object_set_new(out, name, record_merge(json_object_get(out, name), value)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

size_t record_dump_flags(const json_t *custom) {
    const char *name;
    json_t *value;
    int digits = 15;
    char text[64];
    json_object_foreach((json_t *)(uintptr_t)custom, name, value) {
        while (json_is_real(value) && digits < 17) {
            snprintf(text, sizeof text, "%.*g", digits, json_real_value(value));
            if (strtod(text, NULL) == json_real_value(value)) break;
            digits++;
        }
    }
    return JSON_COMPACT | JSON_REAL_PRECISION((size_t)digits);
}

bool record_render(const struct record *r, struct text *out) {
    char id[ULID_TEXT + 1];
    ulid_text(r->id, id);
    json_t *all = json_pack("{s:s,s:s,s:I,s:s,s:s,s:s*}", "id", id, "kind", kind_table[r->kind].name, "version", (json_int_t)r->version,
                            "created", r->created, "modified", r->modified, "archived", r->archived[0] ? r->archived : NULL);
    char *dump =
        all && json_object_update(all, r->fields) == 0 ? json_dumps(all, record_dump_flags(json_object_get(r->fields, "custom"))) : NULL;
    json_decref(all);
    if (!dump) return false;
    text_string(out, dump);
    free(dump);
    return !out->failed;
}

static bool copy_time(const json_t *from, const char *name, char out[RECORD_TIME + 1]) {
    const char *text = json_string_value(json_object_get(from, name));
    if (!text || strlen(text) != RECORD_TIME) return false;
    memcpy(out, text, RECORD_TIME + 1);
    return true;
}

bool record_load(enum kind kind, const void *stored, size_t size, struct record *r) {
    json_t *all = json_loadb(stored, size, 0, NULL);
    json_t *id = json_object_get(all, "id");
    *r = (struct record){.kind = kind, .version = (uint64_t)json_integer_value(json_object_get(all, "version"))};
    const char *own = json_string_value(json_object_get(all, "kind"));
    bool fine = id && own && strcmp(own, kind_table[kind].name) == 0 &&
                ulid_parse(json_string_value(id) ? json_string_value(id) : "", json_string_length(id), r->id) &&
                copy_time(all, "created", r->created) && copy_time(all, "modified", r->modified) &&
                (!json_object_get(all, "archived") || copy_time(all, "archived", r->archived));
    if (!fine) {
        json_decref(all);
        return false;
    }
    strip(kind, all, false);
    r->fields = all;
    return true;
}

/* Sets name to at most `room` characters of a text. */
static void set_cut(json_t *out, const char *name, const json_t *value, size_t room) {
    const char *s = json_string_value(value);
    size_t size = json_string_length(value), at = 0, seen = 0;
    if (!s) return;
    while (at < size && seen < room) {
        do
            at++;
        while (at < size && ((unsigned char)s[at] & 0xc0) == 0x80);
        seen++;
    }
    if (at == size)
        json_object_set_new(out, name, json_stringn(s, size));
    else
        json_object_set_new(out, name, json_sprintf("%.*s…", (int)at, s));
}

/* What a list of documents shows, and by what it is filtered: `partial` says that something of it is not here. */
static bool summary_document(json_t *out, const json_t *fields, size_t room, bool whole) {
    static const char *const members[] = {"type", "size", "content", "tags", "links"};
    set_cut(out, "name", json_object_get(fields, "name"), room);
    set_cut(out, "folder", json_object_get(fields, "folder"), room);
    bool fine = whole || json_object_set_new(out, "partial", json_true()) == 0;
    for (size_t i = 0; fine && i < (whole ? 5 : 3); i++) {
        json_t *value = json_object_get(fields, members[i]);
        fine = !value || json_object_set(out, members[i], value) == 0;
    }
    return fine;
}

static json_t *summary_of(const struct record *r, size_t room, bool tags) {
    char id[ULID_TEXT + 1];
    ulid_text(r->id, id);
    json_t *out = json_pack("{s:s,s:s,s:I}", "id", id, "kind", kind_table[r->kind].name, "version", (json_int_t)r->version), *f = r->fields;
    if (!out) return NULL;
    if (r->kind == KIND_DOCUMENT) {
        bool fine = json_object_set_new(out, "modified", json_string(r->modified)) == 0 && summary_document(out, f, room, tags);
        if (fine) return out;
        json_decref(out);
        return NULL;
    }
    if (r->kind == KIND_COMPANY) {
        set_cut(out, "name", json_object_get(f, "name"), room);
        set_cut(out, "sector", json_object_get(f, "sector"), room);
        set_cut(out, "city", json_object_get(json_object_get(f, "address"), "city"), room);
    } else {
        static const char *const texts[] = {"given_name", "family_name", "company", "title"};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            set_cut(out, texts[i], json_object_get(f, texts[i]), room);
        set_cut(out, "email", json_array_get(json_object_get(f, "emails"), 0), room);
        set_cut(out, "phone", json_array_get(json_object_get(f, "phones"), 0), room);
    }
    if (json_is_true(json_object_get(f, "restricted"))) json_object_set_new(out, "restricted", json_true());
    json_t *list = tags ? json_object_get(f, "tags") : NULL;
    if (list) json_object_set(out, "tags", list);
    return out;
}

bool record_summary(const struct record *r, struct text *out) {
    /* 8 characters of 4 bytes, each escaped to two, in 6 texts always fit. */
    static const size_t rooms[] = {512, 512, 100, 40, 16, 8};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        json_t *summary = summary_of(r, rooms[i], i == 0);
        char *dump = summary ? json_dumps(summary, JSON_COMPACT) : NULL;
        json_decref(summary);
        if (!dump) return false;
        size_t size = strlen(dump);
        if (size <= INDEX_SUMMARY_MAX) text_add(out, dump, size);
        free(dump);
        if (size <= INDEX_SUMMARY_MAX) return !out->failed;
    }
    return false;
}

bool record_key(const struct record *r, struct index_key *key) {
    json_t *first = json_object_get(r->fields, r->kind == KIND_CONTACT ? "family_name" : "name"), *second = NULL;
    if (r->kind == KIND_CONTACT) {
        second = json_object_get(r->fields, "given_name");
        if (!first) {
            first = second;
            second = NULL;
        }
    }
    const char *name = json_string_value(first), *after = json_string_value(second);
    if (!name) name = "";
    return collate_key(name, strlen(name), after ? after : "", after ? strlen(after) : 0, r->id, key);
}
