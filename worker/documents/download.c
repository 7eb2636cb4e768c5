/* A version's bytes on their way out. Whatever they are, a browser gets an attachment of a harmless type in a sandbox. */
#include "download.h"

#include "../../policy/hex.h"
#include "../crm/answer.h"
#include "../keys/digest.h"
#include "headers.h"
#include "versions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct download {
    struct content content;
    uint64_t at, end;
};

/* The rest of one chunk. One that does not open ends the connection: what came is short, and the client sees it. */
static int more(void *argument, struct evbuffer *out) {
    struct download *d = argument;
    const uint8_t *bytes;
    size_t size, from = (size_t)(d->at % CONTENT_CHUNK);
    if (content_get(&d->content, (uint32_t)(d->at / CONTENT_CHUNK), &bytes, &size) != STORE_OK) return -1;
    size_t part = size - from < d->end - d->at ? size - from : (size_t)(d->end - d->at);
    if (evbuffer_add(out, bytes + from, part) != 0) return -1;
    d->at += part;
    return d->at < d->end;
}

/* S14: whatever was uploaded, a browser gets an attachment that runs nothing */
static void describe(struct exchange *x, const char *name, const struct version *v, const char *tag) {
    char text[DISPOSITION_MAX], base64[DIGEST_BASE64 + 1];
    uint8_t hash[DIGEST_BYTES];
    snprintf(text, sizeof text, "\"%s\"", tag);
    respond_header(x, "ETag", text);
    disposition_write(name, text);
    respond_header(x, "Content-Disposition", text);
    respond_header(x, "Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'");
    respond_header(x, "Accept-Ranges", "bytes");
    if (!hex_read(v->sha256, sizeof hash, hash)) return;
    base64_write(hash, sizeof hash, base64);
    snprintf(text, sizeof text, "sha-256=:%s:", base64);
    respond_header(x, "Repr-Digest", text);
}

/* Range counts for what the client has a part of already: If-Range names it, by a strong tag. */
static enum range wanted(const struct request *r, const struct version *v, const char *tag, uint64_t *from, uint64_t *length) {
    const struct slice *range = http_header_find(r->head, "Range"), *same = http_header_find(r->head, "If-Range");
    char own[CONTENT_TEXT + 3];
    snprintf(own, sizeof own, "\"%s\"", tag);
    *from = 0;
    *length = v->content.size;
    if (!range || (same && !slice_equals(*same, own))) return RANGE_NONE;
    return range_read(*range, v->content.size, from, length);
}

static void send_part(struct exchange *x, const struct request *r, const char *name, const struct version *v, const char *tag) {
    uint64_t from, length;
    char text[80];
    enum range range = wanted(r, v, tag, &from, &length);
    if (range == RANGE_BEYOND) {
        snprintf(text, sizeof text, "bytes */%" PRIu64, v->content.size);
        respond_header(x, "Content-Range", text);
        respond_problem(x, 416, "range", "The range begins behind the end.", "Range", 0);
        return;
    }
    struct download *d = malloc(sizeof *d);
    if (!d) {
        answer_store(x, STORE_MEMORY);
        return;
    }
    *d = (struct download){v->content, from, from + length};
    describe(x, name, v, tag);
    if (range == RANGE_PART) {
        snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, from + length - 1, v->content.size);
        respond_header(x, "Content-Range", text);
    }
    respond_sized(x, range == RANGE_PART ? 206 : 200, type_served(v->type), length, more, free, d);
}

static void answer(struct exchange *x, struct request *r, const struct record *document, json_int_t number) {
    struct version v;
    char tag[CONTENT_TEXT + 1] = "";
    const char *name = json_string_value(json_object_get(document->fields, "name"));
    if (!version_find(document->fields, number, &v)) {
        respond_problem(x, 404, "not-found", "There is no such version.", NULL, 0);
        return;
    }
    hex_write(v.content.id, CONTENT_ID, tag);
    enum match none_match = match_tag(r->head, "If-None-Match", true, tag), match = match_tag(r->head, "If-Match", false, tag);
    if (none_match == MATCH_MALFORMED || match == MATCH_MALFORMED) {
        respond_problem(x, 400, "invalid-header", "Expected entity tags in quotes, or *.",
                        match == MATCH_MALFORMED ? "If-Match" : "If-None-Match", 0);
        return;
    }
    if (match == MATCH_NO) {
        answer_store(x, STORE_CONFLICT);
        return;
    }
    if (none_match == MATCH_YES) {
        describe(x, name ? name : "", &v, tag);
        respond_empty(x, 304);
    } else {
        send_part(x, r, name ? name : "", &v, tag);
    }
}

static void download(struct exchange *x, struct request *r, json_int_t number) {
    static const char *const none[] = {NULL};
    struct record document;
    uint8_t id[ID_BYTES];
    if (!query_known(x, r, none)) return;
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    enum store_result result = named ? catalog_get(KIND_DOCUMENT, id, &document) : STORE_MISSING;
    if (result != STORE_OK) {
        answer_store(x, result);
        return;
    }
    answer(x, r, &document, number);
    record_free(&document);
}

void download_newest(struct exchange *x, struct request *r) { download(x, r, 0); }

void download_version(struct exchange *x, struct request *r) {
    uint64_t number;
    bool fine = number_read(r->segment[1], &number) && number > 0;
    download(x, r, fine ? (json_int_t)number : -1);
}
