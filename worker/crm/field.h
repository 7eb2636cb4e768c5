/*
 * The fields of companies, contacts and documents: one table that drives validation, the columns of CSV and the schemas of the OpenAPI
 * document.
 */
#pragma once

#include "../store/store.h"

#include <jansson.h>

enum kind { KIND_COMPANY, KIND_CONTACT, KIND_DOCUMENT, KIND_COUNT };

enum field_type {
    FIELD_LINE,     /* one line of text */
    FIELD_LINES,    /* text with line breaks */
    FIELD_EMAIL,    /* something@something */
    FIELD_PHONE,    /* text with a digit in it */
    FIELD_WEBSITE,  /* http, https, or no scheme at all: never javascript: */
    FIELD_SIREN,    /* 9 digits, Luhn; stored without spaces */
    FIELD_VAT,      /* country and number; stored in upper case without spaces, dots, hyphens */
    FIELD_BIRTHDAY, /* YYYY-MM-DD, or --MM-DD where the year is not known */
    FIELD_LINK,     /* companies/ID or contacts/ID */
    FIELD_LIST,     /* array of `item` */
    FIELD_GROUP,    /* object of the fields in `group` */
    FIELD_CUSTOM,   /* object of the tenant's own names: text, number or boolean */
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    unsigned max;              /* characters (code points after NFC) of a text, or of each item; of a custom text */
    unsigned items;            /* FIELD_LIST, FIELD_CUSTOM: how many at most */
    enum field_type item;      /* FIELD_LIST */
    const struct field *group; /* FIELD_GROUP */
    bool keeps;                /* stays of a record that is made anonymous (anonymise.h) */
    const char *means;         /* for the OpenAPI document */
};

struct kind_row {
    const char *name;   /* "company": the member `kind` */
    const char *plural; /* "companies": in paths and the parameter `kind` */
    const char *schema; /* "Company": in the OpenAPI document */
    enum store_table table;
    const struct field *fields;
    const char *required;     /* what must be there, in words */
    const char *const *given; /* what the server gives besides what it gives every record; NULL = nothing; else ended by NULL */
};
extern const struct kind_row kind_table[KIND_COUNT];

enum { CUSTOM_NAME_MAX = 64 /* characters */, FIELD_COLUMNS_MAX = 32 /* columns of a kind in CSV */ };

/* By its plural. false: no such kind. */
bool kind_find(const char *plural, enum kind *kind);
/* In a table ended by name NULL; NULL = none of that name. */
const struct field *field_find(const struct field *fields, const char *name, size_t size);

enum field_result { FIELD_FINE, FIELD_EMPTY, FIELD_TOO_LONG, FIELD_CONTROL, FIELD_FORM, FIELD_MEMORY };

/*
 * The canonical form of one text (valid UTF-8) of a type: trimmed, in NFC, without control characters (FIELD_LINES: but line feeds; CRLF
 * becomes one), of the form its type asks. lenient: tabs and line breaks in a FIELD_LINE become spaces, for files. *out: a new
 * NUL-terminated string to free() with FIELD_FINE, else NULL.
 */
enum field_result field_text(enum field_type type, unsigned max, bool lenient, const char *text, size_t size, char **out, size_t *out_size);
/* What FIELD_FORM means for a type: "expected 9 digits …". */
const char *field_expected(enum field_type type);

/* The JSON Schema (2020-12) of a kind's own fields, as in the OpenAPI document: new reference, NULL = out of memory. */
json_t *field_schema(enum kind kind);
