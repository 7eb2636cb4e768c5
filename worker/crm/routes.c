/* The routes of companies and contacts. */
#include "answer.h"
#include "crm.h"
#include "cursor.h"
#include "export.h"
#include "import.h"

#include "../journal.h"
#include "../tenant.h"
#include "../usage.h"
#include "collate.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200 };

bool crm_start(void) { return collate_start(); }

static const char media_json[] = "application/json";

/* The kind of /api/v1/{plural}…: the plurals differ in their third letter. */
static enum kind kind_of(const struct request *r) { return strncmp(r->path, "/api/v1/companies", 17) == 0 ? KIND_COMPANY : KIND_CONTACT; }

/* The id in the path. false: answered. */
static bool path_id(struct exchange *x, const struct request *r, uint8_t id[ID_BYTES]) {
    if (ulid_parse(r->segment[0].data, r->segment[0].size, id)) return true;
    answer_store(x, STORE_MISSING);
    return false;
}

/* No parameters, and a body of JSON. false: answered. */
static bool json_body(struct exchange *x, const struct request *r, const char *other_type) {
    static const char *const none[] = {NULL};
    const struct slice *type = http_header_find(r->head, "Content-Type");
    if (!query_known(x, r, none)) return false;
    if (!type) return true;
    struct slice media = *type;
    const char *parameter = memchr(media.data, ';', media.size);
    if (parameter) media.size = (size_t)(parameter - media.data);
    while (media.size && media.data[media.size - 1] == ' ')
        media.size--;
    if (slice_equals_nocase(media, media_json) || (other_type && slice_equals_nocase(media, other_type))) return true;
    respond_problem(x, 415, "unsupported-media-type",
                    other_type ? "Expected application/merge-patch+json or application/json." : "Expected application/json.",
                    "Content-Type", 0);
    return false;
}

/* Reads the record that a change is about and holds If-Match against it. false: answered. */
static bool read_for_change(struct exchange *x, const struct request *r, struct record *old) {
    uint8_t id[ID_BYTES];
    if (!path_id(x, r, id)) return false;
    enum store_result result = catalog_get(kind_of(r), id, old);
    if (result != STORE_OK && result != STORE_MISSING) {
        answer_store(x, result);
        return false;
    }
    enum match match = match_version(r->head, "If-Match", false, result == STORE_OK ? old->version : 0);
    if (match == MATCH_MALFORMED)
        respond_problem(x, 400, "invalid-header", "Expected entity tags in quotes, or *.", "If-Match", 0);
    else if (match == MATCH_NO)
        answer_store(x, STORE_CONFLICT);
    else if (result == STORE_MISSING)
        answer_store(x, result);
    else
        return true;
    if (result == STORE_OK) record_free(old);
    return false;
}

static void answer_record(struct exchange *x, int status, const struct record *r, const struct text *stored) {
    answer_etag(x, r->version);
    respond_bytes(x, status, media_json, stored->data, stored->size);
}

static void create(struct exchange *x, struct request *r) {
    struct problem p = {0};
    struct record record = {.kind = kind_of(r)};
    if (!json_body(x, r, NULL)) return;
    json_t *input = record_parse(r->body, r->body_size, 1, &p);
    if (input && record_strip(record.kind, NULL, input, &p)) record.fields = record_validate(record.kind, input, 0, &p);
    json_decref(input);
    if (!record.fields) {
        answer_problem(x, &p);
        return;
    }
    struct text stored = {0};
    ulid_new(record.id);
    enum store_result result = catalog_add(&record, &stored);
    if (result == STORE_OK) {
        char id[ULID_TEXT + 1], location[64];
        ulid_text(record.id, id);
        snprintf(location, sizeof location, "/api/v1/%s/%s", kind_table[record.kind].plural, id);
        respond_header(x, "Location", location);
        answer_record(x, 201, &record, &stored);
    } else {
        answer_store(x, result);
    }
    text_free(&stored);
    record_free(&record);
}

