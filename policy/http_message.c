#include "http_message.h"

#include "names.h"

#include <string.h>
#include <strings.h>

enum { TOKEN = 1, FIELD = 2, PATH = 4, QUERY = 8, HEX = 16, NAME = 32 };

/* What each byte may be part of: a token, a field value, a path, a query, a hexadecimal number, a host name. */
static const uint8_t class_of[128] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* HT */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* controls */
    0x02, 0x0f, 0x02, 0x03, 0x0f, 0x0f, 0x0f, 0x0f, 0x0e, 0x0e, 0x0f, 0x0f, 0x0e, 0x2f, 0x2f, 0x0e, /* SP to / */
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x0e, 0x0e, 0x02, 0x0e, 0x02, 0x0a, /* 0 to ? */
    0x0e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, /* @ to O */
    0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x02, 0x02, 0x02, 0x03, 0x2f, /* P to _ */
    0x03, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, /* ` to o */
    0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x2f, 0x02, 0x03, 0x02, 0x0f, 0x00, /* p to DEL */
};

/* Beyond ASCII lies obs-text, which only a field value may hold. */
static bool is(char c, unsigned wanted) {
    unsigned char u = (unsigned char)c;
    return ((u < 128 ? class_of[u] : (unsigned)FIELD) & wanted) != 0;
}

static bool all(struct slice s, unsigned wanted) {
    for (size_t i = 0; i < s.size; i++)
        if (!is(s.data[i], wanted)) return false;
    return true;
}

/* Why a request is refused. The checks below return false after filling it. */
struct verdict {
    int status;
    const char *why;
};

static bool refuse(struct verdict *v, int status, const char *why) {
    v->status = status;
    v->why = why;
    return false;
}

bool slice_equals(struct slice s, const char *text) { return strlen(text) == s.size && memcmp(s.data, text, s.size) == 0; }
bool slice_equals_nocase(struct slice s, const char *text) { return strlen(text) == s.size && strncasecmp(s.data, text, s.size) == 0; }

static bool same_nocase(struct slice a, struct slice b) { return a.size == b.size && strncasecmp(a.data, b.data, a.size) == 0; }

/* ---- request line ---- */

static enum http_method method_of(struct slice s) {
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET},     {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},      {"PUT", HTTP_PUT},
                 {"PATCH", HTTP_PATCH}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_equals(s, known[i].name)) return known[i].method;
    return HTTP_OTHER;
}

/* Cuts what stands before the first space. */
static bool cut_word(struct slice *line, struct slice *word) {
    const char *space = memchr(line->data, ' ', line->size);
    if (!space) return false;
    *word = (struct slice){line->data, (size_t)(space - line->data)};
    line->data = space + 1;
    line->size -= word->size + 1;
    return true;
}

static bool read_version(struct slice s, struct verdict *v) {
    if (s.size == 8 && memcmp(s.data, "HTTP/1.1", 8) == 0) return true;
    bool other = s.size == 8 && memcmp(s.data, "HTTP/", 5) == 0 && s.data[6] == '.' && s.data[5] >= '0' && s.data[5] <= '9' &&
                 s.data[7] >= '0' && s.data[7] <= '9';
    return other ? refuse(v, 505, "only HTTP/1.1 is spoken here") : refuse(v, 400, "the request line is malformed");
}

/* Path and query hold characters of RFC 3986 only, and every '%' begins an escape. */
static bool read_path_and_query(struct http_request_head *head, struct slice target, struct verdict *v) {
    const char *mark = memchr(target.data, '?', target.size);
    head->has_query = mark != NULL;
    head->path = (struct slice){target.data, mark ? (size_t)(mark - target.data) : target.size};
    head->query = mark ? (struct slice){mark + 1, target.size - head->path.size - 1} : (struct slice){target.data + target.size, 0};
    if (!all(head->path, PATH) || !all(head->query, QUERY))
        return refuse(v, 400, "the request target holds a character that must be escaped");
    const char *end = target.data + target.size;
    for (const char *p = target.data; (p = memchr(p, '%', (size_t)(end - p))); p++)
        if (end - p < 3 || !is(p[1], HEX) || !is(p[2], HEX)) return refuse(v, 400, "the request target holds a broken escape");
    if (head->path.size == 0) head->path = (struct slice){"/", 1};
    return true;
}

