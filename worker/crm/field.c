#include "field.h"

#include "collate.h"
#include "text.h"
#include "ulid.h"

#include <stdlib.h>
#include <string.h>

static const struct field address[] = {
    {.name = "street", .type = FIELD_LINES, .max = 512, .means = "Everything above the postcode: house, street, building, post box"},
    {.name = "postcode", .type = FIELD_LINE, .max = 16, .means = "As written; a text, since zeros in front count"},
    {.name = "city", .type = FIELD_LINE, .max = 128, .means = "City, with its region where that is written"},
    {.name = "country", .type = FIELD_LINE, .max = 64, .keeps = true, .means = "Name or ISO 3166 code"},
    {0},
};
#define ADDRESS                                                                                                                            \
    { .name = "address", .type = FIELD_GROUP, .group = address, .means = "Postal address" }
#define TAGS                                                                                                                               \
    { .name = "tags", .type = FIELD_LIST, .item = FIELD_LINE, .max = 64, .items = 64, .means = "Labels; one given twice is kept once" }
#define CUSTOM                                                                                                                             \
    { .name = "custom", .type = FIELD_CUSTOM, .max = 2048, .items = 64, .means = "Fields of your own: name to text, number or boolean" }

static const struct field company[] = {
    {.name = "name", .type = FIELD_LINE, .max = 256, .means = "Name; decides letter and order"},
    {.name = "siren", .type = FIELD_SIREN, .max = 9, .means = "French company number; stored as 9 digits"},
    {.name = "vat", .type = FIELD_VAT, .max = 16, .means = "VAT number; stored in upper case without separators"},
    {.name = "sector", .type = FIELD_LINE, .max = 128, .keeps = true, .means = "Line of business"},
    ADDRESS,
    {.name = "phone", .type = FIELD_PHONE, .max = 64, .means = "Telephone number, as written"},
    {.name = "email", .type = FIELD_EMAIL, .max = 254, .means = "E-mail address"},
    {.name = "website", .type = FIELD_WEBSITE, .max = 512, .means = "Web address, with or without http(s)://"},
    TAGS,
    CUSTOM,
    {0},
};

static const struct field contact[] = {
    {.name = "given_name", .type = FIELD_LINE, .max = 128, .means = "Given name"},
    {.name = "family_name", .type = FIELD_LINE, .max = 128, .means = "Family name; decides letter and order"},
    {.name = "company", .type = FIELD_LINE, .max = 256, .means = "Where the person works: a name, or the id of a company"},
    {.name = "title", .type = FIELD_LINE, .max = 128, .means = "Position"},
    {.name = "emails",
     .type = FIELD_LIST,
     .item = FIELD_EMAIL,
     .max = 254,
     .items = 16,
     .means = "E-mail addresses, the preferred one first"},
    {.name = "phones",
     .type = FIELD_LIST,
     .item = FIELD_PHONE,
     .max = 64,
     .items = 16,
     .means = "Telephone numbers, the preferred one first"},
    ADDRESS,
    {.name = "birthday", .type = FIELD_BIRTHDAY, .max = 10, .means = "YYYY-MM-DD, or --MM-DD without a year"},
    {.name = "notes", .type = FIELD_LINES, .max = 16384, .means = "Notes"},
    TAGS,
    CUSTOM,
    {0},
};

static const struct field document[] = {
    {.name = "name", .type = FIELD_LINE, .max = 255, .means = "File name; decides letter and order"},
    {.name = "folder", .type = FIELD_LINE, .max = 255, .means = "Where it is filed, its parts divided by /"},
    {.name = "tags", .type = FIELD_LIST, .item = FIELD_LINE, .max = 64, .items = 16, .means = "Labels; one given twice is kept once"},
    {.name = "links",
     .type = FIELD_LIST,
     .item = FIELD_LINK,
     .max = 40,
     .items = 64,
     .means = "What it is about: companies/ID and contacts/ID"},
    {0},
};
static const char *const of_person[] = {"restricted", NULL};
static const char *const of_content[] = {"type", "size", "sha256", "content", "versions", NULL};

