#include "provider.h"

#include "../policy/chain.h"
#include "../policy/hex.h"
#include "../policy/ledger_line.h"
#include "crm/answer.h"
#include "journal.h"
#include "tenant.h"
#include "uplink.h"
#include "web/fields.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT = 100, LIMIT_MAX = 500, WAITING_MAX = 16, WAIT_S = 20, PIECE = 32768, ITEMS_MAX = 500 };

/* As stored in STORE_SETTINGS: fixed size, host byte order, sealed like every value. */
static const uint8_t record_id[ID_BYTES] = "provider-own";
struct seen {
    struct ledger_own own;   /* the end of the chain when it was looked at last */
    uint64_t contradictions; /* ever found */
};

/* Those who asked and wait for the lines. */
static struct {
    uint64_t exchange; /* 0 = free */
    uint64_t from, limit;
    bool disclosures;
} waiting[WAITING_MAX];
static uint64_t asked_from; /* 0 = nothing is asked for */
static struct event *late;

static enum store_result seen_read(struct seen *seen) {
    const uint8_t *value;
    size_t size;
    uint64_t version;
    enum store_result result = store_get(self.store, STORE_SETTINGS, record_id, &value, &size, &version);
    memset(seen, 0, sizeof *seen);
    if (result == STORE_MISSING) return STORE_OK;
    if (result == STORE_OK && size != sizeof *seen) result = STORE_BROKEN;
    if (result == STORE_OK) memcpy(seen, value, sizeof *seen);
    return result;
}

/* On the disk, or counted: a full store closes nobody out. */
static void seen_keep(const struct seen *seen) {
    uint64_t version;
    enum store_result result = store_put(self.store, STORE_SETTINGS, record_id, seen, sizeof *seen, STORE_ANY, &version);
    if (result == STORE_OK) result = exchange_commit();
    if (result != STORE_OK) count(COUNTER_store_refusals, 1);
}

static void contradicted(struct seen *seen, uint64_t line) {
    gauge(COUNTER_ledger_state, 2);
    if (seen->contradictions++) return; /* told already */
    seen_keep(seen);
    journal_tell(JOURNAL_ledger_contradicted, NULL, json_pack("{s:I}", "line", (json_int_t)line));
}

/* ---- the lines ---- */

/* A walk along what came, line by line. each: NULL, or called for every line. */
struct walk {
    int fd;
    uint64_t size;
    struct ledger_own own; /* as far as it has come */
    uint64_t wrong;        /* own number of the first line that is wrong; 0 = none */
    void (*each)(void *, const struct ledger_line *);
    void *argument;
};

/* A line against the one before, and against the ends that are known. */
static bool line_fits(struct walk *w, const struct ledger_line *line, const struct seen *seen) {
    const struct message_start *told = &self.profile;
    if (line->tenant != told->head.tenant) return false;
    if (w->own.count == 0 && line->own_count > 1) { /* asked for from the middle */
        w->own = (struct ledger_own){.count = line->own_count - 1, .at = line->own_last};
        memcpy(w->own.hash, line->own_previous, LEDGER_HASH);
    }
    if (!ledger_own_next(&w->own, line)) return false;
    if (line->own_count == seen->own.count && memcmp(line->hash, seen->own.hash, LEDGER_HASH) != 0) return false;
    return line->own_count != told->own_count || memcmp(line->hash, told->own_head, LEDGER_HASH) == 0;
}

/* The lines in bytes; how many of them were whole lines, or -1: one is wrong. */
static ssize_t walk_piece(struct walk *w, const char *bytes, size_t size, const struct seen *seen) {
    size_t at = 0;
    for (const char *end; (end = memchr(bytes + at, '\n', size - at)); at = (size_t)(end - bytes) + 1) {
        struct ledger_line line;
        bool fits = ledger_line_parse(bytes + at, (size_t)(end - bytes) - at, &line) && line_fits(w, &line, seen);
        if (!fits) w->wrong = w->own.count + 1;
        if (!fits) return -1;
        if (w->each) w->each(w->argument, &line);
    }
    return (ssize_t)at;
}

/* false: it cannot be read, or there is no memory. What is wrong stands in w->wrong. */
static bool walk(struct walk *w, const struct seen *seen) {
    char *piece = malloc(PIECE);
    uint64_t at = 0;
    ssize_t used = 1;
    bool fine = piece;
    while (fine && used > 0 && at < w->size) {
        size_t want = w->size - at < PIECE ? (size_t)(w->size - at) : PIECE;
        fine = pread(w->fd, piece, want, (off_t)at) == (ssize_t)want;
        if (fine) used = walk_piece(w, piece, want, seen);
        if (used > 0) at += (uint64_t)used;
    }
    if (fine && used == 0) w->wrong = w->own.count + 1; /* a piece without a line */
    free(piece);
    /* It must reach as far as was seen, and as far as the supervisor said. */
    uint64_t least = seen->own.count > self.profile.own_count ? seen->own.count : self.profile.own_count;
    if (fine && !w->wrong && w->own.count < least) w->wrong = w->own.count + 1;
    return fine;
}

/* ---- answers ---- */

struct page {
    json_t *items;
    uint64_t from, limit;
    bool disclosures;
};

