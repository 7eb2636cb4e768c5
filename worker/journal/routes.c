/* The journal as the tenant's administrators read it. */
#include "journal.h"

#include "../../policy/hex.h"
#include "../crm/answer.h"
#include "../tenant.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200, PIECE_LINES = 64, CHECK_LINES = 256, FROM_DIGITS = 19 };

/* The line as it lies there, and its hash as last member. */
static bool put_line(struct evbuffer *out, uint64_t number) {
    struct journal_line line;
    char hash[2 * JOURNAL_HASH + 1] = "";
    enum store_result result = journal_read(number, &line);
    if (result == STORE_MISSING || result == STORE_BROKEN)
        return evbuffer_add_printf(out, "{\"line\":%llu,\"damaged\":true}", (unsigned long long)number) > 0;
    if (result != STORE_OK) return false;
    hex_write(line.hash, JOURNAL_HASH, hash);
    return evbuffer_add(out, line.text, line.size - 1) == 0 && evbuffer_add_printf(out, ",\"hash\":\"%s\"}", hash) > 0;
}

/* A number from 1 on in a parameter, `otherwise` where there is none. false: answered. */
static bool read_number(struct exchange *x, const struct request *r, const char *name, size_t digits, uint64_t otherwise, uint64_t *value) {
    char text[FROM_DIGITS + 1];
    if (!query_text(x, r, name, text, sizeof text)) return false;
    *value = text[0] ? strtoull(text, NULL, 10) : otherwise;
    if (strspn(text, "0123456789") == strlen(text) && strlen(text) <= digits && (*value > 0 || !text[0])) return true;
    answer_parameter(x, name, "expected a number from 1 on");
    return false;
}

static void list(struct exchange *x, struct request *r) {
    static const char *const known[] = {"from", "limit", NULL};
    uint64_t first = journal_first_line(), last = journal_last_line(), line, limit;
    if (!query_known(x, r, known) || !read_number(x, r, "from", FROM_DIGITS, last, &line) ||
        !read_number(x, r, "limit", 3, LIMIT_DEFAULT, &limit))
        return;
    if (limit > LIMIT_MAX) {
        answer_parameter(x, "limit", "expected 1 to 200");
        return;
    }
    struct evbuffer *body = evbuffer_new();
    bool fine = body && evbuffer_add_printf(body, "{\"items\":[") > 0;
    const char *comma = "";
    if (line > last) line = last;
    for (; fine && limit && line >= first; limit--, line--, comma = ",")
        fine = evbuffer_add(body, comma, strlen(comma)) == 0 && put_line(body, line);
    if (fine && line >= first)
        fine = evbuffer_add_printf(body, "],\"next\":%llu}", (unsigned long long)line) > 0;
    else if (fine)
        fine = evbuffer_add_printf(body, "],\"next\":null}") > 0;
    if (fine)
        respond_buffer(x, 200, "application/json", body);
    else
        answer_store(x, STORE_MEMORY);
    if (body) evbuffer_free(body);
}

/* ---- the whole of it ---- */

struct export {
    uint64_t next, last;
};

static int more_lines(void *argument, struct evbuffer *out) {
    struct export *e = argument;
    uint64_t first = journal_first_line();
    if (e->next < first) e->next = first;
    for (int i = 0; i < PIECE_LINES && e->next <= e->last; i++, e->next++)
        if (!put_line(out, e->next) || evbuffer_add(out, "\n", 1) != 0) return -1;
    return e->next <= e->last;
}

static void export_lines(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    if (!query_known(x, r, none)) return;
    struct export *e = malloc(sizeof *e);
    if (!e) {
        answer_store(x, STORE_MEMORY);
        return;
    }
    journal_tell(JOURNAL_exported, r->session->user, json_pack("{s:s, s:s}", "kind", "journal", "format", "jsonl"));
    *e = (struct export){.next = journal_first_line(), .last = journal_last_line()};
    respond_header(x, "Content-Disposition", "attachment; filename=\"journal.jsonl\"");
    respond_stream(x, 200, "application/jsonl", more_lines, free, e);
}

/* Nothing leaves before the end of the walk, which takes many steps: others are served in between. */
static int more_walk(void *argument, struct evbuffer *out) {
    struct journal_walk *walk = argument;
    char hash[2 * JOURNAL_HASH + 1] = "";
    if (journal_check(walk, CHECK_LINES) != STORE_OK) return -1;
    if (!walk->done) return 1;
    hex_write(walk->hash, JOURNAL_HASH, hash);
    int written = walk->sound ? evbuffer_add_printf(out, "{\"sound\":true,\"first\":%llu,\"last\":%llu,\"hash\":\"%s\"}",
                                                    (unsigned long long)journal_first_line(), (unsigned long long)walk->next - 1, hash)
                              : evbuffer_add_printf(out, "{\"sound\":false,\"line\":%llu}", (unsigned long long)walk->next);
    return written > 0 ? 0 : -1;
}

static void verify(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    if (!query_known(x, r, none)) return;
    struct journal_walk *walk = calloc(1, sizeof *walk);
    if (walk)
        respond_stream(x, 200, "application/json", more_walk, free, walk);
    else
        answer_store(x, STORE_MEMORY);
}

const struct route journal_routes[] = {
    {HTTP_GET, "/api/v1/journal", RIGHT_ADMIN, ROUTE_NO_BODY, list},
    {HTTP_GET, "/api/v1/journal/export", RIGHT_ADMIN, ROUTE_NO_BODY, export_lines},
    {HTTP_GET, "/api/v1/journal/verify", RIGHT_ADMIN, ROUTE_NO_BODY, verify},
    {0},
};
