#include "columns.h"

#include "../../policy/csv_cell.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 256, COLUMN_NAME_MAX = 256 /* bytes */ };

/* Where a column's cells go. */
enum target { TARGET_NONE, TARGET_ID, TARGET_KIND, TARGET_FIELD, TARGET_CUSTOM_NAME };
struct column {
    char *path;                 /* "address.street"; owned */
    char *title;                /* in the file; owned; NULL: like the path */
    const struct field *field;  /* TARGET_FIELD: in the kind's table */
    const struct field *member; /* in the group's table, or NULL */
    enum target target;
    bool seen;
};

struct columns {
    enum kind kind;
    bool mapped;
    struct column *map; /* with a map: its entries */
    size_t map_count;
    struct column *column; /* the file's */
    size_t count;
};

static const char *const own_names[] = {"id", "kind", "version", "created", "modified"};
enum { OWN_NAMES = sizeof own_names / sizeof *own_names };

static void column_clear(struct column *c) {
    free(c->path);
    free(c->title);
    *c = (struct column){0};
}

void columns_free(struct columns *c) {
    if (!c) return;
    for (size_t i = 0; i < c->map_count; i++)
        column_clear(&c->map[i]);
    for (size_t i = 0; i < c->count; i++)
        column_clear(&c->column[i]);
    free(c->map);
    free(c->column);
    free(c);
}

static bool refuse(struct problem *p, const char *name, size_t size, const char *detail) {
    size_t cut = text_cut(name, size, sizeof p->field - 1);
    memcpy(p->field, name, cut);
    p->field[cut] = 0;
    problem_set(p, 400, "invalid-column", "%s", detail);
    return false;
}

static bool is_number(const char *s) { return *s && strspn(s, "0123456789") == strlen(s); }

/* Finds what c->path means. false: nothing. */
static bool resolve(enum kind kind, struct column *c) {
    for (int i = 0; i < OWN_NAMES; i++)
        if (strcasecmp(c->path, own_names[i]) == 0) {
            c->target = i == 0 ? TARGET_ID : i == 1 ? TARGET_KIND : TARGET_NONE;
            return true;
        }
    const char *dot = strchr(c->path, '.'), *rest = dot ? dot + 1 : NULL;
    size_t first = dot ? (size_t)(dot - c->path) : strlen(c->path);
    for (const struct field *f = kind_table[kind].fields; f->name; f++)
        if (strlen(f->name) == first && strncasecmp(f->name, c->path, first) == 0) c->field = f;
    if (!c->field) return false;
    c->target = TARGET_FIELD;
    switch (c->field->type) {
    case FIELD_GROUP:
        for (const struct field *m = c->field->group; rest && m->name; m++)
            if (strcasecmp(m->name, rest) == 0) c->member = m;
        return c->member != NULL;
    case FIELD_CUSTOM:
        if (rest) c->target = TARGET_CUSTOM_NAME;
        return !rest || *rest;
    case FIELD_LIST:
        return !rest || is_number(rest);
    default:
        return !rest;
    }
}

/* One entry of a map; `\` takes the meaning off the character behind it. Returns what follows it. */
static const char *map_entry(const char *map, struct column *c) {
    size_t path = strcspn(map, ":,"), n = 0;
    c->path = strndup(map, path);
    map += path;
    if (*map == ':') map++;
    c->title = malloc(strlen(map) + 1);
    if (!c->path || !c->title) return NULL;
    for (; *map && *map != ','; map++) {
        if (*map == '\\' && map[1]) map++;
        c->title[n++] = *map;
    }
    c->title[n] = 0;
    return map;
}

static bool map_read(struct columns *c, const char *map, struct problem *p) {
    c->mapped = true;
    if (!(c->map = calloc(COLUMNS_MAX, sizeof *c->map))) return problem_memory(p), false;
    for (;;) {
        if (c->map_count == COLUMNS_MAX) return refuse(p, "map", 3, "at most 256 columns");
        struct column *entry = &c->map[c->map_count++];
        if (!(map = map_entry(map, entry))) return problem_memory(p), false;
        if (!resolve(c->kind, entry)) return refuse(p, entry->path, strlen(entry->path), "no such field; map is field:Column,field:Column");
        if (!*entry->title) return refuse(p, entry->path, strlen(entry->path), "expected field:Column, the column's name is missing");
        if (!*map) return true;
        map++;
    }
}

