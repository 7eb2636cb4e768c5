#include "page.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void escaped(const char *s, struct text *out) {
    for (; *s; s++) {
        const char *as = *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '&' ? "&amp;" : *s == '"' ? "&quot;" : NULL;
        if (as)
            text_string(out, as);
        else
            text_char(out, *s);
    }
}

static void scalar(const json_t *value, struct text *out) {
    char *dump;
    if (json_is_string(value)) {
        escaped(json_string_value(value), out);
        return;
    }
    dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    out->failed |= dump == NULL;
    if (dump) escaped(dump, out);
    free(dump);
}

static void any(const json_t *value, struct text *out) { /* records are at most a few levels deep */
    const char *name;
    json_t *item;
    size_t i;
    if (json_is_object(value)) {
        text_string(out, "<dl>");
        json_object_foreach((json_t *)(uintptr_t)value, name, item) {
            text_string(out, "<dt>");
            escaped(name, out);
            text_string(out, "</dt><dd>");
            any(item, out);
            text_string(out, "</dd>");
        }
        text_string(out, "</dl>");
    } else if (json_is_array(value)) {
        text_string(out, "<ol>");
        json_array_foreach((json_t *)(uintptr_t)value, i, item) {
            text_string(out, "<li>");
            any(item, out);
            text_string(out, "</li>");
        }
        text_string(out, "</ol>");
    } else {
        scalar(value, out);
    }
}

void page_write(const json_t *all, struct text *out) {
    text_string(out, "<!DOCTYPE html>\n<html lang=\"fr\">\n<head>\n<meta charset=\"utf-8\">\n<title>Données à caractère personnel</title>\n"
                     "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto}dt{font-weight:600}"
                     "dd{margin:0 0 .5em 1.5em;white-space:pre-wrap}</style>\n</head>\n<body>\n"
                     "<h1>Données à caractère personnel <small lang=\"en\">Personal data</small></h1>\n");
    any(all, out);
    text_string(out, "\n</body>\n</html>\n");
}
