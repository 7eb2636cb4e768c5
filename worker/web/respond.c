/* Answers: heads, problems, and where their bytes go, at once or behind the commit. */
#include "../tenant.h"
#include "exchange.h"
#include "rollback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { SCRATCH = 32768, HEAD_ROOM = ANSWER_HEADERS_MAX + ROLLBACK_FIELD + 1536, NO_LENGTH = -1, CHUNKED = -2 };

static const char common_headers[] = "Strict-Transport-Security: max-age=63072000\r\n"
                                     "X-Content-Type-Options: nosniff\r\n"
                                     "Referrer-Policy: no-referrer\r\n"
                                     "Cross-Origin-Resource-Policy: same-origin\r\n"
                                     "Cross-Origin-Opener-Policy: same-origin\r\n"
                                     "Cross-Origin-Embedder-Policy: require-corp\r\n";
static const char no_store[] = "Cache-Control: no-store\r\n";
static const char no_content[] = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";
static const char exhausted[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";

/* In the arena, as all that ever holds a tenant's bytes. */
static char *scratch;

bool respond_start(void) {
    if (!scratch) scratch = malloc(SCRATCH);
    return scratch != NULL;
}

/* ---- counting ---- */

void answer_count(uint16_t status, uint64_t started_us) {
    static const enum counter class[] = {COUNTER_requests_1xx, COUNTER_requests_2xx, COUNTER_requests_3xx, COUNTER_requests_4xx,
                                         COUNTER_requests_5xx};
    uint64_t took = clock_us() - started_us;
    count(class[status / 100 - 1], 1);
    if (took <= 1000) count(COUNTER_latency_1ms, 1);
    if (took <= 10000) count(COUNTER_latency_10ms, 1);
    if (took <= 100000) count(COUNTER_latency_100ms, 1);
    if (took <= 1000000) count(COUNTER_latency_1s, 1);
    count(COUNTER_latency_inf, 1);
    count(COUNTER_latency_sum, took);
}

/* ---- heads ---- */

struct text {
    char *p;
};

static void put(struct text *t, const char *s, size_t size) {
    memcpy(t->p, s, size);
    t->p += size;
}
#define PUT(t, literal) put((t), (literal), sizeof(literal) - 1)

static void put_number(struct text *t, uint64_t n) {
    char digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    put(t, digits + i, sizeof digits - i);
}

static void put_date(struct text *t) {
    static char line[64];
    static size_t size;
    static time_t made;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != made) {
        struct tm tm;
        gmtime_r(&now.tv_sec, &tm);
        size = strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made = now.tv_sec;
    }
    put(t, line, size);
}

/* Into scratch; returns its size, at most HEAD_ROOM. */
static size_t make_head(const struct exchange *x, int status, const char *type, int64_t length) {
    struct text t = {scratch};
    const char *reason = http_reason(status);
    PUT(&t, "HTTP/1.1 ");
    put_number(&t, (uint64_t)status);
    PUT(&t, " ");
    put(&t, reason, strlen(reason));
    PUT(&t, "\r\n");
    put_date(&t);
    if (type) {
        PUT(&t, "Content-Type: ");
        put(&t, type, strnlen(type, 128));
        PUT(&t, "\r\n");
    }
    if (length == CHUNKED) {
        PUT(&t, "Transfer-Encoding: chunked\r\n");
    } else if (length >= 0) {
        PUT(&t, "Content-Length: ");
        put_number(&t, (uint64_t)length);
        PUT(&t, "\r\n");
    }
    if (x->close) PUT(&t, "Connection: close\r\n");
    put(&t, x->extra, x->extra_size);
    t.p += rollback_field(x, t.p);
    put(&t, common_headers, sizeof common_headers - 1);
    if (!x->own_cache) PUT(&t, no_store);
    if (!x->own_policy) PUT(&t, no_content);
    PUT(&t, "\r\n");
    return (size_t)(t.p - scratch);
}

/* ---- where the bytes go ---- */

/* Once something in this turn is written and not yet on the disk, every answer waits for the commit: what it says may never have been. */
static bool must_wait(const struct connection *c) { return c->held_count > 0 || (self.store && store_dirty(self.store)); }

static bool wrote(const struct exchange *x) {
    return x->head.method != HTTP_GET && x->head.method != HTTP_HEAD && x->head.method != HTTP_OPTIONS;
}

/* The buffer for this answer; NULL: out of memory. */
static struct evbuffer *answer_buffer(struct exchange *x, int status) {
    struct connection *c = x->connection;
    if (!must_wait(c)) {
        answer_count((uint16_t)status, x->started_us);
        return c->out;
    }
    if (!c->held) c->held = evbuffer_new();
    if (!c->held) return NULL;
    c->answer[c->held_count++] = (struct held_answer){
        .started_us = x->started_us, .status = (uint16_t)status, .wrote = wrote(x), .head_only = x->head_only, .close = x->close};
    connection_at_turn_end(c);
    return c->held;
}

