/* Resumable uploads: tus 1.0.0 (https://tus.io/protocols/resumable-upload), the core and what it needs to be of use. */
#include "tus.h"

#include "../../policy/hex.h"
#include "../crm/answer.h"
#include "../tenant.h"
#include "announce.h"
#include "headers.h"
#include "receive.h"
#include "sweep.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char offset_type[] = "application/offset+octet-stream";

/* ---- what every answer says ---- */

static void say_number(struct exchange *x, const char *name, uint64_t n) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, n);
    respond_header(x, name, text);
}

static void say_state(struct exchange *x, const struct upload *u) {
    char text[40];
    struct tm tm;
    time_t expires = (time_t)u->expires;
    say_number(x, "Upload-Offset", u->offset);
    if (u->offset == u->content.size) return;
    gmtime_r(&expires, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    respond_header(x, "Upload-Expires", text);
}

/* The version of the protocol. false: answered. */
static bool begin(struct exchange *x, const struct request *r) {
    const struct slice *version = http_header_find(r->head, "Tus-Resumable");
    respond_header(x, "Tus-Resumable", "1.0.0");
    if (version && slice_equals(*version, "1.0.0")) return true;
    respond_header(x, "Tus-Version", "1.0.0");
    respond_problem(x, 412, "tus-version", "Expected Tus-Resumable: 1.0.0.", "Tus-Resumable", 0);
    return false;
}

void tus_options(struct exchange *x, struct request *r) {
    (void)r;
    respond_header(x, "Tus-Resumable", "1.0.0");
    respond_header(x, "Tus-Version", "1.0.0");
    respond_header(x, "Tus-Extension", "creation,creation-with-upload,expiration,termination");
    say_number(x, "Tus-Max-Size", CONTENT_MAX);
    respond_empty(x, 204);
}

/* ---- answers to bytes ---- */

static void say_document(struct exchange *x, const struct upload *u, uint64_t version) {
    char id[ULID_TEXT + 1], location[64];
    ulid_text(u->document, id);
    snprintf(location, sizeof location, "/api/v1/documents/%s", id);
    respond_header(x, "Content-Location", location);
    answer_etag(x, version);
}

static void answer_patched(struct exchange *x, const struct upload *u, uint64_t version, const struct text *stored) {
    say_state(x, u);
    if (stored) say_document(x, u, version);
    respond_empty(x, 204);
}

static void answer_created(struct exchange *x, const struct upload *u, uint64_t version, const struct text *stored) {
    char location[64] = "/api/v1/uploads/";
    hex_write(u->content.id, CONTENT_ID, location + strlen(location));
    respond_header(x, "Location", location);
    say_state(x, u);
    if (stored) say_document(x, u, version);
    respond_empty(x, 201);
}

/* ---- creation ---- */

static bool malformed(struct exchange *x, const char *header, const char *expected) {
    respond_problem(x, 400, "invalid-header", expected, header, 0);
    return false;
}

/* The document that gets another version: `document` in Upload-Metadata. false: answered. */
static bool read_document(struct exchange *x, const char *id, struct record *document) {
    uint8_t bytes[ID_BYTES];
    enum store_result result = STORE_MISSING;
    if (ulid_parse(id, strlen(id), bytes)) result = catalog_get(KIND_DOCUMENT, bytes, document);
    if (result != STORE_OK) answer_store(x, result);
    return result == STORE_OK;
}

/* The name of a document that comes with its upload, as its record will have it. */
static bool canonical_name(char name[UPLOAD_NAME]) {
    char *text;
    size_t size;
    if (field_text(FIELD_LINE, UPLOAD_NAME - 1, false, name, strlen(name), &text, &size) != FIELD_FINE) return false;
    bool fine = size < UPLOAD_NAME;
    if (fine) memcpy(name, text, size + 1);
    free(text);
    return fine;
}

/* false: answered. */
static bool read_metadata(struct exchange *x, const struct request *r, uint64_t size, struct upload *u) {
    const struct slice *given = http_header_find(r->head, "Upload-Metadata");
    struct slice value = given ? *given : (struct slice){"", 0};
    char name[UPLOAD_NAME], type[UPLOAD_TYPE], id[ULID_TEXT + 1];
    struct record document = {0};
    if (metadata_read(value, "filename", name, sizeof name) < 0)
        return malformed(x, "Upload-Metadata", "filename: expected at most 255 bytes of text in base64, once.");
    if (metadata_read(value, "filetype", type, sizeof type) < 0)
        return malformed(x, "Upload-Metadata", "filetype: expected a media type in base64, once.");
    int named = metadata_read(value, "document", id, sizeof id);
    if (named < 0) return malformed(x, "Upload-Metadata", "document: expected an id in base64, once.");
    if (named && !read_document(x, id, &document)) return false;
    bool fine = upload_announce(x, r, size, document.fields, u);
    if (named) memcpy(u->document, document.id, ID_BYTES);
    record_free(&document);
    if (!fine) return false;
    u->makes = !named;
    if (!named) ulid_new(u->document);
    if (!named && !canonical_name(name))
        return malformed(x, "Upload-Metadata", "Expected filename, at most 255 bytes on one line, or document.");
    memcpy(u->name, name, sizeof u->name);
    type_keep(&(struct slice){type, strlen(type)}, u->type, sizeof u->type);
    return true;
}

/* The body, if there is one, is the upload's beginning. false: answered. */
static bool right_type(struct exchange *x, const struct request *r, bool needed) {
    const struct slice *type = http_header_find(r->head, "Content-Type");
    if (type ? slice_equals_nocase(*type, offset_type) : !needed) return true;
    respond_problem(x, 415, "unsupported-media-type", "Expected application/offset+octet-stream.", "Content-Type", 0);
    return false;
}

void tus_create(struct exchange *x, struct request *r) {
    const struct slice *length = http_header_find(r->head, "Upload-Length");
    static const struct delivery how = {.resumable = true, .answer = answer_created};
    struct upload u;
    uint64_t size;
    if (!begin(x, r) || !right_type(x, r, r->head->chunked || r->head->content_length > 0)) return;
    if (!length || !number_read(*length, &size)) {
        malformed(x, "Upload-Length", "Expected the number of bytes; it cannot be given later.");
        return;
    }
    if (upload_count() >= UPLOADS_MAX) {
        respond_problem(x, 409, "too-many-uploads", "Too many uploads are under way; end or remove some.", NULL, 0);
        return;
    }
    if (read_metadata(x, r, size, &u)) receive(x, &u, &how);
}

/* ---- one upload ---- */

/* That of the path, of whoever began it. false: answered. */
static bool find(struct exchange *x, const struct request *r, struct upload *u) {
    uint8_t id[CONTENT_ID];
    enum store_result result = STORE_MISSING;
    if (r->segment[0].size == CONTENT_TEXT && hex_read(r->segment[0].data, CONTENT_ID, id)) result = upload_load(id, u);
    if (result == STORE_OK && memcmp(u->user, r->session->user, ID_BYTES) != 0) result = STORE_MISSING;
    if (result == STORE_OK && (u->expires < (uint64_t)time(NULL) || sweep_takes(u->content.id))) result = STORE_MISSING;
    if (result == STORE_OK) return true;
    if (result == STORE_MISSING)
        respond_problem(x, 404, "not-found", "There is no such upload, or it is over.", NULL, 0);
    else
        answer_store(x, result);
    return false;
}

/* false: answered. */
static bool is_free(struct exchange *x, const struct upload *u) {
    if (!upload_is_live(u->content.id)) return true;
    respond_problem(x, 409, "upload-busy", "Another request is sending this upload.", NULL, 0);
    return false;
}

static json_t *state_of(const struct upload *u) {
    char id[CONTENT_TEXT + 1] = "", document[ULID_TEXT + 1];
    hex_write(u->content.id, CONTENT_ID, id);
    ulid_text(u->document, document);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "id", id, "document", document, "name", u->name, "size", (json_int_t)u->content.size,
                     "offset", (json_int_t)u->offset, "expires", (json_int_t)u->expires);
}

