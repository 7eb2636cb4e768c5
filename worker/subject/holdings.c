#include "holdings.h"

#include "../backup/backup.h"
#include "../crm/answer.h"
#include "../crm/text.h"
#include "../provider/lines.h"
#include "../provider/notices.h"
#include "../provider/provider.h"
#include "../provider/regions.h"
#include "../support/support.h"
#include "../tenant.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <stdlib.h>
#include <string.h>

static json_t *day(uint64_t ms) { return json_time(ms / 1000); }
static json_t *words(const char *s) { return *s ? json_string(s) : json_null(); }

static json_t *registry(void) {
    const struct message_start *p = &self.profile;
    json_t *hosts = json_array();
    for (uint32_t i = 0; hosts && i < p->host_count; i++)
        json_array_append_new(hosts, json_string(p->host[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:I, s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "name", p->name, "title", p->title, "modules",
                     p->modules, "region", p->region, "hosts", hosts, "enrolled", (int)p->enrolled, "quota_bytes",
                     (json_int_t)p->quota_bytes, "created", day(p->created_ms), "contact", words(p->contact), "transferred_to",
                     words(p->entity), "contract", "end", day(p->end_ms), "term", day(p->term_ms), "returned", day(p->returned_ms));
}

static json_t *counters(void) {
    json_t *all = json_object();
    for (int c = 0; all && c < COUNTER_COUNT; c++) {
        uint64_t value = atomic_load_explicit(&self.counters->value[c], memory_order_relaxed);
        if (json_object_set_new(all, counter_table[c].name, json_integer((json_int_t)value)) == 0) continue;
        json_decref(all);
        all = NULL;
    }
    return all;
}

static json_t *elsewhere(void) {
    return json_pack("[s, s]", "the number of the group of tenants with which its usage is published, if it is",
                     "what staff ask for about it under a legal hold, until the day of the hold: then it is a line of the ledger");
}

/* All but the ledger. NULL with why. */
static json_t *without_lines(const struct session *asker, enum store_result *why) {
    json_t *support = support_json(asker, why);
    if (!support) return NULL;
    *why = STORE_MEMORY;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "registry", registry(), "counters", counters(), "notices", notices_json(),
                     "places", places_json(), "snapshots", backup_rows_json(), "support", support, "elsewhere", elsewhere());
}

/* Of the ledger all but the lines. */
static json_t *ledger(const struct lines *lines) {
    return json_pack("{s:s, s:s, s:b, s:b, s:o, s:I, s:I, s:b}", "heads", "/api/v1/provider-ledger", "read", "/api/v1/provider/ledger",
                     "consistent", (int)lines_consistent(lines), "verified", (int)lines_verified(lines), "as_of",
                     json_time((uint64_t)lines_as_of(lines)), "first", (json_int_t)lines_first(lines), "own",
                     (json_int_t)lines_count(lines), "complete", (int)(lines_first(lines) <= 1));
}

/* ---- sent line by line ---- */

struct holdings {
    struct lines *lines;
    struct lines_reader reader;
    struct text out; /* the piece in hand */
    bool any;
};

static void release(void *argument) {
    struct holdings *h = argument;
    lines_free(h->lines);
    text_free(&h->out);
    free(h);
}

/* An object that more is to follow in: without its last brace. Takes it. */
static void add_open(struct text *out, json_t *object) {
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    out->failed |= !text;
    if (text) text_add(out, text, strlen(text) - 1);
    free(text);
    json_decref(object);
}

static void add_line(void *argument, const struct ledger_line *line) {
    struct holdings *h = argument;
    json_t *o = provider_line_json(line);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    h->out.failed |= !text;
    if (h->any) text_char(&h->out, ',');
    if (text) text_string(&h->out, text);
    h->any = true;
    free(text);
    json_decref(o);
}

static int more(void *argument, struct evbuffer *out) {
    struct holdings *h = argument;
    int left = lines_read(h->lines, &h->reader, add_line, h);
    if (left == 0) text_string(&h->out, "]}}");
    if (left < 0 || h->out.failed || evbuffer_add(out, h->out.data, h->out.size) != 0) return -1;
    text_clear(&h->out);
    return left;
}

/* S10: one call tells what the provider holds about the tenant: what each part of it tells by itself, its lines of the ledger, and what no
 * worker knows */
static void answer(struct exchange *x, struct lines *lines, const struct lines_wish *wish) {
    enum store_result why = STORE_MEMORY;
    struct holdings *h = calloc(1, sizeof *h);
    json_t *all = h ? without_lines(&wish->asker, &why) : NULL;
    if (h) h->lines = lines_share(lines);
    if (!all) {
        if (h) release(h);
        answer_failure(x, why);
        return;
    }
    add_open(&h->out, all);
    text_string(&h->out, ",\"ledger\":");
    add_open(&h->out, ledger(lines));
    text_string(&h->out, ",\"items\":[");
    respond_stream(x, 200, "application/json", more, release, h);
}

void holdings_get(struct exchange *x, struct request *r) {
    static const char *const none[] = {NULL};
    if (query_known(x, r, none)) lines_wanted(x, &(struct lines_wish){.answer = answer, .asker = *r->session});
}
