/* The vCard reader: lines are unfolded, a card's properties gathered, and the card made a record at its END. */
#include "reader.h"

#include "../../policy/names.h"
#include "ulid.h"
#include "vcard_line.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 131072, UUID_TEXT = 36 };

struct vcard {
    struct reader reader;
    struct text line;           /* the logical line so far */
    bool have, at_start;        /* there is one; the next byte begins a physical line */
    bool overlong;              /* more of it was dropped */
    unsigned long count, start; /* the physical line in hand; where the logical one began */
    bool in_card, any;
    unsigned long card; /* line of its BEGIN */
    json_t *found;      /* the card's properties: name -> string or array */
    struct problem why; /* the first thing wrong with it */
};

static bool broken(struct vcard *v, unsigned long line, const char *detail) {
    v->reader.broken.line = line;
    problem_set(&v->reader.broken, 400, "invalid-vcard", "%s", detail);
    return false;
}

static void wrong(struct vcard *v, const char *name, const char *detail) {
    if (v->why.status) return;
    v->why.line = v->start;
    snprintf(v->why.field, sizeof v->why.field, "%s", name);
    problem_set(&v->why, 400, "invalid-vcard", "%s", detail);
}

static const char *found(const struct vcard *v, const char *name) { return json_string_value(json_object_get(v->found, name)); }
static const char *part(const struct vcard *v, const char *name, size_t i) {
    const char *s = json_string_value(json_array_get(json_object_get(v->found, name), i));
    return s ? s : "";
}

/* Joins the parts of a name that hold something. */
static json_t *joined(const struct vcard *v, const char *name, const size_t *which, size_t count, const char *between) {
    struct text out = {0};
    for (size_t i = 0; i < count; i++) {
        const char *s = part(v, name, which[i]);
        if (!*s) continue;
        if (out.size) text_string(&out, between);
        text_string(&out, s);
    }
    json_t *value = out.failed ? NULL : json_stringn(out.data ? out.data : "", out.size);
    text_free(&out);
    return value;
}
#define JOINED(V, NAME, BETWEEN, ...)                                                                                                      \
    joined(V, NAME, (const size_t[]){__VA_ARGS__}, sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t), BETWEEN)

static bool is_company(const struct vcard *v) {
    const char *kind = found(v, "KIND"), *as = found(v, "X-ABSHOWAS"), *fn = found(v, "FN"), *org = part(v, "ORG", 0);
    if (kind) return strcasecmp(kind, "org") == 0;
    if (as && strcasecmp(as, "company") == 0) return true;
    for (size_t i = 0; i < json_array_size(json_object_get(v->found, "N")); i++)
        if (*part(v, "N", i)) return false;
    return *org && (!fn || !*fn || strcmp(fn, org) == 0);
}

static bool is_other(const struct vcard *v) {
    const char *kind = found(v, "KIND");
    return kind && strcasecmp(kind, "individual") != 0 && strcasecmp(kind, "org") != 0;
}

/* A record's id out of a UID: a ULID, or a UUID, which is as many bits. */
static bool uid_read(const char *uid, uint8_t id[ID_BYTES]) {
    size_t size = strlen(uid), n = 0;
    if (ulid_parse(uid, size, id)) return true;
    if (size == UUID_TEXT + 9 && strncasecmp(uid, "urn:uuid:", 9) == 0) uid += 9, size -= 9;
    if (size != UUID_TEXT || strspn(uid, "0123456789abcdefABCDEF-") != size) return false;
    for (size_t i = 0; i < UUID_TEXT; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if ((uid[i] == '-') != dash) return false;
        if (dash) continue;
        int digit = uid[i] <= '9' ? uid[i] - '0' : (uid[i] | 32) - 'a' + 10;
        id[n / 2] = (uint8_t)(n % 2 ? id[n / 2] | digit : digit << 4);
        n++;
    }
    return true;
}

