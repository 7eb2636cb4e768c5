#include "list.h"

#include "../tenant.h"
#include "../usage/usage.h"
#include "answer.h"
#include "archived.h"
#include "cursor.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200, FILTERED_MAX = 20000 /* entries looked at for one page */ };

/* ---- what is asked ---- */

enum facet { FACET_FOLDER, FACET_TAG, FACET_LINK, FACETS };
static const struct { const char *parameter, *member; } facets[FACETS] = {{"folder", "folder"}, {"tag", "tags"}, {"link", "links"}};
enum { FACET_TEXT = 255 * 4 + 1 };

struct list_query {
    enum kind kind;
    char letter; /* 0 = all */
    size_t limit;
    bool backwards, continued, filtered;
    bool restricted; /* with the restricted ones */
    struct index_key after;
    json_t *facet[FACETS]; /* a text that it must have; NULL = any */
    char *written[FACETS]; /* the same as JSON */
};

static void query_free(struct list_query *q) {
    for (int f = 0; f < FACETS; f++) {
        json_decref(q->facet[f]);
        free(q->written[f]);
    }
}

/* false: answered. */
static bool read_facets(struct exchange *x, const struct request *r, struct list_query *q) {
    char text[FACET_TEXT];
    for (int f = 0; f < FACETS; f++) {
        if (!query_text(x, r, facets[f].parameter, text, sizeof text)) return false;
        if (!text[0]) continue;
        q->facet[f] = json_string(text);
        q->written[f] = json_dumps(q->facet[f], JSON_COMPACT | JSON_ENCODE_ANY);
        q->filtered = true;
        if (q->written[f]) continue;
        answer_store(x, STORE_MEMORY);
        return false;
    }
    return true;
}

static bool read_restricted(struct exchange *x, const struct request *r, bool *restricted) {
    char text[8];
    if (!query_text(x, r, "restricted", text, sizeof text)) return false;
    *restricted = strcmp(text, "include") == 0;
    if (*restricted || !text[0]) return true;
    answer_parameter(x, "restricted", "expected include");
    return false;
}

static bool read_limit(struct exchange *x, const struct request *r, size_t *limit) {
    char text[8];
    if (!query_text(x, r, "limit", text, sizeof text)) return false;
    *limit = text[0] ? strtoul(text, NULL, 10) : LIMIT_DEFAULT;
    if (strspn(text, "0123456789") == strlen(text) && strlen(text) <= 3 && *limit >= 1 && *limit <= LIMIT_MAX) return true;
    answer_parameter(x, "limit", "expected 1 to 200");
    return false;
}

/* false: answered. */
static bool list_parameters(struct exchange *x, const struct request *r, struct list_query *q) {
    static const char *const known[KIND_COUNT][8] = {[KIND_COMPANY] = {"letter", "limit", "cursor", "sort"},
                                                     [KIND_CONTACT] = {"letter", "limit", "cursor", "sort", "restricted"},
                                                     [KIND_DOCUMENT] = {"letter", "limit", "cursor", "sort", "folder", "tag", "link"}};
    char letter[4], sort[8], cursor[CURSOR_TEXT];
    bool documents = q->kind == KIND_DOCUMENT;
    if (!query_known(x, r, known[q->kind]) || !query_text(x, r, "letter", letter, sizeof letter) || !read_limit(x, r, &q->limit) ||
        !query_text(x, r, "sort", sort, sizeof sort) || !query_text(x, r, "cursor", cursor, sizeof cursor) ||
        (documents && !read_facets(x, r, q)) || !read_restricted(x, r, &q->restricted))
        return false;
    q->filtered |= q->kind == KIND_CONTACT && !q->restricted;
    q->letter = letter[0];
    if (letter[0] && (letter[1] || (letter[0] != '#' && (letter[0] < 'A' || letter[0] > 'Z'))))
        return answer_parameter(x, "letter", "expected A to Z or #"), false;
    if (strcmp(sort, "-name") == 0)
        q->backwards = true;
    else if (sort[0] && strcmp(sort, "name") != 0)
        return answer_parameter(x, "sort", "expected name or -name"), false;
    q->continued = cursor[0];
    if (cursor[0] && !cursor_read(cursor, &q->after)) return answer_parameter(x, "cursor", "expected what an answer gave as next"), false;
    return true;
}

/* ---- the page ---- */

struct page {
    const struct list_query *query;
    struct evbuffer *body;
    size_t items;
    bool failed;
    struct index_key last;
};

static bool has(const json_t *fields, enum facet f, const json_t *wanted) {
    const json_t *value = json_object_get(fields, facets[f].member);
    if (json_equal(value, wanted)) return true;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_equal(json_array_get(value, i), wanted)) return true;
    return false;
}

