#include "csv_cell.h"

#include <stdbool.h>
#include <string.h>

void csv_cell(text_put *put, void *argument, const char *s, size_t size) {
    bool quote = size && (s[0] == ' ' || s[size - 1] == ' ');
    for (size_t i = 0; i < size && !quote; i++)
        quote = strchr(",;\t\"\r\n", s[i]) != NULL;
    if (!quote) {
        put(argument, s, size);
        return;
    }
    put(argument, "\"", 1);
    for (const char *end = s + size; s < end;) {
        const char *mark = memchr(s, '"', (size_t)(end - s));
        size_t plain = (size_t)((mark ? mark + 1 : end) - s);
        put(argument, s, plain);
        if (mark) put(argument, "\"", 1);
        s += plain;
    }
    put(argument, "\"", 1);
}