/* The RFC's date forms that are a whole day, as ours; false: another form, which there is no field for. */
static bool birthday_read(const char *s, int omit_year, char out[16]) {
    size_t size = strcspn(s, "Tt ");
    char year[5] = "-", md[5];
    if (size == 8 && strspn(s, "0123456789") >= 8)
        snprintf(year, sizeof year, "%.4s", s), snprintf(md, sizeof md, "%.4s", s + 4);
    else if (size == 10 && s[4] == '-' && s[7] == '-')
        snprintf(year, sizeof year, "%.4s", s), snprintf(md, sizeof md, "%.2s%.2s", s + 5, s + 8);
    else if (size == 6 && strncmp(s, "--", 2) == 0)
        snprintf(md, sizeof md, "%.4s", s + 2);
    else if (size == 7 && strncmp(s, "--", 2) == 0 && s[4] == '-')
        snprintf(md, sizeof md, "%.2s%.2s", s + 2, s + 5);
    else
        return false;
    if (omit_year && strtol(year, NULL, 10) == omit_year) year[0] = '-', year[1] = 0;
    snprintf(out, 16, "%s-%.2s-%.2s", year, md, md + 2);
    return true;
}

/* All texts of a property that may come several times, one a line. */
static json_t *lines_of(const json_t *list) {
    struct text out = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *line = json_array_get(list, i);
        if (i) text_char(&out, '\n');
        text_add(&out, json_string_value(line), json_string_length(line));
    }
    json_t *value = out.failed ? NULL : json_stringn(out.data ? out.data : "", out.size);
    text_free(&out);
    return value;
}

static json_t *address_of(const struct vcard *v) {
    if (!json_object_get(v->found, "ADR")) return NULL;
    return json_pack("{s:o,s:o,s:o,s:o}", "street", JOINED(v, "ADR", "\n", 0, 1, 2), "city", JOINED(v, "ADR", ", ", 3, 4), "postcode",
                     JOINED(v, "ADR", "", 5), "country", JOINED(v, "ADR", "", 6));
}

/* What company and contact share, and what either has alone, put where the table of fields has it. */
static bool set(json_t *record, const char *name, json_t *value) { return !value || json_object_set(record, name, value) == 0; }
static bool set_new(json_t *record, const char *name, json_t *value) { return json_object_set_new(record, name, value) == 0; }

static bool company_of(const struct vcard *v, json_t *record) {
    const char *fn = found(v, "FN");
    return set_new(record, "name", *part(v, "ORG", 0) ? json_string(part(v, "ORG", 0)) : json_string(fn ? fn : "")) &&
           set(record, "email", json_array_get(json_object_get(v->found, "EMAIL"), 0)) &&
           set(record, "phone", json_array_get(json_object_get(v->found, "TEL"), 0)) &&
           set(record, "website", json_object_get(v->found, "URL")) && set(record, "siren", json_object_get(v->found, "X-SIREN")) &&
           set(record, "vat", json_object_get(v->found, "X-VAT")) && set(record, "sector", json_object_get(v->found, "X-SECTOR"));
}

static bool contact_of(const struct vcard *v, json_t *record) {
    const char *fn = found(v, "FN");
    const json_t *notes = json_object_get(v->found, "NOTE");
    char birthday[16];
    bool fine = set_new(record, "family_name", json_string(part(v, "N", 0))) && set_new(record, "given_name", JOINED(v, "N", " ", 1, 2));
    /* A card without N has only how the name is written: no guess is made which part is which. */
    if (fine && !*part(v, "N", 0) && !*part(v, "N", 1) && !*part(v, "N", 2))
        fine = set_new(record, "family_name", json_string(fn ? fn : ""));
    const char *bday = found(v, "BDAY");
    if (fine && bday && birthday_read(bday, (int)json_integer_value(json_object_get(v->found, "BDAY-OMIT")), birthday))
        fine = set_new(record, "birthday", json_string(birthday));
    return fine && set_new(record, "company", json_string(part(v, "ORG", 0))) && set(record, "title", json_object_get(v->found, "TITLE")) &&
           set(record, "emails", json_object_get(v->found, "EMAIL")) && set(record, "phones", json_object_get(v->found, "TEL")) &&
           (!notes || set_new(record, "notes", lines_of(notes)));
}