/* authority: that of an absolute-form target, or empty. */
static bool read_target(struct http_request_head *head, struct slice target, struct slice *authority, struct verdict *v) {
    *authority = (struct slice){NULL, 0};
    if (target.size > REQUEST_TARGET_MAX) return refuse(v, 414, "the request target is too long");
    if (target.size && target.data[0] == '/') return read_path_and_query(head, target, v);
    size_t scheme = 0;
    if (target.size > 7 && strncasecmp(target.data, "http://", 7) == 0)
        scheme = 7;
    else if (target.size > 8 && strncasecmp(target.data, "https://", 8) == 0)
        scheme = 8;
    if (!scheme) return refuse(v, 400, "the request target has a form that is not served");
    struct slice rest = {target.data + scheme, target.size - scheme};
    size_t size = 0;
    while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?')
        size++;
    *authority = (struct slice){rest.data, size};
    return read_path_and_query(head, (struct slice){rest.data + size, rest.size - size}, v);
}

static bool read_request_line(struct http_request_head *head, struct slice line, struct slice *authority, struct verdict *v) {
    struct slice target;
    if (!cut_word(&line, &head->method_name) || !cut_word(&line, &target)) return refuse(v, 400, "the request line is malformed");
    if (head->method_name.size == 0 || head->method_name.size > 32 || !all(head->method_name, TOKEN))
        return refuse(v, 400, "the method is malformed");
    if (!read_version(line, v)) return false;
    if (slice_equals(head->method_name, "CONNECT")) return refuse(v, 501, "CONNECT is not served");
    head->method = method_of(head->method_name);
    return read_target(head, target, authority, v);
}

/* ---- header fields ---- */

static struct slice trimmed(struct slice s) {
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
        s.data++, s.size--;
    while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static bool read_port(struct slice s, uint32_t *port) {
    if (s.size < 1 || s.size > 5) return false;
    *port = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return false;
        *port = *port * 10 + (uint32_t)(s.data[i] - '0');
    }
    return *port >= 1 && *port <= 65535;
}

/* host [":" port]; the host a name, an IPv4 address or an IPv6 one in brackets. */
static bool read_host(struct http_request_head *head, struct slice value, struct verdict *v) {
    size_t size = 0;
    bool good = value.size > 0;
    if (good && value.data[0] == '[') {
        for (size = 1; size < value.size && (is(value.data[size], HEX) || value.data[size] == ':' || value.data[size] == '.');)
            size++;
        good = size > 2 && size < value.size && value.data[size] == ']';
        size += good;
    } else {
        while (size < value.size && is(value.data[size], NAME))
            size++;
        good = size > 0;
    }
    head->host = (struct slice){value.data, size};
    if (good && size < value.size)
        good = value.data[size] == ':' && read_port((struct slice){value.data + size + 1, value.size - size - 1}, &head->port);
    return (good && size <= HOST_MAX + 2) || refuse(v, 400, "the Host field is malformed");
}