const struct kind_row kind_table[KIND_COUNT] = {
    [KIND_COMPANY] = {"company", "companies", "Company", STORE_COMPANIES, company, "name", NULL},
    [KIND_CONTACT] = {"contact", "contacts", "Contact", STORE_CONTACTS, contact, "given_name or family_name", of_person},
    [KIND_DOCUMENT] = {"document", "documents", "Document", STORE_DOCUMENTS, document, "name", of_content},
};

bool kind_find(const char *plural, enum kind *kind) {
    for (int k = 0; k < KIND_COUNT; k++)
        if (strcmp(kind_table[k].plural, plural) == 0) {
            *kind = (enum kind)k;
            return true;
        }
    return false;
}

const struct field *field_find(const struct field *fields, const char *name, size_t size) {
    for (const struct field *f = fields; f->name; f++)
        if (strlen(f->name) == size && memcmp(f->name, name, size) == 0) return f;
    return NULL;
}

const char *field_expected(enum field_type type) {
    static const char *const expected[] = {
        [FIELD_LINE] = "expected one line of text",
        [FIELD_LINES] = "expected text",
        [FIELD_EMAIL] = "expected an e-mail address, something@something without spaces",
        [FIELD_PHONE] = "expected a telephone number: text with at least one digit",
        [FIELD_WEBSITE] = "expected a web address without spaces, of http, https or no scheme",
        [FIELD_SIREN] = "expected 9 digits, the last of which checks the others (Luhn)",
        [FIELD_VAT] = "expected two letters of a country and 2 to 13 letters or digits",
        [FIELD_BIRTHDAY] = "expected a date YYYY-MM-DD, or --MM-DD without a year",
        [FIELD_LINK] = "expected companies/ID or contacts/ID",
        [FIELD_LIST] = "expected an array",
        [FIELD_GROUP] = "expected an object",
        [FIELD_CUSTOM] = "expected an object of texts, numbers and booleans",
    };
    return expected[type];
}

static bool is_space(const char *p, size_t left, size_t *size) {
    *size = 1;
    if (*p == ' ' || (*p >= '\t' && *p <= '\r')) return true;
    *size = 2;
    return left >= 2 && (uint8_t)p[0] == 0xc2 && (uint8_t)p[1] == 0xa0; /* no-break space */
}

static void trim(const char **text, size_t *size) {
    size_t n;
    while (*size && is_space(*text, *size, &n)) {
        *text += n;
        *size -= n;
    }
    for (;;) {
        if (*size && is_space(*text + *size - 1, 1, &n))
            *size -= 1;
        else if (*size >= 2 && is_space(*text + *size - 2, 2, &n) && n == 2)
            *size -= 2;
        else
            return;
    }
}

/* Copies without what may not be there; false: a control character. C0, DEL, and C1 (c2 80 .. c2 9f). */
static bool plain_copy(enum field_type type, bool lenient, const char *text, size_t size, char *out, size_t *out_size) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == 0x7f || (c == 0xc2 && i + 1 < size && (uint8_t)text[i + 1] < 0xa0)) return false;
        if (c >= 0x20) {
            out[n++] = (char)c;
            continue;
        }
        bool line = c == '\n' || c == '\r', white = line || c == '\t';
        if (!white || (type != FIELD_LINES && !lenient)) return false;
        if (c == '\r' && i + 1 < size && text[i + 1] == '\n') continue;
        out[n++] = type != FIELD_LINES ? ' ' : line ? '\n' : '\t';
    }
    *out_size = n;
    return true;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

static bool email_form(const char *s, size_t size) {
    const char *at = memchr(s, '@', size);
    if (!at || at == s || at == s + size - 1) return false;
    for (size_t i = 0; i < size; i++)
        if (s[i] == ' ' || s[i] == '<' || s[i] == '>' || s[i] == ',') return false;
    return true;
}

static bool phone_form(const char *s, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (digit(s[i])) return true;
    return false;
}