static void fail(struct exchange *x) {
    count(COUNTER_out_of_memory, 1);
    connection_close(x->connection);
}

/* The rest of a short body is read and dropped; before a longer one, or one of unknown length, the connection ends. */
static bool body_stands_in_the_way(const struct exchange *x) {
    if (x->body_done) return false;
    return x->chunked || x->body_left > DISCARD_MAX || (x->wants_continue && !x->continued);
}

/* The answer's end, whatever its form. false: there was one already, which is our bug; the connection ends. */
static bool settle(struct exchange *x) {
    if (x->responded) {
        connection_close(x->connection);
        return false;
    }
    x->responded = true;
    if (connections_draining() || body_stands_in_the_way(x)) x->close = true;
    if (!x->connection->busy) connection_resume(x->connection);
    return true;
}

static bool has_no_body(int status) { return status == 204 || status == 304; }

/* Small answers go as one piece; larger bodies are moved behind their head. */
static void answer(struct exchange *x, int status, const char *type, const void *bytes, size_t size, struct evbuffer *body) {
    if (!settle(x)) return;
    struct evbuffer *to = answer_buffer(x, status);
    bool bodiless = has_no_body(status);
    size_t head = make_head(x, status, bodiless ? NULL : type, bodiless ? NO_LENGTH : (int64_t)size);
    bool with_body = !bodiless && !x->head_only && size > 0, good = to != NULL;
    if (good && with_body && bytes && size <= SCRATCH - HEAD_ROOM) {
        memcpy(scratch + head, bytes, size);
        good = evbuffer_add(to, scratch, head + size) == 0;
    } else if (good) {
        good = evbuffer_add(to, scratch, head) == 0;
        if (good && with_body) good = bytes ? evbuffer_add(to, bytes, size) == 0 : evbuffer_add_buffer(to, body) == 0;
    }
    if (!good) fail(x);
}

void respond_bytes(struct exchange *x, int status, const char *type, const void *bytes, size_t size) {
    if (x->broken)
        respond_problem(x, 500, "answer-too-large", "The answer's header fields do not fit.", NULL, 0);
    else
        answer(x, status, type, bytes, size, NULL);
}

void respond_buffer(struct exchange *x, int status, const char *type, struct evbuffer *body) {
    if (x->broken)
        respond_problem(x, 500, "answer-too-large", "The answer's header fields do not fit.", NULL, 0);
    else
        answer(x, status, type, NULL, evbuffer_get_length(body), body);
}

void respond_empty(struct exchange *x, int status) { respond_bytes(x, status, NULL, NULL, 0); }

void respond_json(struct exchange *x, int status, json_t *body) {
    size_t size = body ? json_dumpb(body, NULL, 0, JSON_COMPACT) : 0;
    char *text = size ? malloc(size) : NULL;
    if (text && json_dumpb(body, text, size, JSON_COMPACT) == size) {
        respond_bytes(x, status, "application/json", text, size);
    } else {
        count(COUNTER_out_of_memory, 1);
        respond_problem(x, 503, "out-of-memory", "There is not enough memory now; try again.", NULL, 0);
    }
    free(text);
    json_decref(body);
}

void respond_header(struct exchange *x, const char *name, const char *value) {
    size_t name_size = strlen(name), value_size = strlen(value);
    bool clean = strpbrk(name, "\r\n: ") == NULL && strpbrk(value, "\r\n") == NULL;
    if (!clean || x->extra_size + name_size + value_size + 4 > sizeof x->extra) {
        x->broken = true;
        return;
    }
    struct text t = {x->extra + x->extra_size};
    put(&t, name, name_size);
    PUT(&t, ": ");
    put(&t, value, value_size);
    PUT(&t, "\r\n");
    x->extra_size = (size_t)(t.p - x->extra);
    x->own_cache |= strcasecmp(name, "Cache-Control") == 0;
    x->own_policy |= strcasecmp(name, "Content-Security-Policy") == 0;
}

/* ---- problems ---- */

static void put_json(struct text *t, const char *s, size_t most) {
    static const char hex[] = "0123456789abcdef";
    for (; *s && most; s++, most--) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            *t->p++ = '\\';
            *t->p++ = (char)c;
        } else if (c < 0x20) {
            PUT(t, "\\u00");
            *t->p++ = hex[c >> 4];
            *t->p++ = hex[c & 15];
        } else {
            *t->p++ = (char)c;
        }
    }
}

/* RFC 9457. The texts are cut so that the result fits 6 * (64 + 512 + 256) + 256 bytes. */
static size_t make_problem(char *out, int status, const char *type, const char *detail, const char *field, unsigned long line) {
    struct text t = {out};
    const char *reason = http_reason(status);
    PUT(&t, "{\"type\":\"");
    put_json(&t, type, 64);
    PUT(&t, "\",\"title\":\"");
    put(&t, reason, strlen(reason));
    PUT(&t, "\",\"status\":");
    put_number(&t, (uint64_t)status);
    if (detail) {
        PUT(&t, ",\"detail\":\"");
        put_json(&t, detail, 512);
        PUT(&t, "\"");
    }
    if (field) {
        PUT(&t, ",\"field\":\"");
        put_json(&t, field, 256);
        PUT(&t, "\"");
    }
    if (line) {
        PUT(&t, ",\"line\":");
        put_number(&t, line);
    }
    PUT(&t, "}");
    return (size_t)(t.p - out);
}

