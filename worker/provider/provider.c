#include "provider.h"

#include "../../policy/chain.h"
#include "../../policy/hex.h"
#include "../crm/answer.h"
#include "../web/fields.h"

#include <string.h>

enum { LIMIT = 100, LIMIT_MAX = 500, DISCLOSURES_MAX = 500 };

struct page {
    json_t *items;
    uint64_t from, limit;
    bool cut; /* there were more */
};

json_t *provider_line_json(const struct ledger_line *line) {
    char hash[2 * LEDGER_HASH + 1] = "";
    hex_write(line->hash, LEDGER_HASH, hash);
    return json_pack("{s:I, s:I, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:s}", "line", (json_int_t)line->own_count, "count",
                     (json_int_t)line->count, "time", json_time(line->time_ms / 1000), "uid",
                     line->has_uid ? json_integer(line->uid) : json_null(), "verb", line->verb, "result", line->result, "times",
                     (json_int_t)line->times, "number", line->number ? json_integer((json_int_t)line->number) : json_null(), "note",
                     line->note[0] ? json_string(line->note) : json_null(), "hash", hash);
}

static void page_line(void *argument, const struct ledger_line *line) {
    struct page *p = argument;
    if (line->own_count >= p->from && line->own_count - p->from < p->limit) json_array_append_new(p->items, provider_line_json(line));
}

static void page_disclosure(void *argument, const struct ledger_line *line) {
    struct page *p = argument;
    if (strcmp(line->verb, "disclosure") != 0) return;
    p->cut = json_array_size(p->items) >= p->limit;
    if (!p->cut) json_array_append_new(p->items, provider_line_json(line));
}

/* false: answered. */
static bool fill(struct exchange *x, const struct lines *lines, struct page *page,
                 void (*each)(void *argument, const struct ledger_line *line)) {
    struct lines_reader reader = {0};
    int more;
    page->items = json_array();
    while ((more = lines_read(lines, &reader, each, page)) > 0)
        ;
    if (more == 0) return true;
    json_decref(page->items);
    lines_refuse(x);
    return false;
}

static void answer_page(struct exchange *x, struct lines *lines, const struct lines_wish *wish) {
    uint64_t count = lines_count(lines);
    struct page page = {.from = wish->from, .limit = wish->limit};
    if (page.from == 0) page.from = count > page.limit ? count - page.limit + 1 : 1;
    if (!fill(x, lines, &page, page_line)) return;
    json_t *next = page.from + page.limit <= count ? json_integer((json_int_t)page.from + (json_int_t)page.limit) : json_null();
    respond_json(x, 200,
                 json_pack("{s:b, s:b, s:o, s:I, s:I, s:o, s:o}", "consistent", (int)lines_consistent(lines), "verified",
                           (int)lines_verified(lines), "as_of", json_time((uint64_t)lines_as_of(lines)), "first",
                           (json_int_t)lines_first(lines), "count", (json_int_t)count, "items", page.items, "next", next));
}

static void answer_disclosures(struct exchange *x, struct lines *lines, const struct lines_wish *wish) {
    struct page page = {.limit = wish->limit};
    if (!fill(x, lines, &page, page_disclosure)) return;
    respond_json(x, 200,
                 json_pack("{s:b, s:b, s:o, s:b, s:o}", "consistent", (int)lines_consistent(lines), "verified", (int)lines_verified(lines),
                           "as_of", json_time((uint64_t)lines_as_of(lines)), "complete", (int)(!page.cut && lines_first(lines) <= 1),
                           "items", page.items));
}

/* A number from 1 on in a parameter; unchanged when there is none. false: answered. */
static bool read_number(struct exchange *x, const struct request *r, const char *name, uint64_t most, uint64_t *value) {
    char text[20] = "";
    if (!query_text(x, r, name, text, sizeof text)) return false;
    if (!text[0]) return true;
    if (chain_number((struct chain_field){text, strlen(text)}, most, value) && *value > 0) return true;
    answer_parameter(x, name, "expected a number from 1 on, of `limit` at most 500");
    return false;
}

void provider_ledger(struct exchange *x, struct request *r) {
    static const char *const known[] = {"from", "limit", NULL};
    struct lines_wish wish = {.answer = answer_page, .limit = LIMIT, .asker = *r->session};
    if (query_known(x, r, known) && read_number(x, r, "from", INT64_MAX, &wish.from) && read_number(x, r, "limit", LIMIT_MAX, &wish.limit))
        lines_wanted(x, &wish);
}

void provider_disclosures(struct exchange *x, struct request *r) {
    lines_wanted(x, &(struct lines_wish){.answer = answer_disclosures, .limit = DISCLOSURES_MAX, .asker = *r->session});
}
