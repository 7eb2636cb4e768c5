#include "credentials.h"

#include <string.h>

/* The value of "NAME = VALUE" in a line, without blanks around it; NULL: another line. */
static const char *value_of(const char *line, size_t size, const char *name, size_t *value_size) {
    size_t length = strlen(name);
    const char *end = line + size, *at = line;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if ((size_t)(end - at) <= length || strncmp(at, name, length) != 0) return NULL;
    at += length;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end || *at++ != '=') return NULL;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *value_size = (size_t)(end - at);
    return at;
}

static bool take(const char *value, size_t size, char out[CREDENTIAL_MAX + 1]) {
    if (size == 0 || size > CREDENTIAL_MAX) return false;
    for (size_t i = 0; i < size; i++)
        if (value[i] <= ' ' || value[i] >= 0x7f) return false;
    memcpy(out, value, size);
    out[size] = '\0';
    return true;
}

bool credentials_parse(const char *text, size_t size, struct credentials *out) {
    *out = (struct credentials){0};
    for (const char *end = text + size; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((stop ? stop : end) - text), length;
        const char *value;
        if (!out->id[0] && (value = value_of(text, line, "aws_access_key_id", &length)) && !take(value, length, out->id)) return false;
        if (!out->secret[0] && (value = value_of(text, line, "aws_secret_access_key", &length)) && !take(value, length, out->secret))
            return false;
        text += line + 1;
    }
    return out->id[0] && out->secret[0] && !strchr(out->id, ':');
}
