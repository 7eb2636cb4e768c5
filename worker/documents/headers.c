#include "headers.h"

#include "../../policy/names.h"
#include "../keys/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGITS_MAX = 18 };
static const char opaque[] = "application/octet-stream";

bool number_read(struct slice value, uint64_t *number) {
    *number = 0;
    if (value.size == 0 || value.size > DIGITS_MAX) return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return false;
        *number = *number * 10 + (uint64_t)(value.data[i] - '0');
    }
    return true;
}

enum range range_read(struct slice value, uint64_t size, uint64_t *from, uint64_t *length) {
    static const char unit[] = "bytes=";
    uint64_t first, last = UINT64_MAX;
    if (value.size < sizeof unit - 1 || strncasecmp(value.data, unit, sizeof unit - 1) != 0) return RANGE_NONE;
    struct slice spec = {value.data + sizeof unit - 1, value.size - (sizeof unit - 1)};
    const char *dash = memchr(spec.data, '-', spec.size);
    if (!dash) return RANGE_NONE;
    struct slice before = {spec.data, (size_t)(dash - spec.data)}, behind = {dash + 1, spec.size - (size_t)(dash + 1 - spec.data)};
    if (behind.size && !number_read(behind, &last)) return RANGE_NONE;
    if (!before.size) { /* the last bytes */
        if (!behind.size) return RANGE_NONE;
        if (last == 0 || size == 0) return RANGE_BEYOND;
        *length = last < size ? last : size;
        *from = size - *length;
        return RANGE_PART;
    }
    if (!number_read(before, &first) || first > last) return RANGE_NONE;
    if (first >= size) return RANGE_BEYOND;
    *from = first;
    *length = (last < size - 1 ? last : size - 1) - first + 1;
    return RANGE_PART;
}

static bool is_text(const char *s, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) return false;
    return text_is_utf8(s, size);
}

int metadata_read(struct slice value, const char *key, char *out, size_t room) {
    const char *p = value.data, *end = value.data + value.size;
    int found = 0;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma ? comma : end;
        const char *space = memchr(p, ' ', (size_t)(stop - p));
        struct slice name = {p, (size_t)((space ? space : stop) - p)};
        size_t size = 0;
        if (slice_equals(name, key)) {
            if (found) return -1;
            if (space && !base64_read(space + 1, (size_t)(stop - space - 1), (uint8_t *)out, room - 1, &size)) return -1;
            if (!is_text(out, size)) return -1;
            out[size] = 0;
            found = 1;
        }
        p = comma ? comma + 1 : end;
    }
    if (!found) out[0] = 0;
    return found;
}

void type_keep(const struct slice *value, char *out, size_t room) {
    bool fine = value && value->size > 2 && value->size < room && memchr(value->data, '/', value->size);
    for (size_t i = 0; fine && i < value->size; i++)
        fine = value->data[i] >= 0x20 && value->data[i] < 0x7f;
    snprintf(out, room, "%.*s", fine ? (int)value->size : (int)sizeof opaque - 1, fine ? value->data : opaque);
}

const char *type_served(const char *kept) {
    static const char *const served[] = {
#define TYPE(NAME) NAME,
#include "types.def"
#undef TYPE
    };
    struct slice type = {kept, strcspn(kept, "; ")};
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (slice_equals_nocase(type, served[i])) return served[i];
    return opaque;
}

/* What both spellings may hold as it is. */
static bool is_plain(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._", c));
}

void disposition_write(const char *name, char out[DISPOSITION_MAX]) {
    static const char hex[] = "0123456789ABCDEF";
    size_t at = (size_t)snprintf(out, DISPOSITION_MAX, "attachment; filename=\"");
    for (size_t i = 0; i < 64 && name[i]; i++) /* for clients that read only this */
        out[at++] = is_plain(name[i]) ? name[i] : '_';
    at += (size_t)snprintf(out + at, DISPOSITION_MAX - at, "\"; filename*=UTF-8''");
    for (; *name; name++) {
        if (((uint8_t)*name & 0xc0) != 0x80 && at > DISPOSITION_MAX - 13) break; /* no room for a whole character */
        if (is_plain(*name)) {
            out[at++] = *name;
            continue;
        }
        out[at++] = '%';
        out[at++] = hex[(uint8_t)*name >> 4];
        out[at++] = hex[(uint8_t)*name & 15];
    }
    out[at] = 0;
}