static bool has_all(const struct list_query *q, const json_t *fields) {
    for (int f = 0; f < FACETS; f++)
        if (q->facet[f] && !has(fields, f, q->facet[f])) return false;
    return true;
}

/* Almost all that do not match are told by their bytes. */
static bool may_match(const struct list_query *q, const uint8_t *summary, size_t size) {
    static const char partial[] = "\"partial\":true";
    if (memmem(summary, size, partial, sizeof partial - 1)) return true;
    for (int f = 0; f < FACETS; f++)
        if (q->written[f] && !memmem(summary, size, q->written[f], strlen(q->written[f]))) return false;
    return true;
}

/* A summary that does not hold all of it says so: then the record is asked. */
static bool matches(const struct list_query *q, const struct index_key *key, const uint8_t *summary, size_t size) {
    const uint8_t *value;
    if (!may_match(q, summary, size)) return false;
    json_t *fields = json_loadb((const char *)summary, size, 0, NULL);
    if (json_is_true(json_object_get(fields, "partial"))) {
        json_decref(fields);
        fields = NULL;
        if (store_get(self.store, kind_table[q->kind].table, key->id, &value, &size, NULL) == STORE_OK)
            fields = json_loadb((const char *)value, size, 0, NULL);
    }
    bool all = fields && has_all(q, fields);
    json_decref(fields);
    return all;
}

/* A restricted record (S10) is in no list unless it is asked for. */
static bool is_left_out(const struct list_query *q, const uint8_t *summary, size_t size) {
    static const char member[] = "\"restricted\":true";
    return q->kind == KIND_CONTACT && !q->restricted && memmem(summary, size, member, sizeof member - 1);
}

static bool add_summary(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct page *page = argument;
    page->last = *key;
    if (is_left_out(page->query, summary, size)) return true;
    if (page->query->kind == KIND_DOCUMENT && page->query->filtered && !matches(page->query, key, summary, size)) return true;
    page->failed |= (page->items && evbuffer_add(page->body, ",", 1) != 0) || evbuffer_add(page->body, summary, size) != 0;
    page->items++;
    return !page->failed && !(page->query->filtered && page->items == page->query->limit);
}

static enum store_result fill(struct page *page) {
    static const char start[] = "{\"items\":[";
    char end[CURSOR_TEXT + 16] = "],\"next\":null}", cursor[CURSOR_TEXT];
    const struct list_query *q = page->query;
    bool more = false;
    if (!page->body || evbuffer_add(page->body, start, sizeof start - 1) != 0) return STORE_MEMORY;
    enum store_result result = index_list(self.store, kind_table[q->kind].table, q->letter, q->continued ? &q->after : NULL, q->backwards,
                                          q->filtered ? FILTERED_MAX : q->limit, add_summary, page, &more);
    if (result != STORE_OK) return result;
    if (more) {
        cursor_write(&page->last, cursor);
        snprintf(end, sizeof end, "],\"next\":\"%s\"}", cursor);
    }
    page->failed |= evbuffer_add(page->body, end, strlen(end)) != 0;
    return page->failed ? STORE_MEMORY : STORE_OK;
}

void list_handle(struct exchange *x, struct request *r, enum kind kind) {
    struct list_query q = {.kind = kind};
    struct page page = {.query = &q};
    if (kind != KIND_DOCUMENT && slice_equals(r->head->query, "archived=true")) {
        archived_list(x, kind);
        return;
    }
    if (list_parameters(x, r, &q)) {
        if (q.letter) usage_letter(q.letter);
        page.body = evbuffer_new();
        enum store_result result = fill(&page);
        if (result == STORE_OK)
            respond_buffer(x, 200, "application/json", page.body);
        else
            answer_store(x, result);
        if (page.body) evbuffer_free(page.body);
    }
    query_free(&q);
}

void letters_handle(struct exchange *x, struct request *r, enum kind kind) {
    static const char *const none[] = {NULL};
    uint64_t counts[INDEX_LETTERS], total = 0;
    struct text out = {0};
    char entry[40];
    if (!query_known(x, r, none)) return;
    enum store_result result = index_letters(self.store, kind_table[kind].table, counts);
    for (int i = 0; result == STORE_OK && i < INDEX_LETTERS; i++) {
        total += counts[i];
        snprintf(entry, sizeof entry, "%s\"%c\":%llu", i ? "," : "{\"letters\":{", i ? 'A' + i - 1 : '#', (unsigned long long)counts[i]);
        text_string(&out, entry);
    }
    snprintf(entry, sizeof entry, "},\"total\":%llu}", (unsigned long long)total);
    text_string(&out, entry);
    if (result == STORE_OK && out.failed) result = STORE_MEMORY;
    if (result == STORE_OK)
        respond_bytes(x, 200, "application/json", out.data, out.size);
    else
        answer_store(x, result);
    text_free(&out);
}