static void page_line(void *argument, const struct ledger_line *line) {
    struct page *p = argument;
    char hash[2 * LEDGER_HASH + 1] = "";
    bool wanted =
        p->disclosures ? strcmp(line->verb, "disclosure") == 0 : line->own_count >= p->from && line->own_count - p->from < p->limit;
    if (!wanted || json_array_size(p->items) >= ITEMS_MAX) return;
    hex_write(line->hash, LEDGER_HASH, hash);
    json_t *o = json_pack("{s:I, s:I, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:s}", "line", (json_int_t)line->own_count, "count",
                          (json_int_t)line->count, "time", json_time(line->time_ms / 1000), "uid",
                          line->has_uid ? json_integer(line->uid) : json_null(), "verb", line->verb, "result", line->result, "times",
                          (json_int_t)line->times, "number", line->number ? json_integer((json_int_t)line->number) : json_null(), "note",
                          line->note[0] ? json_string(line->note) : json_null(), "hash", hash);
    json_array_append_new(p->items, o);
}

static void answer_page(struct exchange *x, struct walk *w, struct page *page, const struct seen *seen) {
    struct seen none = {0}; /* the lines are shown as they are; whether they fit has been found out before */
    uint64_t count = w->own.count;
    if (page->from == 0) page->from = count > page->limit ? count - page->limit + 1 : 1;
    page->items = json_array();
    *w = (struct walk){.fd = w->fd, .size = w->size, .each = page_line, .argument = page};
    walk(w, &none);
    bool consistent = seen->contradictions == 0, more = !page->disclosures && page->from + page->limit <= count;
    json_t *next = more ? json_integer((json_int_t)page->from + (json_int_t)page->limit) : json_null();
    if (page->disclosures)
        respond_json(x, 200, json_pack("{s:b, s:o}", "consistent", consistent, "items", page->items));
    else
        respond_json(
            x, 200,
            json_pack("{s:b, s:I, s:o, s:o}", "consistent", consistent, "count", (json_int_t)count, "items", page->items, "next", next));
    if (page->disclosures) json_decref(next);
}

/* w NULL: the lines cannot be had. */
static void answer_all(struct walk *w, const struct seen *seen) {
    for (int i = 0; i < WAITING_MAX; i++) {
        struct exchange *x = waiting[i].exchange ? exchange_held(waiting[i].exchange) : NULL;
        struct page page = {.from = waiting[i].from, .limit = waiting[i].limit, .disclosures = waiting[i].disclosures};
        waiting[i].exchange = 0;
        struct walk again = w ? *w : (struct walk){0};
        if (x && w && seen)
            answer_page(x, &again, &page, seen);
        else if (x)
            respond_problem(x, 503, "try-again", "The provider's ledger cannot be read now; try again.", NULL, 0);
    }
}

/* ---- asking ---- */

static void on_late(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    asked_from = 0;
    answer_all(NULL, NULL);
}

static void ask(uint64_t from) {
    const struct timeval wait = {.tv_sec = WAIT_S};
    asked_from = from;
    if (!late) late = evtimer_new(self.base, on_late, NULL);
    if (late) event_add(late, &wait);
    uplink_want_ledger(from);
}

static bool somebody_waits(void) {
    for (int i = 0; i < WAITING_MAX; i++)
        if (waiting[i].exchange) return true;
    return false;
}

/* Looks at what came; false: nothing can be said. */
/* S11: the tenant checks its own lines of the ledger against the end that it has sealed */
static bool look(struct walk *w, struct seen *seen) {
    if (!self.keys || seen_read(seen) != STORE_OK || !walk(w, seen)) return false;
    if (w->wrong)
        contradicted(seen, w->wrong);
    else if (w->own.count > seen->own.count) {
        seen->own = w->own;
        seen_keep(seen);
    }
    return true;
}

void provider_lines(int fd, uint64_t size) {
    struct seen seen;
    struct walk w = {.fd = fd, .size = size};
    uint64_t from = asked_from;
    asked_from = 0;
    if (late) event_del(late);
    bool looked = fd >= 0 && look(&w, &seen);
    if (looked && from > 1 && somebody_waits())
        ask(1); /* they want the whole */
    else
        answer_all(looked ? &w : NULL, &seen);
    if (fd >= 0) close(fd);
}

void provider_unsealed(void) {
    struct seen seen;
    const struct message_start *told = &self.profile;
    if (seen_read(&seen) != STORE_OK) return;
    bool same = told->own_count == seen.own.count && memcmp(told->own_head, seen.own.hash, LEDGER_HASH) == 0;
    if (seen.contradictions) gauge(COUNTER_ledger_state, 2);
    if (told->own_count < seen.own.count || (told->own_count == seen.own.count && !same))
        contradicted(&seen, told->own_count + 1);
    else if (!same && !asked_from)
        ask(seen.own.count ? seen.own.count : 1);
}

/* ---- routes ---- */

static void wait_for_lines(struct exchange *x, uint64_t from, uint64_t limit, bool disclosures) {
    int i = 0;
    while (i < WAITING_MAX && waiting[i].exchange && exchange_held(waiting[i].exchange))
        i++;
    if (i == WAITING_MAX || self.profile.own_count == 0) {
        respond_problem(x, 503, "try-again", "The provider's ledger cannot be read now; try again.", NULL, 0);
        return;
    }
    waiting[i].exchange = exchange_hold(x);
    waiting[i].from = from;
    waiting[i].limit = limit;
    waiting[i].disclosures = disclosures;
    if (!asked_from) ask(1);
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
    uint64_t from = 0, limit = LIMIT;
    if (!query_known(x, r, known) || !read_number(x, r, "from", INT64_MAX, &from) || !read_number(x, r, "limit", LIMIT_MAX, &limit)) return;
    wait_for_lines(x, from, limit, false);
}

void provider_disclosures(struct exchange *x, struct request *r) {
    (void)r;
    wait_for_lines(x, 1, ITEMS_MAX, true);
}