void tus_show(struct exchange *x, struct request *r) {
    struct upload u;
    respond_header(x, "Tus-Resumable", "1.0.0");
    if (!find(x, r, &u)) return;
    say_state(x, &u);
    say_number(x, "Upload-Length", u.content.size);
    respond_json(x, 200, state_of(&u));
}

void tus_patch(struct exchange *x, struct request *r) {
    const struct slice *offset = http_header_find(r->head, "Upload-Offset");
    static const struct delivery how = {.resumable = true, .answer = answer_patched};
    struct upload u;
    uint64_t at;
    if (!begin(x, r) || !right_type(x, r, true) || !find(x, r, &u) || !is_free(x, &u)) return;
    if (!offset || !number_read(*offset, &at)) {
        malformed(x, "Upload-Offset", "Expected a number of bytes.");
        return;
    }
    if (at != u.offset) {
        say_state(x, &u);
        respond_problem(x, 409, "offset", "The upload goes on at another offset.", "Upload-Offset", 0);
        return;
    }
    receive(x, &u, &how);
}

void tus_discard(struct exchange *x, struct request *r) {
    struct upload u;
    if (!begin(x, r) || !find(x, r, &u) || !is_free(x, &u)) return;
    enum store_result result = upload_forget(u.content.id);
    if (result == STORE_OK) result = exchange_commit();
    if (result != STORE_OK) {
        answer_store(x, result);
        return;
    }
    sweep_content(&u.content);
    respond_empty(x, 204);
}

struct list {
    const uint8_t *user;
    json_t *items;
};

static bool add(void *argument, const struct upload *u) {
    struct list *l = argument;
    return memcmp(u->user, l->user, ID_BYTES) != 0 || json_array_append_new(l->items, state_of(u)) == 0;
}

void tus_list(struct exchange *x, struct request *r) {
    struct list l = {r->session->user, json_array()};
    bool more;
    respond_header(x, "Tus-Resumable", "1.0.0");
    enum store_result result = l.items ? upload_walk(NULL, UPLOADS_MAX, add, &l, &more) : STORE_MEMORY;
    if (result == STORE_OK)
        respond_json(x, 200, json_pack("{s:O}", "items", l.items));
    else
        answer_store(x, result);
    json_decref(l.items);
}
