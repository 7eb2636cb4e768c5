/* One logical (unfolded) line of a vCard: group.NAME;PARAMETER=value,"value":value. */
#pragma once

#include "text.h"

#include <jansson.h>

struct vcard_line {
    char name[32];         /* upper case, without its group */
    bool preferred;        /* TYPE=pref (3.0), PREF=… (4.0) */
    bool is_text;          /* VALUE=text */
    bool quoted_printable; /* ENCODING=QUOTED-PRINTABLE: vCard 2.1 */
    int omit_year;         /* X-APPLE-OMIT-YEAR: a year that means none; 0 = not given */
    const char *value;     /* in the line that was read */
    size_t value_size;
};

/* false: not such a line. A name longer than ours is a property nobody knows: it is cut. */
bool vcard_line_read(const char *line, size_t size, struct vcard_line *out);

/* A text value with its escapes (\n \, \; \\) undone, up to an unescaped `until` (0 = to the end). Returns a new string; *rest is what
 * follows the `until`, NULL at the end. NULL: out of memory. */
json_t *vcard_text(const char *value, size_t size, char until, const char **rest);
/* All parts of a structured value, split at `separator`: array of strings. NULL: out of memory. */
json_t *vcard_parts(const char *value, size_t size, char separator);
