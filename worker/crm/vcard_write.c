#include "vcard_write.h"

#include "ulid.h"

#include <stdio.h>
#include <string.h>

enum { FOLD = 75 };

/* Ends the line in hand: folds it into out. */
static void line_end(struct text *line, struct text *out) {
    size_t at = 0, room = FOLD;
    while (at < line->size) {
        size_t n = text_cut(line->data + at, line->size - at, room);
        if (at) text_string(out, "\r\n ");
        text_add(out, line->data + at, n);
        at += n;
        room = FOLD - 1; /* the space counts */
    }
    text_string(out, "\r\n");
    out->failed |= line->failed;
    text_clear(line);
}

static void escaped(struct text *line, const char *s) {
    for (; s && *s; s++) {
        if (*s == '\n')
            text_string(line, "\\n");
        else if (*s == '\r')
            continue;
        else if (*s == ',' || *s == ';' || *s == '\\')
            text_char(line, '\\'), text_char(line, *s);
        else
            text_char(line, *s);
    }
}

static const char *text_of(const json_t *object, const char *name) {
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

/* NAME:value when there is a value. */
static void put(struct text *line, struct text *out, const char *name, const char *value) {
    if (!value || !*value) return;
    text_string(line, name);
    text_char(line, ':');
    escaped(line, value);
    line_end(line, out);
}

/* Values that are URIs are not escaped. */
static void put_plain(struct text *line, struct text *out, const char *name, const char *value) {
    if (!value || !*value) return;
    text_string(line, name);
    text_char(line, ':');
    text_string(line, value);
    line_end(line, out);
}

static void put_uid(struct text *line, struct text *out, const char *ulid) {
    uint8_t id[ID_BYTES];
    char uid[64];
    if (!ulid_parse(ulid, strlen(ulid), id)) return;
    size_t n = (size_t)snprintf(uid, sizeof uid, "urn:uuid:");
    for (size_t i = 0; i < ID_BYTES; i++)
        n += (size_t)snprintf(uid + n, sizeof uid - n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
    put_plain(line, out, "UID", uid);
}

static void put_address(struct text *line, struct text *out, const json_t *address) {
    if (!address) return;
    text_string(line, "ADR:;;");
    escaped(line, text_of(address, "street"));
    text_char(line, ';');
    escaped(line, text_of(address, "city"));
    text_string(line, ";;");
    escaped(line, text_of(address, "postcode"));
    text_char(line, ';');
    escaped(line, text_of(address, "country"));
    line_end(line, out);
}

static void put_list(struct text *line, struct text *out, const char *name, const json_t *list, bool in_one) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (!in_one) {
            put(line, out, name, item);
            continue;
        }
        if (i)
            text_char(line, ',');
        else
            text_string(line, name), text_char(line, ':');
        escaped(line, item);
    }
    if (in_one && line->size) line_end(line, out);
}

/* Years that are not known: RFC 6350 has a form for that, RFC 2426 has none, so address books agreed on a parameter. */
static void put_birthday(struct text *line, struct text *out, enum vcard_version version, const char *birthday) {
    char value[32];
    bool no_year = *birthday == '-';
    if (!*birthday) return;
    if (version == VCARD_4 && no_year)
        snprintf(value, sizeof value, "--%.2s%.2s", birthday + 2, birthday + 5);
    else if (version == VCARD_4)
        snprintf(value, sizeof value, "%.4s%.2s%.2s", birthday, birthday + 5, birthday + 8);
    else
        snprintf(value, sizeof value, "%s%s", no_year ? "1604-" : "", birthday + (no_year ? 2 : 0));
    put(line, out, version == VCARD_3 && no_year ? "BDAY;X-APPLE-OMIT-YEAR=1604" : "BDAY", value);
}

static void put_company(struct text *line, struct text *out, const json_t *r) {
    put(line, out, "FN", text_of(r, "name"));
    put(line, out, "ORG", text_of(r, "name"));
    put(line, out, "EMAIL", text_of(r, "email"));
    put(line, out, "TEL", text_of(r, "phone"));
    put_plain(line, out, "URL", text_of(r, "website"));
    put(line, out, "X-SIREN", text_of(r, "siren"));
    put(line, out, "X-VAT", text_of(r, "vat"));
    put(line, out, "X-SECTOR", text_of(r, "sector"));
}

static void put_contact(struct text *line, struct text *out, enum vcard_version version, const json_t *r) {
    const char *given = text_of(r, "given_name"), *family = text_of(r, "family_name");
    text_string(line, "FN:");
    escaped(line, given);
    if (*given && *family) text_char(line, ' ');
    escaped(line, family);
    line_end(line, out);
    text_string(line, "N:");
    escaped(line, family);
    text_char(line, ';');
    escaped(line, given);
    text_string(line, ";;;");
    line_end(line, out);
    put(line, out, "ORG", text_of(r, "company"));
    put(line, out, "TITLE", text_of(r, "title"));
    put_list(line, out, "EMAIL", json_object_get(r, "emails"), false);
    put_list(line, out, "TEL", json_object_get(r, "phones"), false);
    put_birthday(line, out, version, text_of(r, "birthday"));
    put(line, out, "NOTE", text_of(r, "notes"));
}

bool vcard_write(enum kind kind, enum vcard_version version, const json_t *stored, struct text *out) {
    struct text line = {0};
    text_string(out, version == VCARD_4 ? "BEGIN:VCARD\r\nVERSION:4.0\r\n" : "BEGIN:VCARD\r\nVERSION:3.0\r\n");
    /* 3.0 has no KIND; the word address books read there is X-ABShowAs, and a company also needs an (empty) N. */
    if (version == VCARD_4)
        put(&line, out, "KIND", kind == KIND_COMPANY ? "org" : "individual");
    else if (kind == KIND_COMPANY)
        text_string(out, "X-ABShowAs:COMPANY\r\nN:;;;;\r\n");
    put_uid(&line, out, text_of(stored, "id"));
    if (kind == KIND_COMPANY)
        put_company(&line, out, stored);
    else
        put_contact(&line, out, version, stored);
    put_address(&line, out, json_object_get(stored, "address"));
    put_list(&line, out, "CATEGORIES", json_object_get(stored, "tags"), true);
    text_string(out, "END:VCARD\r\n");
    text_free(&line);
    return !out->failed;
}
