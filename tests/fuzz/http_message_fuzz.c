/* The request reader: whatever comes, what it accepts has one meaning only, and does not depend on how it was cut into pieces. */
#include "../../policy/http_message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static bool lies_in(struct slice s, const char *bytes, size_t size) { return s.data >= bytes && s.data + s.size <= bytes + size; }

/* Lines end in CR LF and nowhere else is a CR, LF or NUL. */
static void check_lines(const char *bytes, size_t used) {
    must(used >= 4 && memcmp(bytes + used - 4, "\r\n\r\n", 4) == 0);
    must(!memchr(bytes, '\0', used));
    for (size_t i = 0; i < used; i++) {
        if (bytes[i] == '\r') must(i + 1 < used && bytes[i + 1] == '\n');
        if (bytes[i] == '\n') must(i > 0 && bytes[i - 1] == '\r');
    }
}

static void check_fields(const struct http_request_head *h, const char *bytes, size_t used) {
    unsigned hosts = 0, lengths = 0, codings = 0;
    must(h->header_count <= REQUEST_HEADERS_MAX);
    for (size_t i = 0; i < h->header_count; i++) {
        const struct http_header *f = &h->header[i];
        must(lies_in(f->name, bytes, used) && lies_in(f->value, bytes, used) && f->name.size > 0);
        must(f->name.data[f->name.size] == ':');
        for (size_t k = 0; k < f->name.size; k++)
            must((unsigned char)f->name.data[k] > 0x20 && (unsigned char)f->name.data[k] < 0x7f && f->name.data[k] != ':');
        hosts += slice_equals_nocase(f->name, "host");
        lengths += slice_equals_nocase(f->name, "content-length");
        codings += slice_equals_nocase(f->name, "transfer-encoding");
    }
    must(hosts == 1 && lengths + codings <= 1);
    must(h->has_length == (lengths == 1) && h->chunked == (codings == 1));
    must(h->has_length || h->content_length == 0);
}

static void check_target(const struct http_request_head *h, const char *bytes, size_t used) {
    must(h->method >= HTTP_GET && h->method <= HTTP_OTHER && lies_in(h->method_name, bytes, used));
    must(h->path.size > 0 && h->path.data[0] == '/' && h->path.size + h->query.size <= REQUEST_TARGET_MAX);
    for (size_t i = 0; i < h->path.size; i++)
        must((unsigned char)h->path.data[i] > 0x20 && (unsigned char)h->path.data[i] < 0x7f && !strchr("?#\"<>\\^`{|}[]", h->path.data[i]));
    must(h->host.size > 0 && lies_in(h->host, bytes, used) && !memchr(h->host.data, '/', h->host.size) && h->port <= 65535);
    char text[REQUEST_TARGET_MAX + 1];
    if (http_percent_decode(h->path, false, text, sizeof text)) must(strlen(text) <= h->path.size);
    struct slice rest = h->query, name, value;
    while (http_query_next(&rest, &name, &value))
        must(lies_in(name, h->query.data, h->query.size) && lies_in(value, h->query.data, h->query.size));
    int found = http_query_value(h->query, "q", text, sizeof text);
    must(found >= -1 && found <= 1);
}

/* Reads a body in pieces of `step` bytes. */
static enum http_result unchunk(const char *bytes, size_t size, size_t step, char *out, size_t *out_size, size_t *consumed) {
    struct http_chunks state = {0};
    enum http_result result = HTTP_MORE;
    size_t at = 0;
    *out_size = 0;
    while (at < size && result == HTTP_MORE) {
        size_t n = size - at < step ? size - at : step, used = 0;
        struct slice piece;
        int status = 0;
        const char *why = NULL;
        result = http_read_chunk(&state, bytes + at, n, &used, &piece, &status, &why);
        if (result == HTTP_REFUSED) {
            must(why && (status == 400 || status == 431));
            break;
        }
        must(used > 0 && used <= n && (piece.size == 0 || lies_in(piece, bytes + at, used)));
        memcpy(out + *out_size, piece.data, piece.size);
        *out_size += piece.size;
        at += used;
    }
    *consumed = at;
    return result;
}

static void check_body(const char *bytes, size_t size, size_t step) {
    char *a = malloc(size + 1), *b = malloc(size + 1);
    size_t a_size, b_size, a_end, b_end;
    enum http_result one = unchunk(bytes, size, size ? size : 1, a, &a_size, &a_end);
    enum http_result other = unchunk(bytes, size, step, b, &b_size, &b_end);
    must(one == other);
    if (one != HTTP_REFUSED) must(a_size == b_size && memcmp(a, b, a_size) == 0 && a_end == b_end);
    free(a);
    free(b);
}

static enum http_result read_copy(const char *bytes, size_t size, size_t *used) {
    static struct http_request_head h;
    char *copy = malloc(size ? size : 1);
    int status = 0;
    const char *why = NULL;
    memcpy(copy, bytes, size);
    enum http_result result = http_read_head(copy, size, &h, used, &status, &why);
    if (result == HTTP_REFUSED) must(why && status >= 400 && status < 600);
    if (result == HTTP_COMPLETE) {
        must(*used <= size && *used <= REQUEST_HEAD_MAX);
        check_lines(copy, *used);
        check_fields(&h, copy, *used);
        check_target(&h, copy, *used);
        if (h.chunked) check_body(copy + *used, size - *used, 1);
    }
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    size_t step = data[0] + 1u, used = 0, again = 0;
    const char *bytes = (const char *)data + 1;
    size--;
    enum http_result whole = read_copy(bytes, size, &used);
    bool refused = false;
    size_t last = whole == HTTP_COMPLETE ? used : size;
    for (size_t n = 0; n < last; n += step) {
        enum http_result result = read_copy(bytes, n, &again);
        must(result != HTTP_COMPLETE && (!refused || result == HTTP_REFUSED));
        refused |= result == HTTP_REFUSED;
    }
    if (refused) must(whole == HTTP_REFUSED);
    if (whole == HTTP_COMPLETE) must(read_copy(bytes, used, &again) == HTTP_COMPLETE && again == used);
    check_body(bytes, size, step);
    return 0;
}