static bool website_form(const char *s, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (s[i] == ' ' || s[i] == '<' || s[i] == '>' || s[i] == '"') return false;
    if (size > 7 && strncasecmp(s, "http://", 7) == 0) return true;
    if (size > 8 && strncasecmp(s, "https://", 8) == 0) return true;
    /* A colon may lead a port, or come after the host; what it ends must not be a scheme. */
    size_t host = strcspn(s, ":/?#");
    return s[host] != ':' || (host && digit(s[host + 1]));
}

/* Both keep letters and digits only, in place. */
static bool siren_form(char *s, size_t *size) {
    unsigned sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < *size; i++) {
        if (s[i] == ' ' || s[i] == '.') continue;
        if (!digit(s[i]) || n == 9) return false;
        s[n++] = s[i];
    }
    s[n] = 0;
    *size = n;
    if (n != 9) return false;
    for (size_t i = 0; i < 9; i++) {
        unsigned d = (unsigned)(s[i] - '0');
        if (i % 2) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return sum % 10 == 0;
}

static bool vat_form(char *s, size_t *size) {
    size_t n = 0;
    for (size_t i = 0; i < *size; i++) {
        char c = s[i];
        if (c == ' ' || c == '.' || c == '-') continue;
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (!letter(c) && !digit(c) && c != '+' && c != '*') return false;
        s[n++] = c;
    }
    s[n] = 0;
    *size = n;
    return n >= 4 && n <= 15 && letter(s[0]) && letter(s[1]);
}

static bool birthday_form(const char *s, size_t size) {
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool year_known = size == 10;
    if (!year_known && !(size == 7 && s[0] == '-' && s[1] == '-')) return false;
    const char *md = s + size - 5; /* MM-DD */
    int year = 2000;               /* a leap year */
    if (year_known) {
        if (s[4] != '-') return false;
        for (int i = 0; i < 4; i++)
            if (!digit(s[i])) return false;
        year = (int)strtol(s, NULL, 10);
    }
    if (!digit(md[0]) || !digit(md[1]) || md[2] != '-' || !digit(md[3]) || !digit(md[4])) return false;
    int month = (md[0] - '0') * 10 + md[1] - '0', day = (md[3] - '0') * 10 + md[4] - '0';
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days[month - 1]) return false;
    return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static bool link_form(const char *s, size_t size) {
    static const char *const to[] = {"companies/", "contacts/"};
    uint8_t id[ID_BYTES];
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        size_t n = strlen(to[i]);
        if (size > n && memcmp(s, to[i], n) == 0) return ulid_parse(s + n, size - n, id);
    }
    return false;
}

static bool form(enum field_type type, char *s, size_t *size) {
    switch (type) {
    case FIELD_EMAIL:
        return email_form(s, *size);
    case FIELD_PHONE:
        return phone_form(s, *size);
    case FIELD_WEBSITE:
        return website_form(s, *size);
    case FIELD_SIREN:
        return siren_form(s, size);
    case FIELD_VAT:
        return vat_form(s, size);
    case FIELD_BIRTHDAY:
        return birthday_form(s, *size);
    case FIELD_LINK:
        return link_form(s, *size);
    default:
        return true;
    }
}

enum field_result field_text(enum field_type type, unsigned max, bool lenient, const char *text, size_t size, char **out,
                             size_t *out_size) {
    *out = NULL;
    trim(&text, &size);
    if (!size) return FIELD_EMPTY;
    if (size > (size_t)max * 12 + 64) return FIELD_TOO_LONG; /* no NFC makes that short enough; bounds the work */
    char *plain = malloc(size + 1);
    if (!plain) return FIELD_MEMORY;
    size_t plain_size;
    if (!plain_copy(type, lenient, text, size, plain, &plain_size)) {
        free(plain);
        return FIELD_CONTROL;
    }
    char *normal = collate_nfc(plain, plain_size, out_size);
    free(plain);
    if (!normal) return FIELD_MEMORY;
    enum field_result result = !form(type, normal, out_size)              ? FIELD_FORM
                               : text_characters(normal, *out_size) > max ? FIELD_TOO_LONG
                                                                          : FIELD_FINE;
    if (result == FIELD_FINE)
        *out = normal;
    else
        free(normal);
    return result;
}