/* PUT and PATCH: patch says which. */
static void change(struct exchange *x, struct request *r, bool patch) {
    struct problem p = {0};
    struct record old, record = {.kind = kind_of(r)};
    if (!json_body(x, r, patch ? "application/merge-patch+json" : NULL) || !read_for_change(x, r, &old)) return;
    memcpy(record.id, old.id, ID_BYTES);
    json_t *input = record_parse(r->body, r->body_size, 1, &p), *whole = NULL;
    if (input && record_strip(record.kind, old.id, input, &p)) {
        whole = patch ? record_merge(old.fields, input) : json_incref(input);
        if (whole)
            record.fields = record_validate(record.kind, whole, 0, &p);
        else
            problem_memory(&p);
    }
    json_decref(whole);
    json_decref(input);
    struct text stored = {0};
    enum store_result result = record.fields ? catalog_change(&old, &record, &stored) : STORE_OK;
    if (!record.fields)
        answer_problem(x, &p);
    else if (result == STORE_OK)
        answer_record(x, 200, &record, &stored);
    else
        answer_store(x, result);
    text_free(&stored);
    record_free(&record);
    record_free(&old);
}

static void replace(struct exchange *x, struct request *r) { change(x, r, false); }
static void merge(struct exchange *x, struct request *r) { change(x, r, true); }

/* In the same commit; on a full store deleting goes on without its line, which is then counted as missing. */
static void tell_deletion(const struct request *r, const struct record *old) {
    journal_add(JOURNAL_record_deleted, r->session->user,
                json_pack("{s:s, s:o}", "kind", kind_table[old->kind].plural, "id", journal_id(old->id)));
}

static void discard(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    struct record old;
    if (!query_known(x, r, none) || !read_for_change(x, r, &old)) return;
    enum store_result result = catalog_remove(&old);
    if (result == STORE_OK) {
        tell_deletion(r, &old);
        respond_empty(x, 204);
    } else {
        answer_store(x, result);
    }
    record_free(&old);
}

/* The stored bytes are the answer. */
static void show(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    uint8_t id[ID_BYTES];
    const uint8_t *value;
    size_t size;
    uint64_t version;
    if (!query_known(x, r, none) || !path_id(x, r, id)) return;
    enum store_result result = store_get(self.store, kind_table[kind_of(r)].table, id, &value, &size, &version);
    if (result != STORE_OK) {
        answer_store(x, result);
        return;
    }
    enum match none_match = match_version(r->head, "If-None-Match", true, version);
    enum match match = match_version(r->head, "If-Match", false, version);
    if (none_match == MATCH_MALFORMED || match == MATCH_MALFORMED) {
        respond_problem(x, 400, "invalid-header", "Expected entity tags in quotes, or *.",
                        match == MATCH_MALFORMED ? "If-Match" : "If-None-Match", 0);
        return;
    }
    if (match == MATCH_NO) {
        answer_store(x, STORE_CONFLICT);
        return;
    }
    answer_etag(x, version);
    if (none_match == MATCH_YES)
        respond_empty(x, 304);
    else
        respond_bytes(x, 200, media_json, value, size);
}

struct list_query {
    char letter; /* 0 = all */
    size_t limit;
    bool backwards, continued;
    struct index_key after;
};

/* false: answered. */
static bool list_parameters(struct exchange *x, const struct request *r, struct list_query *q) {
    static const char *const known[] = {"letter", "limit", "cursor", "sort", NULL};
    char letter[4], limit[8], sort[8], cursor[CURSOR_TEXT];
    if (!query_known(x, r, known) || !query_text(x, r, "letter", letter, sizeof letter) ||
        !query_text(x, r, "limit", limit, sizeof limit) || !query_text(x, r, "sort", sort, sizeof sort) ||
        !query_text(x, r, "cursor", cursor, sizeof cursor))
        return false;
    *q = (struct list_query){.letter = letter[0], .limit = LIMIT_DEFAULT};
    if (letter[0] && (letter[1] || (letter[0] != '#' && (letter[0] < 'A' || letter[0] > 'Z'))))
        return answer_parameter(x, "letter", "expected A to Z or #"), false;
    if (limit[0]) {
        if (strspn(limit, "0123456789") != strlen(limit) || strlen(limit) > 3)
            return answer_parameter(x, "limit", "expected 1 to 200"), false;
        q->limit = strtoul(limit, NULL, 10);
        if (q->limit < 1 || q->limit > LIMIT_MAX) return answer_parameter(x, "limit", "expected 1 to 200"), false;
    }
    if (strcmp(sort, "-name") == 0)
        q->backwards = true;
    else if (sort[0] && strcmp(sort, "name") != 0)
        return answer_parameter(x, "sort", "expected name or -name"), false;
    q->continued = cursor[0];
    if (cursor[0] && !cursor_read(cursor, &q->after)) return answer_parameter(x, "cursor", "expected what an answer gave as next"), false;
    return true;
}