/* Not RFC 9110's list "5, 5", no sign, no leading zero: what two readers could take for two numbers is refused. */
static bool read_length(struct http_request_head *head, struct slice value, struct verdict *v) {
    bool good = value.size > 0 && !(value.size > 1 && value.data[0] == '0');
    uint64_t n = 0;
    for (size_t i = 0; good && i < value.size; i++) {
        good = value.data[i] >= '0' && value.data[i] <= '9';
        if (i < 18) n = n * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (!good) return refuse(v, 400, "the Content-Length is malformed");
    if (value.size > 18) return refuse(v, 413, "the body is too large");
    head->has_length = true;
    head->content_length = n;
    return true;
}

static bool read_connection(struct http_request_head *head, struct slice value, struct verdict *v) {
    while (value.size) {
        const char *comma = memchr(value.data, ',', value.size);
        size_t size = comma ? (size_t)(comma - value.data) : value.size;
        struct slice option = trimmed((struct slice){value.data, size});
        if (!all(option, TOKEN)) return refuse(v, 400, "the Connection field is malformed");
        if (slice_equals_nocase(option, "close")) head->keep_alive = false;
        size += comma != NULL;
        value.data += size;
        value.size -= size;
    }
    return true;
}

/* Fields of which a request has one at most: two readers could each take another. */
enum single { ONE_HOST, ONE_LENGTH, ONE_CODING, ONE_EXPECT, ONE_TYPE, ONE_AUTHORIZATION, ONE_COOKIE, ONE_ORIGIN, SINGLES };
static const char *const single_name[SINGLES] = {"host",   "content-length", "transfer-encoding", "expect", "content-type", "authorization",
                                                 "cookie", "origin"};

static bool read_single(struct http_request_head *head, enum single which, struct slice value, struct verdict *v) {
    switch (which) {
    case ONE_HOST:
        return read_host(head, value, v);
    case ONE_LENGTH:
        return read_length(head, value, v);
    case ONE_CODING:
        head->chunked = true;
        return slice_equals_nocase(value, "chunked") || refuse(v, 501, "the only transfer coding served is chunked");
    case ONE_EXPECT:
        head->expect_continue = true;
        return slice_equals_nocase(value, "100-continue") || refuse(v, 417, "the only expectation served is 100-continue");
    default:
        return true;
    }
}

static bool read_field(struct http_request_head *head, struct slice line, unsigned *seen, struct verdict *v) {
    if (line.data[0] == ' ' || line.data[0] == '\t') return refuse(v, 400, "a header field is folded");
    size_t size = 0;
    while (size < line.size && is(line.data[size], TOKEN))
        size++;
    if (size == 0 || size == line.size || line.data[size] != ':') return refuse(v, 400, "a header field is malformed");
    struct http_header field = {{line.data, size}, trimmed((struct slice){line.data + size + 1, line.size - size - 1})};
    if (!all(field.value, FIELD)) return refuse(v, 400, "a header field holds a control character");
    if (head->header_count == REQUEST_HEADERS_MAX) return refuse(v, 431, "there are too many header fields");
    head->header[head->header_count++] = field;
    if (size == 10 && slice_equals_nocase(field.name, "connection")) return read_connection(head, field.value, v);
    for (unsigned i = 0; i < SINGLES; i++) {
        if ((line.data[0] | 0x20) != single_name[i][0] || !slice_equals_nocase(field.name, single_name[i])) continue;
        if (*seen & 1u << i) return refuse(v, 400, "a header field that must be single came twice");
        *seen |= 1u << i;
        return read_single(head, i, field.value, v);
    }
    return true;
}

/* What can be told only when all fields are read. */
static bool check_whole(const struct http_request_head *head, struct slice authority, struct verdict *v) {
    if (head->host.size == 0) return refuse(v, 400, "the Host field is missing");
    if (head->chunked && head->has_length) return refuse(v, 400, "both Content-Length and Transfer-Encoding came");
    if (!authority.data) return true;
    struct http_request_head other = {.port = 0};
    if (!read_host(&other, authority, v)) return refuse(v, 400, "the request target's authority is malformed");
    if (!same_nocase(other.host, head->host) || other.port != head->port)
        return refuse(v, 400, "the request target names another host than the Host field");
    return true;
}

enum http_result http_read_head(const char *bytes, size_t size, struct http_request_head *head, size_t *used, int *status,
                                const char **why) {
    struct verdict v = {400, "a line ends without CR LF"};
    struct slice authority = {NULL, 0};
    size_t window = size < REQUEST_HEAD_MAX ? size : REQUEST_HEAD_MAX, at = 0;
    unsigned seen = 0, lines = 0;
    *used = 0;
    memset(head, 0, offsetof(struct http_request_head, header));
    head->header_count = 0;
    head->chunked = head->has_length = head->expect_continue = false;
    head->content_length = 0;
    head->keep_alive = true;
    if (size >= 2 && memcmp(bytes, "\r\n", 2) == 0) at = 2;
    for (const char *lf; at < window && (lf = memchr(bytes + at, '\n', window - at)); lines++) {
        struct slice line = {bytes + at, (size_t)(lf - bytes) - at};
        if (line.size == 0 || line.data[--line.size] != '\r') goto refused;
        at += line.size + 2;
        if (lines == 0 ? !read_request_line(head, line, &authority, &v) : line.size && !read_field(head, line, &seen, &v)) goto refused;
        if (lines && line.size == 0) {
            if (!check_whole(head, authority, &v)) goto refused;
            *used = at;
            return HTTP_COMPLETE;
        }
    }
    if (lines == 0 && window - at > REQUEST_TARGET_MAX + 64) {
        refuse(&v, 414, "the request line is too long");
        goto refused;
    }
    if (size < REQUEST_HEAD_MAX) return HTTP_MORE;
    refuse(&v, 431, "the header fields are too large");
refused:
    *status = v.status;
    *why = v.why;
    return HTTP_REFUSED;
}

const struct slice *http_header_find(const struct http_request_head *head, const char *name) {
    for (size_t i = 0; i < head->header_count; i++)
        if ((head->header[i].name.data[0] ^ name[0]) % 0x20 == 0 && slice_equals_nocase(head->header[i].name, name))
            return &head->header[i].value;
    return NULL;
}

/* ---- chunked bodies ---- */

enum { CHUNK_EXTENSION_MAX = 256 };
/* A chunk's size line has its count of digits added to CHUNK_SIZE. */
enum chunk_phase {
    CHUNK_SIZE = 0,
    CHUNK_EXTENSION = 9,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_START,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE
};

static unsigned hex_value(char c) { return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10); }