static json_t *record_of(const struct vcard *v) {
    json_t *record = json_object(), *address = address_of(v);
    bool fine = v->reader.kind == KIND_COMPANY ? company_of(v, record) : contact_of(v, record);
    uint8_t id[ID_BYTES];
    char text[ULID_TEXT + 1];
    fine = fine && set(record, "tags", json_object_get(v->found, "CATEGORIES"));
    if (json_object_get(v->found, "ADR")) fine = fine && address && set(record, "address", address);
    json_decref(address);
    if (found(v, "UID") && uid_read(found(v, "UID"), id)) {
        ulid_text(id, text);
        fine = fine && set_new(record, "id", json_string(text));
    }
    if (fine) return record;
    json_decref(record);
    return NULL;
}

static bool give(struct vcard *v, const struct problem *why) {
    json_t *record = NULL;
    bool other = is_other(v) || (is_company(v) != (v->reader.kind == KIND_COMPANY));
    if (!why && !other && !(record = record_of(v))) return problem_memory(&v->reader.broken), false;
    v->in_card = false;
    return v->reader.each(v->reader.argument, v->card, record, why);
}

static bool card_end(struct vcard *v) {
    const char *version = found(v, "VERSION");
    v->start = v->card;
    if (!version)
        wrong(v, "VERSION", "a card says its version: 3.0 or 4.0");
    else if (strcmp(version, "3.0") != 0 && strcmp(version, "4.0") != 0)
        wrong(v, "VERSION", "only 3.0 and 4.0 are read");
    return give(v, v->why.status ? &v->why : NULL);
}

static bool card_begin(struct vcard *v) {
    if (v->in_card) {
        wrong(v, "END", "the card has no END:VCARD");
        if (!give(v, &v->why)) return false;
    }
    v->in_card = v->any = true;
    v->card = v->start;
    v->why = (struct problem){0};
    json_object_clear(v->found);
    return true;
}

/* Adds a text to an array, the preferred ones in front. */
static bool collect(struct vcard *v, const struct vcard_line *l, json_t *text) {
    json_t *list = json_object_get(v->found, l->name);
    if (!list) {
        if (json_object_set_new(v->found, l->name, json_array()) != 0) return json_decref(text), false;
        list = json_object_get(v->found, l->name);
    }
    return (l->preferred ? json_array_insert_new(list, 0, text) : json_array_append_new(list, text)) == 0;
}

/* One property of a card; what no field is for is passed over. */
static bool property(struct vcard *v, const struct vcard_line *l) {
    static const struct {
        const char *name;
        enum { ONE, MANY, MORE_LINES, PARTS, PARTS_LIST } how;
    } known[] = {
        {"VERSION", ONE},     {"KIND", ONE},
        {"X-ABSHOWAS", ONE},  {"UID", ONE},
        {"FN", ONE},          {"N", PARTS},
        {"ORG", PARTS},       {"TITLE", ONE},
        {"EMAIL", MANY},      {"TEL", MANY},
        {"ADR", PARTS},       {"BDAY", ONE},
        {"NOTE", MORE_LINES}, {"CATEGORIES", PARTS_LIST},
        {"URL", ONE},         {"X-SIREN", ONE},
        {"X-VAT", ONE},       {"X-SECTOR", ONE},
    };
    size_t i = 0, count = sizeof known / sizeof *known;
    while (i < count && strcmp(known[i].name, l->name) != 0)
        i++;
    if (i == count) return true;
    if (v->overlong) return wrong(v, l->name, "at most 128 KiB"), true;
    if (l->quoted_printable) return wrong(v, l->name, "quoted-printable is of version 2.1; only 3.0 and 4.0 are read"), true;
    json_t *old = json_object_get(v->found, l->name);
    if (strcmp(l->name, "BDAY") == 0 && (l->is_text || json_object_set_new(v->found, "BDAY-OMIT", json_integer(l->omit_year)) != 0))
        return l->is_text;
    if (known[i].how == MANY) {
        bool tel = l->value_size > 4 && strncasecmp(l->value, "tel:", 4) == 0,
             mail = l->value_size > 7 && strncasecmp(l->value, "mailto:", 7) == 0;
        size_t skip = tel ? 4 : mail ? 7 : 0;
        return collect(v, l, vcard_text(l->value + skip, l->value_size - skip, 0, NULL));
    }
    if (known[i].how == MORE_LINES) return collect(v, l, vcard_text(l->value, l->value_size, 0, NULL)); /* joined at the end, once */
    if (known[i].how == PARTS) return old || set_new(v->found, l->name, vcard_parts(l->value, l->value_size, ';'));
    if (known[i].how == PARTS_LIST) {
        json_t *parts = vcard_parts(l->value, l->value_size, ',');
        bool fine = parts && (old ? json_array_extend(old, parts) == 0 : json_object_set(v->found, l->name, parts) == 0);
        json_decref(parts);
        return fine;
    }
    json_t *text = vcard_text(l->value, l->value_size, 0, NULL);
    if (old) return json_decref(text), true;
    return set_new(v->found, l->name, text);
}

