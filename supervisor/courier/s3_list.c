#include "s3_list.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = S3_TOKEN_MAX, DEPTH_MAX = 16 };

/* Where the parser is: what it takes has its place in the tree. */
enum place { NOWHERE, IN_RESULT, IN_CONTENTS, IN_KEY, IN_SIZE, IN_TRUNCATED, IN_TOKEN };
static const struct {
    enum place parent;
    const char *name;
    enum place place;
} places[] = {
    {NOWHERE, "ListBucketResult", IN_RESULT}, {IN_RESULT, "Contents", IN_CONTENTS},     {IN_CONTENTS, "Key", IN_KEY},
    {IN_CONTENTS, "Size", IN_SIZE},           {IN_RESULT, "IsTruncated", IN_TRUNCATED}, {IN_RESULT, "NextContinuationToken", IN_TOKEN},
};

struct reading {
    XML_Parser parser;
    struct s3_page *page;
    enum place at[DEPTH_MAX]; /* of each open element */
    int depth;
    char text[TEXT_MAX + 1]; /* of the innermost element that is taken */
    size_t size;
    char key[TEXT_MAX + 1]; /* of the Contents that is open; "" = none */
    uint64_t bytes;
    bool has_size, has_result, bad;
};

static void refuse(struct reading *r) {
    r->bad = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes) {
    struct reading *r = context;
    (void)attributes;
    if (r->depth == DEPTH_MAX) {
        refuse(r);
        return;
    }
    enum place parent = r->depth ? r->at[r->depth - 1] : NOWHERE, place = NOWHERE;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i].parent == parent && strcmp(places[i].name, name) == 0 && (parent != NOWHERE || r->depth == 0))
            place = places[i].place;
    r->at[r->depth++] = place;
    r->size = 0;
    if (place == IN_RESULT) r->has_result = true;
    if (place == IN_CONTENTS) {
        r->key[0] = '\0';
        r->has_size = false;
    }
}

static void XMLCALL on_text(void *context, const XML_Char *text, int size) {
    struct reading *r = context;
    if (!r->depth || r->at[r->depth - 1] < IN_KEY) return;
    if ((size_t)size > TEXT_MAX - r->size) {
        refuse(r);
        return;
    }
    memcpy(r->text + r->size, text, (size_t)size);
    r->size += (size_t)size;
}

static bool read_size(const char *text, uint64_t *out) {
    size_t digits = strspn(text, "0123456789");
    *out = strtoull(text, NULL, 10);
    return digits > 0 && digits <= 18 && !text[digits];
}

/* A key that is none of ours was put there by somebody else; it counts, since the page may be full of them. */
static void take_row(struct reading *r) {
    struct s3_page *p = r->page;
    if (!r->key[0] || !r->has_size || p->seen == S3_PAGE_KEYS) {
        refuse(r);
        return;
    }
    p->seen++;
    if (!destination_key_is(r->key)) return;
    memcpy(p->row[p->count].key, r->key, strlen(r->key) + 1);
    p->row[p->count++].size = r->bytes;
}

static void XMLCALL on_end(void *context, const XML_Char *name) {
    struct reading *r = context;
    (void)name;
    if (r->bad || r->depth == 0) return;
    enum place place = r->at[--r->depth];
    r->text[r->size] = '\0';
    switch (place) {
    case IN_KEY:
        memcpy(r->key, r->text, r->size + 1);
        break;
    case IN_SIZE:
        r->has_size = read_size(r->text, &r->bytes);
        break;
    case IN_TRUNCATED:
        r->page->truncated = strcmp(r->text, "true") == 0;
        break;
    case IN_TOKEN:
        memcpy(r->page->token, r->text, r->size + 1);
        break;
    case IN_CONTENTS:
        take_row(r);
        break;
    case NOWHERE:
    case IN_RESULT:
        break;
    }
    r->size = 0;
}

/* No list has a DTD, and none is expanded here. */
static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_internal) {
    (void)name, (void)system, (void)public, (void)has_internal;
    refuse(context);
}

bool s3_list_parse(const char *xml, size_t size, struct s3_page *page) {
    struct reading *r = calloc(1, sizeof *r);
    memset(page, 0, sizeof *page);
    if (!r || size > S3_PAGE_BYTES || !(r->parser = XML_ParserCreate(NULL))) {
        free(r);
        return false;
    }
    r->page = page;
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    bool fine = XML_Parse(r->parser, xml, (int)size, XML_TRUE) == XML_STATUS_OK && !r->bad && r->has_result;
    XML_ParserFree(r->parser);
    free(r);
    return fine && (!page->truncated || page->token[0]);
}