/* One byte of a size line: 1*8HEXDIG [";" extension] CR LF, without white space before ';' or CR. */
static bool size_byte(struct http_chunks *s, char c, struct verdict *v) {
    if (s->phase == CHUNK_SIZE_LF) {
        s->trailer_bytes = 0;
        s->phase = s->left ? CHUNK_DATA : CHUNK_TRAILER_START;
        return c == '\n' || refuse(v, 400, "a chunk's size line ends without CR LF");
    }
    if (s->phase == CHUNK_EXTENSION) {
        if (c == '\r')
            s->phase = CHUNK_SIZE_LF;
        else if (!is(c, FIELD) || ++s->trailer_bytes > CHUNK_EXTENSION_MAX)
            return refuse(v, 400, "a chunk's extension is malformed or too long");
        return true;
    }
    if (is(c, HEX) && s->phase < CHUNK_SIZE + 8) {
        s->left = s->left << 4 | hex_value(c);
        s->phase++;
        return true;
    }
    if (s->phase == CHUNK_SIZE || (c != ';' && c != '\r')) return refuse(v, 400, "a chunk's size is malformed");
    s->phase = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return true;
}

/* One byte of the trailer section, whose fields are read as strictly as the others and then dropped. */
static bool trailer_byte(struct http_chunks *s, char c, struct verdict *v) {
    if (++s->trailer_bytes > REQUEST_HEAD_MAX) return refuse(v, 431, "the trailer section is too large");
    switch (s->phase) {
    case CHUNK_TRAILER_START:
        s->phase = c == '\r' ? CHUNK_END_LF : CHUNK_TRAILER_NAME;
        return c == '\r' || is(c, TOKEN) || refuse(v, 400, "a trailer field is malformed");
    case CHUNK_TRAILER_NAME:
        if (c == ':') s->phase = CHUNK_TRAILER_VALUE;
        return c == ':' || is(c, TOKEN) || refuse(v, 400, "a trailer field is malformed");
    case CHUNK_TRAILER_VALUE:
        if (c == '\r') s->phase = CHUNK_TRAILER_LF;
        return c == '\r' || is(c, FIELD) || refuse(v, 400, "a trailer field holds a control character");
    default: /* CHUNK_TRAILER_LF, CHUNK_END_LF */
        s->phase = s->phase == CHUNK_END_LF ? CHUNK_DONE : CHUNK_TRAILER_START;
        return c == '\n' || refuse(v, 400, "a trailer line ends without CR LF");
    }
}