struct page {
    struct evbuffer *body;
    bool any, failed;
    struct index_key last;
};

static bool add_summary(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct page *page = argument;
    page->failed |= (page->any && evbuffer_add(page->body, ",", 1) != 0) || evbuffer_add(page->body, summary, size) != 0;
    page->any = true;
    page->last = *key;
    return !page->failed;
}

static void list(struct exchange *x, struct request *r) {
    static const char start[] = "{\"items\":[";
    struct list_query q;
    struct page page = {0};
    bool more = false;
    if (!list_parameters(x, r, &q)) return;
    if (q.letter) usage_letter(q.letter);
    enum store_result result = STORE_MEMORY;
    page.body = evbuffer_new();
    if (page.body && evbuffer_add(page.body, start, sizeof start - 1) == 0)
        result = index_list(self.store, kind_table[kind_of(r)].table, q.letter, q.continued ? &q.after : NULL, q.backwards, q.limit,
                            add_summary, &page, &more);
    if (result == STORE_OK) {
        char end[CURSOR_TEXT + 16] = "],\"next\":null}", cursor[CURSOR_TEXT];
        if (more) {
            cursor_write(&page.last, cursor);
            snprintf(end, sizeof end, "],\"next\":\"%s\"}", cursor);
        }
        page.failed |= evbuffer_add(page.body, end, strlen(end)) != 0;
        if (page.failed) result = STORE_MEMORY;
    }
    if (result == STORE_OK)
        respond_buffer(x, 200, media_json, page.body);
    else
        answer_store(x, result);
    if (page.body) evbuffer_free(page.body);
}

static void letters(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    uint64_t counts[INDEX_LETTERS], total = 0;
    struct text out = {0};
    char entry[40];
    if (!query_known(x, r, none)) return;
    enum store_result result = index_letters(self.store, kind_table[kind_of(r)].table, counts);
    for (int i = 0; result == STORE_OK && i < INDEX_LETTERS; i++) {
        total += counts[i];
        snprintf(entry, sizeof entry, "%s\"%c\":%llu", i ? "," : "{\"letters\":{", i ? 'A' + i - 1 : '#', (unsigned long long)counts[i]);
        text_string(&out, entry);
    }
    snprintf(entry, sizeof entry, "},\"total\":%llu}", (unsigned long long)total);
    text_string(&out, entry);
    if (result == STORE_OK && out.failed) result = STORE_MEMORY;
    if (result == STORE_OK)
        respond_bytes(x, 200, media_json, out.data, out.size);
    else
        answer_store(x, result);
    text_free(&out);
}

/* clang-format off */
#define KIND_ROUTES(KIND, PLURAL)                                                                 \
    {HTTP_GET, "/api/v1/" PLURAL, RIGHT_OF(KIND, RIGHT_READ), ROUTE_NO_BODY, list},               \
    {HTTP_POST, "/api/v1/" PLURAL, RIGHT_OF(KIND, RIGHT_WRITE), 0, create},                       \
    {HTTP_GET, "/api/v1/" PLURAL "/letters", RIGHT_OF(KIND, RIGHT_READ), ROUTE_NO_BODY, letters}, \
    {HTTP_GET, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_READ), ROUTE_NO_BODY, show},         \
    {HTTP_PUT, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_WRITE), 0, replace},                 \
    {HTTP_PATCH, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_WRITE), 0, merge},                 \
    {HTTP_DELETE, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_WRITE), ROUTE_NO_BODY, discard}
/* clang-format on */
_Static_assert(KIND_COMPANY == (int)RIGHTS_COMPANIES && KIND_CONTACT == (int)RIGHTS_CONTACTS && KIND_COUNT == (int)RIGHTS_KINDS,
               "a kind's number is the one of its rights");

const struct route crm_routes[] = {
    KIND_ROUTES(KIND_COMPANY, "companies"),
    KIND_ROUTES(KIND_CONTACT, "contacts"),
    {HTTP_POST, "/api/v1/import", 0, ROUTE_STREAMED, import_handle,
     .function = FUNCTION_import}, /* the right depends on the parameter `kind` */
    {HTTP_GET, "/api/v1/export", 0, ROUTE_NO_BODY, export_handle, .function = FUNCTION_export},
    {0},
};
