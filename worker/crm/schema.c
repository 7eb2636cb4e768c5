/* field_schema(): the table of fields as JSON Schema. */
#include "field.h"

#include <string.h>

static json_t *text_schema(enum field_type type, unsigned max) {
    switch (type) {
    case FIELD_SIREN:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^ *([0-9][ .]*){9}$");
    case FIELD_BIRTHDAY:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^\\s*([0-9]{4}|-)-[0-9]{2}-[0-9]{2}\\s*$");
    case FIELD_EMAIL:
        return json_pack("{s:s,s:i,s:s}", "type", "string", "maxLength", (int)max, "pattern", "@");
    default:
        return json_pack("{s:s,s:i}", "type", "string", "maxLength", (int)max);
    }
}

static json_t *group_schema(const struct field *fields);

static json_t *one_schema(const struct field *f) {
    json_t *s;
    if (f->type == FIELD_LIST)
        s = json_pack("{s:s,s:i,s:o}", "type", "array", "maxItems", (int)f->items, "items", text_schema(f->item, f->max));
    else if (f->type == FIELD_GROUP)
        s = group_schema(f->group);
    else if (f->type == FIELD_CUSTOM)
        s = json_pack("{s:s,s:i,s:{s:i,s:i},s:{s:[s,s,s],s:i}}", "type", "object", "maxProperties", (int)f->items, "propertyNames",
                      "minLength", 1, "maxLength", CUSTOM_NAME_MAX, "additionalProperties", "type", "string", "number", "boolean",
                      "maxLength", (int)f->max);
    else
        s = text_schema(f->type, f->max);
    if (s && json_object_set_new(s, "description", json_string(f->means)) != 0) {
        json_decref(s);
        return NULL;
    }
    return s;
}

static json_t *group_schema(const struct field *fields) {
    json_t *properties = json_object();
    for (const struct field *f = fields; f->name; f++)
        if (json_object_set_new(properties, f->name, one_schema(f)) != 0) {
            json_decref(properties);
            return NULL;
        }
    return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
}

json_t *field_schema(enum kind kind) { return group_schema(kind_table[kind].fields); }
