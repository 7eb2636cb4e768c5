#include "ledger_line.h"

#include "chain.h"
#include "hex.h"
#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIELDS = 8, ALL_FIELDS = 13 };

static bool is_word(const char *s) {
    size_t size = strlen(s);
    return size > 0 && size <= LEDGER_WORD_MAX && s[0] >= 'a' && s[0] <= 'z' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == size;
}

static bool is_zero(const uint8_t hash[LEDGER_HASH]) {
    static const uint8_t zero[LEDGER_HASH];
    return memcmp(hash, zero, LEDGER_HASH) == 0;
}

static bool own_is_valid(const struct ledger_line *line) {
    if (line->own_count == 0) return line->own_last == 0 && is_zero(line->own_previous);
    if (line->tenant == 0 || line->own_last >= line->count) return false;
    return line->own_count == 1 ? line->own_last == 0 && is_zero(line->own_previous) : line->own_last > 0;
}

/* Whether the last five fields say something. */
static bool is_long(const struct ledger_line *line) { return line->number || line->note[0] || line->own_count; }

/* Every line that may be written, and no other. */
static bool is_valid(const struct ledger_line *line) {
    if (line->count == 0 || line->times == 0 || (!line->has_uid && line->uid)) return false;
    if (!is_word(line->verb) || !is_word(line->result) || !name_is_note(line->note) || strcmp(line->note, "-") == 0) return false;
    return own_is_valid(line) && (line->name[0] ? name_is_tenant(line->name) : line->tenant == 0);
}

/* The five fields, with a tab before each. */
static int format_more(const struct ledger_line *line, char *out, size_t room) {
    char own[CHAIN_HASH_HEX + 1] = "-";
    if (line->own_count) hex_write(line->own_previous, LEDGER_HASH, own);
    return snprintf(out, room, "\t%" PRIu64 "\t%s\t%" PRIu64 "\t%" PRIu64 "\t%s", line->number, line->note[0] ? line->note : "-",
                    line->own_count, line->own_last, own);
}

size_t ledger_line_format(struct ledger_line *line, char out[LEDGER_LINE_MAX]) {
    if (!is_valid(line)) return 0;
    char uid[12] = "-";
    if (line->has_uid) snprintf(uid, sizeof uid, "%" PRIu32, line->uid);
    int size = snprintf(out, LEDGER_LINE_MAX, "%" PRIu64 "\t%" PRIu64 "\t%s\t%s\t%" PRIu32 "\t%s\t%s\t%" PRIu64, line->count, line->time_ms,
                        uid, line->verb, line->tenant, line->name[0] ? line->name : "-", line->result, line->times);
    if (is_long(line)) size += format_more(line, out + size, (size_t)(LEDGER_LINE_MAX - size));
    return size >= LEDGER_LINE_MAX ? 0 : chain_close(out, (size_t)size, LEDGER_LINE_MAX, line->previous, line->hash);
}

static bool read_more(const struct chain_field *f, struct ledger_line *line) {
    if (!chain_number(f[0], UINT64_MAX, &line->number) || !chain_text(f[1], line->note, LEDGER_NOTE_MAX)) return false;
    if (!line->note[0]) return false;
    if (strcmp(line->note, "-") == 0) line->note[0] = '\0';
    if (!chain_number(f[2], UINT64_MAX, &line->own_count) || !chain_number(f[3], UINT64_MAX, &line->own_last)) return false;
    bool none = chain_is(f[4], "-");
    if (!none && (f[4].size != CHAIN_HASH_HEX || !hex_read(f[4].data, LEDGER_HASH, line->own_previous))) return false;
    return none == (line->own_count == 0) && is_long(line);
}

static bool read_fields(const struct chain_field f[FIELDS], struct ledger_line *line) {
    uint64_t uid = 0, tenant = 0;
    line->has_uid = !chain_is(f[2], "-");
    if (!chain_number(f[0], UINT64_MAX, &line->count) || !chain_number(f[1], UINT64_MAX, &line->time_ms)) return false;
    if (line->has_uid && !chain_number(f[2], UINT32_MAX, &uid)) return false;
    if (!chain_text(f[3], line->verb, LEDGER_WORD_MAX) || !chain_number(f[4], UINT32_MAX, &tenant)) return false;
    if (!chain_text(f[5], line->name, TENANT_NAME_MAX) || !chain_text(f[6], line->result, LEDGER_WORD_MAX)) return false;
    if (!chain_number(f[7], UINT64_MAX, &line->times)) return false;
    line->uid = (uint32_t)uid;
    line->tenant = (uint32_t)tenant;
    if (strcmp(line->name, "-") == 0)
        line->name[0] = '\0';
    else if (!line->name[0])
        return false;
    return true;
}

bool ledger_line_parse(const char *text, size_t size, struct ledger_line *line) {
    struct chain_field field[ALL_FIELDS];
    *line = (struct ledger_line){0};
    if (size >= LEDGER_LINE_MAX) return false;
    size_t fields = chain_open(text, size, field, ALL_FIELDS, line->previous, line->hash);
    if ((fields != FIELDS && fields != ALL_FIELDS) || !read_fields(field, line)) return false;
    return (fields == FIELDS || read_more(field + FIELDS, line)) && is_valid(line);
}

bool ledger_own_next(struct ledger_own *own, const struct ledger_line *line) {
    if (line->own_count != own->count + 1 || line->own_last != own->at) return false;
    if (memcmp(line->own_previous, own->hash, LEDGER_HASH) != 0) return false;
    own->count = line->own_count;
    own->at = line->count;
    memcpy(own->hash, line->hash, LEDGER_HASH);
    return true;
}

enum ledger_verdict ledger_chain_next(struct ledger_chain *chain, const char *bytes, size_t size, size_t *used, struct ledger_line *line) {
    *used = 0;
    if (size == 0) return LEDGER_MORE;
    const char *end = memchr(bytes, '\n', size < LEDGER_LINE_MAX ? size : LEDGER_LINE_MAX);
    if (!end) return size < LEDGER_LINE_MAX ? LEDGER_MORE : LEDGER_BROKEN;
    if (!ledger_line_parse(bytes, (size_t)(end - bytes), line) || line->count != chain->count + 1) return LEDGER_BROKEN;
    if (memcmp(line->previous, chain->hash, LEDGER_HASH) != 0) return LEDGER_BROKEN;
    chain->count = line->count;
    memcpy(chain->hash, line->hash, LEDGER_HASH);
    *used = (size_t)(end - bytes) + 1;
    return LEDGER_LINE;
}
