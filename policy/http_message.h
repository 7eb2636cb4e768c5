/*
 * A strict HTTP/1.1 request reader (RFC 9112, RFC 9110), pure: no I/O, no allocation. Used by the worker and the steward.
 * It refuses what proxies and servers read differently: two Content-Lengths, Content-Length with Transfer-Encoding, any coding but
 * `chunked`, chunk sizes that are not 1*8HEXDIG, chunk extensions over a bound, obs-fold, bare LF, bare CR, NUL and other controls,
 * white space before a colon, missing or double Host, absolute-form other than the request's own host, asterisk-form, CONNECT,
 * versions other than HTTP/1.1 (1.0: 505).
 */
#pragma once

#include "limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method { HTTP_GET = 1, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

/* A piece of the caller's buffer, not NUL-terminated. */
struct slice {
    const char *data;
    size_t size;
};

struct http_header {
    struct slice name;  /* as sent; compare with slice_equals_nocase() */
    struct slice value; /* without the white space around it */
};

struct http_request_head {
    enum http_method method;
    struct slice method_name;
    struct slice path;  /* "/..." before '?'; still percent-encoded, of RFC 3986 characters only */
    struct slice query; /* after '?', may be empty; has_query tells "?" from "" */
    bool has_query;
    struct slice host; /* the Host field without its port, as sent */
    uint32_t port;     /* 0 = none given */
    struct http_header header[REQUEST_HEADERS_MAX];
    size_t header_count;
    bool chunked;
    bool has_length;
    uint64_t content_length; /* 0 when !has_length */
    bool keep_alive;         /* no `Connection: close` */
    bool expect_continue;    /* Expect: 100-continue; another expectation is refused with 417 */
};

enum http_result {
    HTTP_COMPLETE,
    HTTP_MORE,   /* give the same bytes again with more behind them */
    HTTP_REFUSED /* *status is the answer (400, 413, 414, 417, 431, 501, 505); close after it */
};

/* Reads one request head from bytes[0..size). On HTTP_COMPLETE *used is its length including the empty line and the slices point into
 * bytes. On HTTP_REFUSED *status and *why (static text without any of the client's bytes) are set. At most one leading CRLF is skipped. */
enum http_result http_read_head(const char *bytes, size_t size, struct http_request_head *head, size_t *used, int *status,
                                const char **why);

/* Reads a chunked body piece by piece. Start with a zeroed state. */
struct http_chunks {
    uint64_t left; /* of the current chunk */
    int phase;
    size_t trailer_bytes;
};
/* Consumes up to size bytes: *used are consumed, *piece is the data among them (maybe empty). HTTP_COMPLETE after the last trailer line. */
enum http_result http_read_chunk(struct http_chunks *state, const char *bytes, size_t size, size_t *used, struct slice *piece, int *status,
                                 const char **why);

/* The first header of that name, or NULL. */
const struct slice *http_header_find(const struct http_request_head *head, const char *name);

bool slice_equals(struct slice s, const char *text);
bool slice_equals_nocase(struct slice s, const char *text); /* ASCII */

/* Decodes %XX into out (size bytes room, NUL added). plus_is_space for query values. false: bad escape, NUL, invalid UTF-8 or no room. */
bool http_percent_decode(struct slice s, bool plus_is_space, char *out, size_t room);

/* Finds name=value in a query and decodes the value. 1 found, 0 absent, -1 malformed, twice or too long. */
int http_query_value(struct slice query, const char *name, char *out, size_t room);

/* Walks a query: *rest starts as the whole query. false at its end. name and value stay encoded. */
bool http_query_next(struct slice *rest, struct slice *name, struct slice *value);

/* The reason phrase of a status, e.g. "Not Found". */
const char *http_reason(int status);