/* C13: whoever imports says which column becomes which field */
struct columns *columns_new(enum kind kind, const char *map, struct problem *p) {
    struct columns *c = calloc(1, sizeof *c);
    if (c) c->column = calloc(COLUMNS_MAX, sizeof *c->column);
    if (!c || !c->column) {
        columns_free(c);
        problem_memory(p);
        return NULL;
    }
    c->kind = kind;
    if (!map || map_read(c, map, p)) return c;
    columns_free(c);
    return NULL;
}

/* The entry of the map for a column of that name, or NULL. */
static struct column *mapped(const struct columns *c, const char *name, size_t size) {
    for (size_t i = 0; i < c->map_count; i++)
        if (strlen(c->map[i].title) == size && memcmp(c->map[i].title, name, size) == 0) return &c->map[i];
    return NULL;
}

bool columns_header(struct columns *c, const char *name, size_t size, struct problem *p) {
    if (c->count == COLUMNS_MAX) return refuse(p, name, size, "at most 256 columns");
    if (size > COLUMN_NAME_MAX) return refuse(p, name, size, "a column's name is at most 256 bytes");
    struct column *column = &c->column[c->count];
    if (c->mapped) {
        struct column *entry = mapped(c, name, size);
        if (entry && entry->seen) return refuse(p, name, size, "there are two columns of this name");
        if (entry) {
            *column = (struct column){.field = entry->field, .member = entry->member, .target = entry->target};
            entry->seen = true;
        }
        column->path = strdup(entry ? entry->path : "");
    } else {
        column->path = strndup(name, size);
        if (column->path && !resolve(c->kind, column)) {
            column_clear(column);
            return refuse(p, name, size, "no field of this name; give a map=field:Column,…");
        }
    }
    if (!column->path) return problem_memory(p), false;
    c->count++;
    return true;
}

static bool same_target(const struct column *a, const struct column *b) {
    if (a->target != b->target || a->target == TARGET_NONE || a->field != b->field || a->member != b->member) return false;
    if (a->target == TARGET_CUSTOM_NAME) return strcmp(strchr(a->path, '.'), strchr(b->path, '.')) == 0;
    return a->target != TARGET_FIELD || a->field->type != FIELD_LIST;
}

bool columns_ready(struct columns *c, struct problem *p) {
    for (size_t i = 0; i < c->map_count; i++)
        if (!c->map[i].seen)
            return refuse(p, c->map[i].title, strlen(c->map[i].title),
                          "the header row has no column of this name, or the map names it twice");
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < i; j++)
            if (same_target(&c->column[i], &c->column[j]))
                return refuse(p, c->column[i].path, strlen(c->column[i].path), "two columns for one field");
    return true;
}

size_t columns_count(const struct columns *c) { return c->count; }

void columns_name(const struct columns *c, size_t column, char *out, size_t room) {
    snprintf(out, room, "%s", column < c->count ? c->column[column].path : "");
}

/* A cell of several values, appended to the field's array. */
static bool append_list(json_t *record, const struct field *f, const char *cell, size_t size) {
    json_t *list = json_object_get(record, f->name);
    if (!json_is_array(list)) {
        if (json_object_set_new(record, f->name, size ? json_array() : json_null()) != 0) return false;
        list = json_object_get(record, f->name);
    }
    struct text item = {0};
    bool fine = true;
    for (size_t i = 0; fine && i <= size && size; i++) {
        if (i < size && cell[i] == '\\' && i + 1 < size && (cell[i + 1] == ';' || cell[i + 1] == '\\'))
            text_char(&item, cell[++i]);
        else if (i < size && cell[i] != ';' && cell[i] != '\n' && cell[i] != '\r')
            text_char(&item, cell[i]);
        else {
            fine = !item.failed && (!item.size || json_array_append_new(list, json_stringn(item.data, item.size)) == 0);
            text_clear(&item);
        }
    }
    text_free(&item);
    return fine;
}

static json_t *child(json_t *record, const char *name) {
    json_t *object = json_object_get(record, name);
    if (json_is_object(object)) return object;
    return json_object_set_new(record, name, json_object()) == 0 ? json_object_get(record, name) : NULL;
}

static bool set_custom(json_t *record, const char *cell, size_t size, struct problem *p) {
    json_t *object = size ? record_parse(cell, size, 1, p) : json_null(), *into;
    p->line = 0;
    if (!object) {
        if (p->status != 503) refuse(p, "custom", 6, "expected a JSON object");
        return true;
    }
    bool fine = json_is_null(object) || ((into = child(record, "custom")) && json_object_update_missing(into, object) == 0);
    if (json_is_null(object) && !json_object_get(record, "custom")) fine = json_object_set(record, "custom", object) == 0;
    json_decref(object);
    return fine;
}

