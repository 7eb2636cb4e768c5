#include "fields.h"

#include <string.h>
#include <time.h>

void fields_refuse(struct exchange *x, const char *name, const char *expected) {
    respond_problem(x, 400, "invalid-field", expected, name, 0);
}

static bool is_json(const struct request *r) {
    const struct slice *type = http_header_find(r->head, "Content-Type");
    if (!type) return true;
    struct slice media = *type;
    const char *end = memchr(media.data, ';', media.size);
    if (end) media.size = (size_t)(end - media.data);
    while (media.size && media.data[media.size - 1] == ' ')
        media.size--;
    return slice_equals_nocase(media, "application/json");
}

static bool known(const char *name, const char *const *names) {
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

bool fields_read(struct exchange *x, const struct request *r, const char *const *names, json_t **object) {
    json_error_t error = {0};
    if (!is_json(r)) {
        respond_problem(x, 415, "unsupported-media-type", "Expected application/json.", "Content-Type", 0);
        return false;
    }
    if (r->body_size > FIELDS_BODY_MAX) {
        respond_problem(x, 413, "too-large", "The body is too large.", NULL, 0);
        return false;
    }
    *object = json_loadb((const char *)r->body, r->body_size, JSON_REJECT_DUPLICATES, &error);
    if (!*object && json_error_code(&error) == json_error_out_of_memory) {
        respond_problem(x, 503, "out-of-memory", "There is not enough memory now; try again.", NULL, 0);
        return false;
    }
    if (!json_is_object(*object)) {
        respond_problem(x, 400, "invalid-json", "Expected one JSON object.", NULL, error.line > 0 ? (unsigned long)error.line : 1);
        json_decref(*object);
        return false;
    }
    const char *name;
    json_t *value;
    json_object_foreach(*object, name, value) {
        if (known(name, names)) continue;
        /* The name is the client's own text: it is not repeated. */
        respond_problem(x, 400, "unknown-field", "The object has a field that is not known here.", NULL, 0);
        json_decref(*object);
        return false;
    }
    return true;
}

bool fields_string(struct exchange *x, json_t *object, const char *name, size_t max, const char **value) {
    json_t *v = json_object_get(object, name);
    *value = json_string_value(v);
    if (*value && json_string_length(v) >= 1 && json_string_length(v) <= max) return true;
    fields_refuse(x, name, v ? "Expected a text that is neither empty nor too long." : "This field is required.");
    return false;
}

json_t *json_time(uint64_t seconds) {
    char text[32];
    struct tm tm;
    time_t t = (time_t)seconds;
    if (seconds == 0 || !gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm)) return json_null();
    return json_string(text);
}

/* RFC 3339 in UTC, whole seconds, in the future. */
static bool parse_time(const char *text, uint64_t *seconds) {
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || strcmp(end, "Z") != 0 || strlen(text) != 20) return false;
    time_t t = timegm(&tm);
    *seconds = (uint64_t)t;
    return t > time(NULL);
}

bool fields_expires(struct exchange *x, json_t *object, uint64_t standard, uint64_t longest, uint64_t *expires) {
    uint64_t now = (uint64_t)time(NULL);
    json_t *until = json_object_get(object, "expires");
    *expires = until ? 0 : now + standard;
    if (!until || (json_is_null(until) && !longest)) return true;
    if (json_is_string(until) && parse_time(json_string_value(until), expires) && (!longest || *expires <= now + longest)) return true;
    fields_refuse(x, "expires",
                  longest ? "Expected a time to come and not too far, as in 2027-01-31T12:00:00Z."
                          : "Expected a time to come, as in 2027-01-31T12:00:00Z, or null for never.");
    return false;
}

bool fields_flag(struct exchange *x, const struct request *r, const char *name, bool *value) {
    char text[8] = "false";
    struct slice rest = r->head->query, known, ignored;
    bool fine = true;
    while (http_query_next(&rest, &known, &ignored))
        fine &= slice_equals(known, name);
    if (fine && http_query_value(r->head->query, name, text, sizeof text) < 0) fine = false;
    *value = strcmp(text, "true") == 0;
    if (fine && (*value || strcmp(text, "false") == 0)) return true;
    respond_problem(x, 400, "invalid-parameter", "Expected true or false, and no other parameter.", name, 0);
    return false;
}