void respond_problem(struct exchange *x, int status, const char *type, const char *detail, const char *field, unsigned long line) {
    char text[6 * (64 + 512 + 256) + 256];
    if (x->broken) { /* what was set so far goes, so that this answer fits */
        x->broken = false;
        x->extra_size = 0;
    }
    size_t size = make_problem(text, status, type, detail, field, line);
    answer(x, status, "application/problem+json", text, size, NULL);
}

void respond_function_off(struct exchange *x, enum function f) {
    static const char format[] = "{\"type\":\"function-off\",\"title\":\"Forbidden\",\"status\":403,\"detail\":"
                                 "\"This is a use of a function that is off: an administrator switches it on.\",\"function\":\"%s\"}";
    char text[sizeof format + FUNCTION_NAME_MAX];
    int size = snprintf(text, sizeof text, format, function_table[f].name);
    respond_bytes(x, 403, "application/problem+json", text, (size_t)size);
}

void respond_exhausted(struct connection *c) {
    count(COUNTER_out_of_memory, 1);
    count(COUNTER_requests_5xx, 1);
    c->closing = true;
    if (c->held_count || evbuffer_add(c->out, exhausted, sizeof exhausted - 1) < 0) connection_close(c);
}

/* ---- streams ---- */

static void stream(struct exchange *x, int status, const char *type, int64_t length, int (*more)(void *argument, struct evbuffer *out),
                   void (*release)(void *), void *argument) {
    if (x->broken || !settle(x)) {
        if (x->broken) respond_problem(x, 500, "answer-too-large", "The answer's header fields do not fit.", NULL, 0);
        if (release) release(argument);
        return;
    }
    struct evbuffer *to = answer_buffer(x, status);
    size_t head = make_head(x, status, type, length);
    bool good = to && evbuffer_add(to, scratch, head) == 0;
    if (good && !x->head_only && length != 0) {
        x->sized = length > 0;
        x->more = more;
        x->stream_release = release;
        x->stream = argument;
        return;
    }
    if (release) release(argument);
    if (!good) fail(x);
}

void respond_stream(struct exchange *x, int status, const char *type, int (*more)(void *argument, struct evbuffer *out),
                    void (*release)(void *), void *argument) {
    stream(x, status, type, CHUNKED, more, release, argument);
}

void respond_sized(struct exchange *x, int status, const char *type, uint64_t length, int (*more)(void *argument, struct evbuffer *out),
                   void (*release)(void *), void *argument) {
    stream(x, status, type, (int64_t)length, more, release, argument);
}

bool respond_chunk(struct exchange *x, struct evbuffer *piece, bool last) {
    struct evbuffer *out = x->connection->out;
    size_t size = evbuffer_get_length(piece);
    bool good = true;
    if (x->sized) return evbuffer_add_buffer(out, piece) == 0;
    if (size)
        good = evbuffer_add_printf(out, "%zx\r\n", size) > 0 && evbuffer_add_buffer(out, piece) == 0 && evbuffer_add(out, "\r\n", 2) == 0;
    if (good && last) good = evbuffer_add(out, "0\r\n\r\n", 5) == 0;
    return good;
}

/* ---- a commit that failed ---- */

static const struct {
    int status;
    const char *type, *detail;
} failures[] = {
    [STORE_FULL] = {507, "store-full", "The space of this tenant is used up; reading and deleting go on."},
    [STORE_MEMORY] = {503, "out-of-memory", "There is not enough memory now; try again."},
    [STORE_IO] = {500, "store-failed", "The store failed."},
};

void respond_failed(struct connection *c, enum store_result result) {
    char text[1024];
    size_t which = result == STORE_FULL || result == STORE_MEMORY ? result : STORE_IO;
    evbuffer_drain(c->held, evbuffer_get_length(c->held));
    for (unsigned i = 0; i < c->held_count; i++) {
        const struct held_answer *a = &c->answer[i];
        struct exchange plain = {.connection = c, .close = a->close};
        int status = a->wrote ? failures[which].status : 503;
        size_t size = a->wrote ? make_problem(text, status, failures[which].type, failures[which].detail, NULL, 0)
                               : make_problem(text, status, "try-again", "What this answer told was not kept.", NULL, 0);
        size_t head = make_head(&plain, status, "application/problem+json", (int64_t)size);
        if (!a->head_only) memcpy(scratch + head, text, size);
        answer_count((uint16_t)status, a->started_us);
        if (a->wrote && result == STORE_FULL) count(COUNTER_store_refusals, 1);
        if (evbuffer_add(c->out, scratch, head + (a->head_only ? 0 : size)) < 0) {
            connection_close(c);
            break;
        }
    }
    c->held_count = 0;
}
