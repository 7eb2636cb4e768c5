#include "documents.h"

#include "../crm/answer.h"
#include "../journal/journal.h"
#include "announce.h"
#include "download.h"
#include "headers.h"
#include "receive.h"
#include "sweep.h"
#include "tus.h"
#include "versions.h"

#include <string.h>

void document_removed(const struct record *r) {
    struct version v;
    for (size_t i = 0; i < version_count(r->fields); i++)
        if (version_at(r->fields, i, &v)) sweep_content(&v.content);
    sweep_uploads();
}

/* The document of the path, held against If-Match. false: answered. */
static bool read_for_change(struct exchange *x, const struct request *r, struct record *document) {
    static const char *const none[] = {NULL};
    uint8_t id[ID_BYTES];
    if (!query_known(x, r, none)) return false;
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    enum store_result result = named ? catalog_get(KIND_DOCUMENT, id, document) : STORE_MISSING;
    if (result == STORE_OK) {
        enum match match = match_version(r->head, "If-Match", false, document->version);
        if (match == MATCH_NONE || match == MATCH_YES) return true;
        record_free(document);
        if (match == MATCH_MALFORMED) {
            respond_problem(x, 400, "invalid-header", "Expected entity tags in quotes, or *.", "If-Match", 0);
            return false;
        }
        result = STORE_CONFLICT;
    }
    answer_store(x, result);
    return false;
}

static void answer_document(struct exchange *x, const struct upload *u, uint64_t version, const struct text *stored) {
    (void)u;
    answer_etag(x, version);
    respond_bytes(x, 200, "application/json", stored->data, stored->size);
}

static void put_content(struct exchange *x, struct request *r) {
    struct record document;
    struct upload u;
    if (!r->head->has_length) {
        respond_problem(x, 411, "length-required", "Say how many bytes come: Content-Length.", "Content-Length", 0);
        return;
    }
    if (!read_for_change(x, r, &document)) return;
    struct delivery how = {.match = http_header_find(r->head, "If-Match") ? document.version : 0, .answer = answer_document};
    if (upload_announce(x, r, r->head->content_length, document.fields, &u)) {
        memcpy(u.document, document.id, ID_BYTES);
        type_keep(http_header_find(r->head, "Content-Type"), u.type, sizeof u.type);
        receive(x, &u, &how);
    }
    record_free(&document);
}

static enum store_result remove_version(const struct record *old, json_int_t number, struct record *new, struct text *stored) {
    *new = (struct record){.kind = KIND_DOCUMENT, .fields = json_deep_copy(old->fields)};
    memcpy(new->id, old->id, ID_BYTES);
    if (!new->fields || !version_remove(new->fields, number)) return STORE_MEMORY;
    return catalog_change(old, new, stored);
}

static void discard_version(struct exchange *x, struct request *r) {
    struct record document, changed = {0};
    struct text stored = {0};
    struct version v;
    uint64_t number;
    if (!read_for_change(x, r, &document)) return;
    bool found = number_read(r->segment[1], &number) && number > 0 && version_find(document.fields, (json_int_t)number, &v);
    enum store_result result = found ? remove_version(&document, v.number, &changed, &stored) : STORE_MISSING;
    if (result == STORE_OK) {
        sweep_content(&v.content);
        journal_add(JOURNAL_version_deleted, r->session->user,
                    json_pack("{s:o, s:I}", "id", journal_id(document.id), "number", (json_int_t)number));
        answer_etag(x, changed.version);
        respond_bytes(x, 200, "application/json", stored.data, stored.size);
    } else {
        answer_store(x, result);
    }
    text_free(&stored);
    record_free(&changed);
    record_free(&document);
}

enum { READ = RIGHT_OF(RIGHTS_DOCUMENTS, RIGHT_READ), WRITE = RIGHT_OF(RIGHTS_DOCUMENTS, RIGHT_WRITE) };

const struct route document_routes[] = {
    {HTTP_GET, "/api/v1/documents/{}/content", READ, ROUTE_NO_BODY, download_newest, FUNCTION_documents},
    {HTTP_PUT, "/api/v1/documents/{}/content", WRITE, ROUTE_STREAMED, put_content, FUNCTION_documents},
    {HTTP_GET, "/api/v1/documents/{}/versions/{}", READ, ROUTE_NO_BODY, download_version, FUNCTION_documents},
    {HTTP_DELETE, "/api/v1/documents/{}/versions/{}", WRITE, ROUTE_NO_BODY, discard_version, FUNCTION_documents},
    {HTTP_OPTIONS, "/api/v1/uploads", WRITE, ROUTE_NO_BODY, tus_options, FUNCTION_documents},
    {HTTP_POST, "/api/v1/uploads", WRITE, ROUTE_STREAMED, tus_create, FUNCTION_documents},
    {HTTP_GET, "/api/v1/uploads", WRITE, ROUTE_NO_BODY, tus_list, FUNCTION_documents},
    {HTTP_GET, "/api/v1/uploads/{}", WRITE, ROUTE_NO_BODY, tus_show, FUNCTION_documents},
    {HTTP_PATCH, "/api/v1/uploads/{}", WRITE, ROUTE_STREAMED, tus_patch, FUNCTION_documents},
    {HTTP_DELETE, "/api/v1/uploads/{}", WRITE, ROUTE_NO_BODY, tus_discard, FUNCTION_documents},
    {0},
};