enum http_result http_read_chunk(struct http_chunks *state, const char *bytes, size_t size, size_t *used, struct slice *piece, int *status,
                                 const char **why) {
    struct verdict v = {400, NULL};
    size_t at = 0;
    *piece = (struct slice){bytes, 0};
    while (at < size && state->phase != CHUNK_DONE) {
        bool good = true;
        if (state->phase == CHUNK_DATA) {
            size_t take = size - at < state->left ? size - at : (size_t)state->left;
            *piece = (struct slice){bytes + at, take};
            at += take;
            state->left -= take;
            if (state->left == 0) state->phase = CHUNK_DATA_CR;
            break;
        }
        char c = bytes[at++];
        if (state->phase == CHUNK_DATA_CR || state->phase == CHUNK_DATA_LF) {
            good = c == (state->phase == CHUNK_DATA_CR ? '\r' : '\n') || refuse(&v, 400, "a chunk is longer than its size");
            state->phase = state->phase == CHUNK_DATA_CR ? CHUNK_DATA_LF : CHUNK_SIZE;
        } else {
            good = state->phase < CHUNK_DATA ? size_byte(state, c, &v) : trailer_byte(state, c, &v);
        }
        if (!good) {
            *status = v.status;
            *why = v.why;
            return HTTP_REFUSED;
        }
    }
    *used = at;
    return state->phase == CHUNK_DONE ? HTTP_COMPLETE : HTTP_MORE;
}

/* ---- escapes and queries ---- */

bool http_percent_decode(struct slice s, bool plus_is_space, char *out, size_t room) {
    size_t n = 0;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (c == '%') {
            if (s.size - i < 3 || !is(s.data[i + 1], HEX) || !is(s.data[i + 2], HEX)) return false;
            c = (char)(hex_value(s.data[i + 1]) << 4 | hex_value(s.data[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0' || n + 1 >= room) return false;
        out[n++] = c;
    }
    if (room == 0) return false;
    out[n] = '\0';
    return text_is_utf8(out, n);
}

bool http_query_next(struct slice *rest, struct slice *name, struct slice *value) {
    while (rest->size && rest->data[0] == '&')
        rest->data++, rest->size--;
    if (rest->size == 0) return false;
    const char *end = memchr(rest->data, '&', rest->size);
    struct slice pair = {rest->data, end ? (size_t)(end - rest->data) : rest->size};
    const char *equals = memchr(pair.data, '=', pair.size);
    *name = (struct slice){pair.data, equals ? (size_t)(equals - pair.data) : pair.size};
    *value = equals ? (struct slice){equals + 1, pair.size - name->size - 1} : (struct slice){pair.data + pair.size, 0};
    rest->data += pair.size;
    rest->size -= pair.size;
    return true;
}

int http_query_value(struct slice query, const char *name, char *out, size_t room) {
    struct slice key, value, found = {NULL, 0};
    char decoded[REQUEST_TARGET_MAX + 1];
    while (http_query_next(&query, &key, &value)) {
        if (!http_percent_decode(key, true, decoded, sizeof decoded)) return -1;
        if (strcmp(decoded, name) != 0) continue;
        if (found.data) return -1;
        found = value;
    }
    if (!found.data) return 0;
    return http_percent_decode(found, true, out, room) ? 1 : -1;
}

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } known[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status) return known[i].reason;
    return "Unknown";
}
