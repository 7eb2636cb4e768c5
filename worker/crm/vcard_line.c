#include "vcard_line.h"

#include <string.h>

static bool name_byte(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

static bool equals(const char *s, size_t size, const char *word) { return strlen(word) == size && strncasecmp(s, word, size) == 0; }

/* One value of one parameter; a value alone (TEL;HOME:) is an old spelling of a TYPE. */
static void parameter(struct vcard_line *out, const char *name, size_t name_size, const char *value, size_t size) {
    if (equals(name, name_size, "PREF"))
        out->preferred = true;
    else if (equals(name, name_size, "TYPE") || !name_size)
        out->preferred |= equals(value, size, "pref");
    else if (equals(name, name_size, "VALUE"))
        out->is_text = equals(value, size, "text");
    else if (equals(name, name_size, "ENCODING"))
        out->quoted_printable = equals(value, size, "QUOTED-PRINTABLE");
    else if (equals(name, name_size, "X-APPLE-OMIT-YEAR"))
        for (size_t i = 0; i < size && i < 4 && value[i] >= '0' && value[i] <= '9'; i++)
            out->omit_year = out->omit_year * 10 + value[i] - '0';
}

/* After a ';'. Returns the ';' or ':' behind the parameter, NULL when there is none. */
static const char *parameters(struct vcard_line *out, const char *p, const char *end) {
    const char *name = p;
    while (p < end && name_byte(*p))
        p++;
    size_t name_size = (size_t)(p - name);
    if (p == end) return NULL;
    if (*p == ';' || *p == ':') { /* a bare type */
        parameter(out, "", 0, name, name_size);
        return p;
    }
    if (*p++ != '=' || !name_size) return NULL;
    for (;;) {
        const char *value = p;
        size_t size;
        if (p < end && *p == '"') {
            value++;
            if (!(p = memchr(value, '"', (size_t)(end - value)))) return NULL;
            size = (size_t)(p++ - value);
        } else {
            while (p < end && *p != ',' && *p != ';' && *p != ':' && *p != '"')
                p++;
            size = (size_t)(p - value);
        }
        parameter(out, name, name_size, value, size);
        if (p == end || *p == '"') return NULL;
        if (*p != ',') return *p == ';' || *p == ':' ? p : NULL;
        p++;
    }
}

bool vcard_line_read(const char *line, size_t size, struct vcard_line *out) {
    const char *p = line, *end = line + size, *name = p;
    *out = (struct vcard_line){0};
    while (p < end && name_byte(*p))
        p++;
    if (p < end && *p == '.' && p > name)
        for (name = ++p; p < end && name_byte(*p);)
            p++;
    size_t n = (size_t)(p - name);
    if (!n) return false;
    if (n > sizeof out->name - 1) n = sizeof out->name - 1;
    for (size_t i = 0; i < n; i++)
        out->name[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    while (p && p < end && *p == ';')
        p = parameters(out, p + 1, end);
    if (!p || p == end || *p != ':') return false;
    out->value = p + 1;
    out->value_size = (size_t)(end - p) - 1;
    return true;
}

json_t *vcard_text(const char *value, size_t size, char until, const char **rest) {
    struct text out = {0};
    const char *end = value + size;
    for (; value < end && (!until || *value != until); value++) {
        if (*value == '\\' && value + 1 < end) {
            value++;
            text_char(&out, *value == 'n' || *value == 'N' ? '\n' : *value);
        } else {
            text_char(&out, *value);
        }
    }
    if (rest) *rest = value < end ? value + 1 : NULL;
    json_t *text = out.failed ? NULL : json_stringn(out.data ? out.data : "", out.size);
    text_free(&out);
    return text;
}

json_t *vcard_parts(const char *value, size_t size, char separator) {
    json_t *parts = json_array();
    const char *end = value + size;
    while (parts && value) {
        if (json_array_append_new(parts, vcard_text(value, (size_t)(end - value), separator, &value)) == 0) continue;
        json_decref(parts);
        parts = NULL;
    }
    return parts;
}
