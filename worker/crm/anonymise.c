#include "anonymise.h"

#include <string.h>

/* Not a word of a language: it stands in every tenant's lists. What subject/erase.c writes is as anonymous. */
static const char nobody[] = "—";

/* Of a table of fields, what may stay of `from`. */
static json_t *kept(const struct field *fields, const json_t *from) {
    json_t *out = json_object();
    for (const struct field *f = fields; out && f->name; f++) {
        const json_t *value = json_object_get(from, f->name);
        if (!value) continue;
        json_t *part = f->type == FIELD_GROUP ? kept(f->group, value) : f->keeps ? json_deep_copy(value) : NULL;
        bool wanted = f->type == FIELD_GROUP ? !part || json_object_size(part) > 0 : f->keeps;
        if (!wanted)
            json_decref(part);
        else if (json_object_set_new(out, f->name, part) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

json_t *anonymised(enum kind kind, const json_t *fields) {
    json_t *rest = kept(kind_table[kind].fields, fields);
    json_t *out = rest ? json_pack("{s:s}", kind == KIND_COMPANY ? "name" : "family_name", nobody) : NULL;
    if (out && json_object_update(out, rest) != 0) {
        json_decref(out);
        out = NULL;
    }
    json_decref(rest);
    return out;
}

bool is_anonymous(enum kind kind, const json_t *fields) {
    json_t *then = anonymised(kind, fields);
    bool same = then != NULL;
    for (const struct field *f = kind_table[kind].fields; same && f->name; f++)
        same = json_object_get(fields, f->name) == json_object_get(then, f->name) ||
               json_equal(json_object_get(fields, f->name), json_object_get(then, f->name));
    json_decref(then);
    return same;
}
