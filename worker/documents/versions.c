#include "versions.h"

#include "../../policy/hex.h"

#include <string.h>

size_t version_count(const json_t *fields) { return json_array_size(json_object_get(fields, "versions")); }

bool version_at(const json_t *fields, size_t i, struct version *v) {
    const json_t *item = json_array_get(json_object_get(fields, "versions"), i);
    const char *content = json_string_value(json_object_get(item, "content"));
    json_int_t size = json_integer_value(json_object_get(item, "size"));
    *v = (struct version){.number = json_integer_value(json_object_get(item, "number")),
                          .type = json_string_value(json_object_get(item, "type")),
                          .sha256 = json_string_value(json_object_get(item, "sha256"))};
    v->content.size = (uint64_t)size;
    return content && strlen(content) == CONTENT_TEXT && hex_read(content, CONTENT_ID, v->content.id) && size >= 0 &&
           (uint64_t)size <= CONTENT_MAX && v->type && v->sha256 && strlen(v->sha256) == 64;
}

bool version_find(const json_t *fields, json_int_t number, struct version *v) {
    size_t n = version_count(fields);
    if (number == 0) return n > 0 && version_at(fields, n - 1, v);
    for (size_t i = 0; i < n; i++)
        if (version_at(fields, i, v) && v->number == number) return true;
    return false;
}

/* The members of the newest version; without one they go. */
static bool show_newest(json_t *fields) {
    static const char *const shown[] = {"type", "size", "sha256", "content"};
    json_t *versions = json_object_get(fields, "versions"), *newest = json_array_get(versions, json_array_size(versions) - 1);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (!newest)
            json_object_del(fields, shown[i]);
        else if (json_object_set(fields, shown[i], json_object_get(newest, shown[i])) != 0)
            return false;
    }
    if (!newest) json_object_del(fields, "versions");
    return true;
}

bool version_add(json_t *fields, struct version *v) {
    char content[CONTENT_TEXT + 1] = "", now[RECORD_TIME + 1];
    struct version last;
    v->number = version_find(fields, 0, &last) ? last.number + 1 : 1;
    hex_write(v->content.id, CONTENT_ID, content);
    record_time(now);
    json_t *versions = json_object_get(fields, "versions");
    if (!versions) {
        versions = json_array();
        if (json_object_set_new(fields, "versions", versions) != 0) return false;
    }
    json_t *item = json_pack("{s:I,s:s,s:I,s:s,s:s,s:s}", "number", v->number, "type", v->type, "size", (json_int_t)v->content.size,
                             "sha256", v->sha256, "content", content, "created", now);
    return json_array_append_new(versions, item) == 0 && show_newest(fields);
}

bool version_remove(json_t *fields, json_int_t number) {
    json_t *versions = json_object_get(fields, "versions");
    struct version v;
    for (size_t i = 0; i < json_array_size(versions); i++)
        if (version_at(fields, i, &v) && v.number == number) return json_array_remove(versions, i) == 0 && show_newest(fields);
    return false;
}