/* A whole logical line. */
static bool line_over(struct vcard *v) {
    const char *line = v->line.data ? v->line.data : "";
    size_t size = v->line.size;
    struct vcard_line l;
    if (v->line.failed) return problem_memory(&v->reader.broken), false;
    if (v->start == 1 && size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) line += 3, size -= 3;
    if (!size) return true;
    bool fine = text_is_utf8(line, v->overlong ? text_cut(line, size, size - 4) : size) && !memchr(line, 0, size) &&
                vcard_line_read(line, size, &l);
    bool vcard = fine && l.value_size == 5 && strncasecmp(l.value, "VCARD", 5) == 0;
    if (vcard && strcmp(l.name, "BEGIN") == 0) return card_begin(v);
    if (!v->in_card) return broken(v, v->start, "Expected BEGIN:VCARD.");
    if (vcard && strcmp(l.name, "END") == 0) return card_end(v);
    if (!fine) {
        wrong(v, "", text_is_utf8(line, size) ? "not a line NAME:value" : "not UTF-8; save the file as UTF-8");
        return true;
    }
    if (property(v, &l)) return true;
    problem_memory(&v->reader.broken);
    return false;
}

static void append(struct vcard *v, const char *bytes, size_t size) {
    size_t room = LINE_MAX_BYTES - v->line.size;
    if (size > room) v->overlong = true, size = room;
    text_add(&v->line, bytes, size);
}

static bool feed(struct reader *r, const uint8_t *bytes, size_t size) {
    struct vcard *v = (struct vcard *)r;
    const char *p = (const char *)bytes, *end = p + size;
    while (p < end) {
        if (v->at_start) {
            v->at_start = false;
            bool folded = v->have && (*p == ' ' || *p == '\t');
            if (folded)
                p++;
            else {
                if (v->have && !line_over(v)) return false;
                text_clear(&v->line);
                v->overlong = false;
                v->have = true;
                v->start = v->count;
            }
            if (p == end) break;
        }
        const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        append(v, p, (size_t)(stop - p));
        p = stop;
        if (!newline) break;
        p++;
        if (v->line.size && v->line.data[v->line.size - 1] == '\r') v->line.size--;
        v->at_start = true;
        v->count++;
    }
    return true;
}

static bool end(struct reader *r) {
    struct vcard *v = (struct vcard *)r;
    if (v->have && v->line.size && v->line.data[v->line.size - 1] == '\r') v->line.size--;
    if (v->have && !line_over(v)) return false;
    if (v->in_card) return broken(v, v->card, "The card has no END:VCARD.");
    if (!v->any) return broken(v, 0, "Expected BEGIN:VCARD, got nothing.");
    return true;
}

static void release(struct reader *r) {
    struct vcard *v = (struct vcard *)r;
    text_free(&v->line);
    json_decref(v->found);
    free(v);
}

struct reader *vcard_reader(enum kind kind, reader_each *each, void *argument, struct problem *p) {
    static const struct reader_methods methods = {feed, end, release};
    struct vcard *v = calloc(1, sizeof *v);
    if (v) v->found = json_object();
    if (!v || !v->found) {
        free(v);
        problem_memory(p);
        return NULL;
    }
    v->reader = (struct reader){.methods = &methods, .kind = kind, .each = each, .argument = argument};
    v->count = v->start = 1;
    v->at_start = true;
    return &v->reader;
}
