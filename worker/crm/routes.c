/* The routes of companies, contacts and documents' records. */
#include "answer.h"
#include "crm.h"
#include "cursor.h"
#include "export.h"
#include "import.h"
#include "list.h"

#include "../documents/documents.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "collate.h"

#include <stdlib.h>
#include <string.h>

bool crm_start(void) { return collate_start(); }

static const char media_json[] = "application/json";

/* The kind of /api/v1/{plural}…, by the third letter of the plural. */
static enum kind kind_of(const struct request *r) {
    return r->path[10] == 'm' ? KIND_COMPANY : r->path[10] == 'n' ? KIND_CONTACT : KIND_DOCUMENT;
}

static void list(struct exchange *x, struct request *r) { list_handle(x, r, kind_of(r)); }
static void letters(struct exchange *x, struct request *r) { letters_handle(x, r, kind_of(r)); }

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
    else if (json_is_true(json_object_get(old->fields, "restricted")))
        respond_problem(x, 409, "restricted", "This record is restricted: it may be read, not changed.", NULL, 0);
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
        if (whole && record_strip(record.kind, old.id, whole, &p)) record.fields = record_validate(record.kind, whole, 0, &p);
        if (!whole || (record.fields && !record_keep_given(&old, record.fields))) problem_memory(&p);
    }
    json_decref(whole);
    json_decref(input);
    struct text stored = {0};
    enum store_result result = p.status ? STORE_OK : catalog_change(&old, &record, &stored);
    if (p.status)
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
        if (old.kind == KIND_DOCUMENT) document_removed(&old);
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

/* clang-format off */
#define KIND_ROUTES(KIND, PLURAL, FUNCTION)                                                                  \
    {HTTP_GET, "/api/v1/" PLURAL, RIGHT_OF(KIND, RIGHT_READ), ROUTE_NO_BODY, list, FUNCTION},               \
    {HTTP_POST, "/api/v1/" PLURAL, RIGHT_OF(KIND, RIGHT_WRITE), 0, create, FUNCTION},                       \
    {HTTP_GET, "/api/v1/" PLURAL "/letters", RIGHT_OF(KIND, RIGHT_READ), ROUTE_NO_BODY, letters, FUNCTION}, \
    {HTTP_GET, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_READ), ROUTE_NO_BODY, show, FUNCTION},         \
    {HTTP_PUT, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_WRITE), 0, replace, FUNCTION},                 \
    {HTTP_PATCH, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_WRITE), 0, merge, FUNCTION},                 \
    {HTTP_DELETE, "/api/v1/" PLURAL "/{}", RIGHT_OF(KIND, RIGHT_WRITE), ROUTE_NO_BODY, discard, FUNCTION}
/* clang-format on */
_Static_assert(KIND_COMPANY == (int)RIGHTS_COMPANIES && KIND_CONTACT == (int)RIGHTS_CONTACTS && KIND_DOCUMENT == (int)RIGHTS_DOCUMENTS,
               "a kind's number is the one of its rights");

const struct route crm_routes[] = {
    KIND_ROUTES(KIND_COMPANY, "companies", FUNCTION_NONE),
    KIND_ROUTES(KIND_CONTACT, "contacts", FUNCTION_NONE),
    KIND_ROUTES(KIND_DOCUMENT, "documents", FUNCTION_documents),
    {HTTP_POST, "/api/v1/import", 0, ROUTE_STREAMED, import_handle,
     .function = FUNCTION_import}, /* the right depends on the parameter `kind` */
    {HTTP_GET, "/api/v1/export", 0, ROUTE_NO_BODY, export_handle, .function = FUNCTION_export},
    {0},
};