/* false: out of memory. */
static bool set_cell(const struct column *to, const char *cell, size_t size, json_t *record, struct problem *p) {
    json_t *into = record;
    const char *name = to->target == TARGET_ID ? "id" : "kind";
    switch (to->target) {
    case TARGET_NONE:
        return true;
    case TARGET_ID:
    case TARGET_KIND:
        if (!size) return true;
        break;
    case TARGET_CUSTOM_NAME:
        into = child(record, to->field->name);
        name = strchr(to->path, '.') + 1;
        break;
    case TARGET_FIELD:
        if (to->field->type == FIELD_LIST) return append_list(record, to->field, cell, size);
        if (to->field->type == FIELD_CUSTOM) return set_custom(record, cell, size, p);
        if (to->member) into = child(record, to->field->name);
        name = to->member ? to->member->name : to->field->name;
    }
    return into && json_object_set_new(into, name, size ? json_stringn(cell, size) : json_null()) == 0;
}

void columns_set(const struct columns *c, size_t column, const char *cell, size_t size, json_t *record, struct problem *p) {
    if (!set_cell(&c->column[column], cell, size, record, p)) problem_memory(p);
}

static void put(void *out, const char *bytes, size_t size) { text_add(out, bytes, size); }

static void write_cell(struct text *out, const char *s, size_t size, bool *first) {
    if (!*first) text_char(out, ',');
    *first = false;
    csv_cell(put, out, s, size);
}

static void write_text(struct text *out, const json_t *value, bool *first) {
    const char *s = json_string_value(value);
    write_cell(out, s ? s : "", json_string_length(value), first);
}

static void write_list(struct text *out, const json_t *list, bool *first) {
    struct text cell = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (i) text_string(&cell, "; ");
        for (; s && *s; s++) {
            if (*s == ';' || *s == '\\') text_char(&cell, '\\');
            text_char(&cell, *s);
        }
    }
    write_cell(out, cell.data ? cell.data : "", cell.size, first);
    out->failed |= cell.failed;
    text_free(&cell);
}

static void write_custom(struct text *out, const json_t *custom, bool *first) {
    char *dump = custom ? json_dumps(custom, record_dump_flags(custom)) : NULL;
    write_cell(out, dump ? dump : "", dump ? strlen(dump) : 0, first);
    out->failed |= custom && !dump;
    free(dump);
}

bool columns_write_header(enum kind kind, struct text *out) {
    bool first = true;
    char name[64];
    for (int i = 0; i < OWN_NAMES; i++)
        write_cell(out, own_names[i], strlen(own_names[i]), &first);
    for (const struct field *f = kind_table[kind].fields; f->name; f++) {
        if (f->type != FIELD_GROUP) write_cell(out, f->name, strlen(f->name), &first);
        for (const struct field *m = f->type == FIELD_GROUP ? f->group : NULL; m && m->name; m++) {
            int n = snprintf(name, sizeof name, "%s.%s", f->name, m->name);
            write_cell(out, name, (size_t)n, &first);
        }
    }
    text_string(out, "\r\n");
    return !out->failed;
}

bool columns_write(enum kind kind, const json_t *stored, struct text *out) {
    bool first = true;
    char version[24];
    for (int i = 0; i < OWN_NAMES; i++) {
        const json_t *value = json_object_get(stored, own_names[i]);
        int n = json_is_integer(value) ? snprintf(version, sizeof version, "%lld", (long long)json_integer_value(value)) : 0;
        if (n)
            write_cell(out, version, (size_t)n, &first);
        else
            write_text(out, value, &first);
    }
    for (const struct field *f = kind_table[kind].fields; f->name; f++) {
        const json_t *value = json_object_get(stored, f->name);
        if (f->type == FIELD_LIST)
            write_list(out, value, &first);
        else if (f->type == FIELD_CUSTOM)
            write_custom(out, value, &first);
        else if (f->type != FIELD_GROUP)
            write_text(out, value, &first);
        for (const struct field *m = f->type == FIELD_GROUP ? f->group : NULL; m && m->name; m++)
            write_text(out, json_object_get(value, m->name), &first);
    }
    text_string(out, "\r\n");
    return !out->failed;
}
