#include "ledger_line.h"

#include "hex.h"
#include "names.h"

#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>

enum { FIELDS = 10, HASH_HEX = 2 * LEDGER_HASH };

static bool is_word(const char *s) {
    size_t size = strlen(s);
    return size > 0 && size <= LEDGER_WORD_MAX && s[0] >= 'a' && s[0] <= 'z' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == size;
}

/* Every line that may be written, and no other. */
static bool is_valid(const struct ledger_line *line) {
    if (line->count == 0 || line->times == 0 || (!line->has_uid && line->uid)) return false;
    if (!is_word(line->verb) || !is_word(line->result)) return false;
    return line->name[0] ? name_is_tenant(line->name) : line->tenant == 0;
}

static void hash_text(const char *text, size_t size, uint8_t hash[LEDGER_HASH]) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, (const uint8_t *)text, size);
    SHA256_Final(hash, &context);
}

size_t ledger_line_format(struct ledger_line *line, char out[LEDGER_LINE_MAX]) {
    if (!is_valid(line)) return 0;
    char previous[HASH_HEX + 1] = {0}, uid[12] = "-";
    hex_write(line->previous, LEDGER_HASH, previous);
    if (line->has_uid) snprintf(uid, sizeof uid, "%" PRIu32, line->uid);
    int size =
        snprintf(out, LEDGER_LINE_MAX, "%" PRIu64 "\t%" PRIu64 "\t%s\t%s\t%" PRIu32 "\t%s\t%s\t%" PRIu64 "\t%s", line->count, line->time_ms,
                 uid, line->verb, line->tenant, line->name[0] ? line->name : "-", line->result, line->times, previous);
    if (size < 0 || size + 1 + HASH_HEX + 1 > LEDGER_LINE_MAX) return 0;
    hash_text(out, (size_t)size, line->hash);
    out[size] = '\t';
    hex_write(line->hash, LEDGER_HASH, out + size + 1);
    out[size + 1 + HASH_HEX] = '\n';
    return (size_t)size + 1 + HASH_HEX + 1;
}

/* A piece between two tabs. */
struct field {
    const char *data;
    size_t size;
};

static bool split(const char *text, size_t size, struct field field[FIELDS]) {
    const char *end = text + size;
    for (int i = 0; i < FIELDS; i++) {
        const char *tab = memchr(text, '\t', (size_t)(end - text));
        if (!tab == (i < FIELDS - 1)) return false;
        field[i] = (struct field){text, (size_t)((tab ? tab : end) - text)};
        text = tab ? tab + 1 : end;
    }
    return true;
}

/* Decimal as printf writes it: no sign, no zero in front. */
static bool read_number(struct field f, uint64_t most, uint64_t *out) {
    if (f.size == 0 || f.size > 20 || (f.size > 1 && f.data[0] == '0')) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < f.size; i++) {
        if (f.data[i] < '0' || f.data[i] > '9') return false;
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) || __builtin_add_overflow(n, (uint64_t)(f.data[i] - '0'), &n)) return false;
    }
    *out = n;
    return n <= most;
}

static bool read_text(struct field f, char *out, size_t most) {
    if (f.size > most || memchr(f.data, '\0', f.size)) return false;
    memcpy(out, f.data, f.size);
    out[f.size] = '\0';
    return true;
}

static bool read_fields(const struct field f[FIELDS], struct ledger_line *line) {
    uint64_t uid = 0, tenant = 0;
    line->has_uid = !(f[2].size == 1 && f[2].data[0] == '-');
    if (!read_number(f[0], UINT64_MAX, &line->count) || !read_number(f[1], UINT64_MAX, &line->time_ms)) return false;
    if (line->has_uid && !read_number(f[2], UINT32_MAX, &uid)) return false;
    if (!read_text(f[3], line->verb, LEDGER_WORD_MAX) || !read_number(f[4], UINT32_MAX, &tenant)) return false;
    if (!read_text(f[5], line->name, TENANT_NAME_MAX) || !read_text(f[6], line->result, LEDGER_WORD_MAX)) return false;
    if (!read_number(f[7], UINT64_MAX, &line->times)) return false;
    if (f[8].size != HASH_HEX || !hex_read(f[8].data, LEDGER_HASH, line->previous)) return false;
    if (f[9].size != HASH_HEX || !hex_read(f[9].data, LEDGER_HASH, line->hash)) return false;
    line->uid = (uint32_t)uid;
    line->tenant = (uint32_t)tenant;
    if (strcmp(line->name, "-") == 0)
        line->name[0] = '\0';
    else if (!line->name[0])
        return false;
    return is_valid(line);
}

bool ledger_line_parse(const char *text, size_t size, struct ledger_line *line) {
    struct field field[FIELDS];
    *line = (struct ledger_line){0};
    if (size >= LEDGER_LINE_MAX || memchr(text, '\n', size) || !split(text, size, field) || !read_fields(field, line)) return false;
    uint8_t hash[LEDGER_HASH];
    hash_text(text, (size_t)(field[FIELDS - 1].data - 1 - text), hash);
    return memcmp(hash, line->hash, LEDGER_HASH) == 0;
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
