#include "ledger_view.h"

#include "../../policy/hex.h"
#include "../../policy/ledger_line.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads what there is of [at, at + size); -1 with errno. */
static ssize_t read_at(int fd, void *bytes, size_t size, off_t at) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)bytes + done, size - done, at + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* The first line that begins at or after `at`: its place, size and content. 1 found, 0 none behind, -1 with errno. */
static int line_after(int fd, off_t at, off_t *place, size_t *size, struct ledger_line *line) {
    char bytes[2 * LEDGER_LINE_MAX];
    off_t from = at > 0 ? at - 1 : 0; /* a newline right before `at` makes it a beginning */
    ssize_t got = read_at(fd, bytes, sizeof bytes, from);
    if (got < 0) return -1;
    const char *p = bytes, *end = bytes + got;
    if (at > 0) {
        p = memchr(bytes, '\n', (size_t)got);
        if (!p) return 0;
        p++;
    }
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    if (!newline) return 0;
    if (!ledger_line_parse(p, (size_t)(newline - p), line)) {
        errno = EBADMSG;
        return -1;
    }
    *place = from + (p - bytes);
    *size = (size_t)(newline - p) + 1;
    return 1;
}

/* Where line number `from` begins, or the end of the whole lines. COUNT rises by one a line, so halving finds it. -1 with errno. */
static off_t find(int fd, uint64_t from, off_t low, off_t high) {
    struct ledger_line line;
    size_t size;
    off_t place;
    while (high - low > LEDGER_LINE_MAX) {
        off_t middle = low + (high - low) / 2;
        int found = line_after(fd, middle, &place, &size, &line);
        if (found < 0) return -1;
        if (found && line.count < from)
            low = place + (off_t)size;
        else
            high = middle;
    }
    for (;;) {
        int found = line_after(fd, low, &place, &size, &line);
        if (found < 0) return -1;
        if (!found || line.count >= from) return found ? place : low;
        low = place + (off_t)size;
    }
}

static json_t *line_json(const struct ledger_line *line) {
    char hash[2 * LEDGER_HASH + 1] = {0};
    hex_write(line->hash, LEDGER_HASH, hash);
    return json_pack("{s:I, s:f, s:o, s:s, s:o, s:s, s:I, s:s}", "count", (json_int_t)line->count, "time", (double)line->time_ms / 1000,
                     "uid", line->has_uid ? json_integer(line->uid) : json_null(), "verb", line->verb, "tenant",
                     line->tenant ? json_string(line->name) : json_null(), "result", line->result, "times", (json_int_t)line->times, "hash",
                     hash);
}

/* The lines in bytes; *last = the number of the last of them. */
static json_t *lines_json(const char *bytes, size_t size, size_t limit, uint64_t *last) {
    json_t *lines = json_array();
    const char *end = bytes + size, *newline;
    for (; limit > 0 && (newline = memchr(bytes, '\n', (size_t)(end - bytes))); limit--, bytes = newline + 1) {
        struct ledger_line line;
        if (!ledger_line_parse(bytes, (size_t)(newline - bytes), &line)) {
            json_decref(lines);
            errno = EBADMSG;
            return NULL;
        }
        json_array_append_new(lines, line_json(&line));
        *last = line.count;
    }
    return lines;
}

/* The number of the last whole line; 0 = there is none. false with errno. */
static bool last_count(int fd, off_t size, uint64_t *count) {
    struct ledger_line line;
    off_t at = size > 2 * LEDGER_LINE_MAX ? size - 2 * LEDGER_LINE_MAX : 0, place;
    size_t bytes;
    int found;
    *count = 0;
    while ((found = line_after(fd, at, &place, &bytes, &line)) > 0) {
        *count = line.count;
        at = place + (off_t)bytes;
    }
    return found == 0;
}

json_t *ledger_view_page(int fd, uint64_t from, size_t limit) {
    struct stat st;
    uint64_t total, last = 0;
    if (fstat(fd, &st) < 0 || !last_count(fd, st.st_size, &total)) return NULL;
    if (from == 0) from = total > limit ? total - limit + 1 : 1;
    if (from > total) return json_pack("{s:[], s:n}", "lines", "next");
    off_t at = find(fd, from, 0, st.st_size);
    if (at < 0) return NULL;
    char *bytes = malloc(limit * LEDGER_LINE_MAX);
    ssize_t size = bytes ? read_at(fd, bytes, limit * LEDGER_LINE_MAX, at) : -1;
    json_t *lines = size < 0 ? NULL : lines_json(bytes, (size_t)size, limit, &last);
    int why = errno;
    free(bytes);
    errno = why;
    if (!lines) return NULL;
    return json_pack("{s:o, s:o}", "lines", lines, "next", last && last < total ? json_integer((json_int_t)last + 1) : json_null());
}

static bool number_of(struct slice query, const char *name, uint64_t most, uint64_t *value) {
    char text[24], *end;
    int found = http_query_value(query, name, text, sizeof text);
    if (found == 0) return true;
    if (found < 0 || text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return !*end && !errno && *value >= 1 && *value <= most;
}

void ledger_view_list(struct steward *steward, struct staff_request *r) {
    uint64_t from = 0, limit = LEDGER_VIEW_LINES;
    if (!number_of(r->head.query, "from", INT64_MAX, &from)) {
        staff_problem(r, 400, "invalid-field", "from", "the number of a line, from 1");
        return;
    }
    if (!number_of(r->head.query, "limit", LEDGER_VIEW_LINES_MAX, &limit)) {
        staff_problem(r, 400, "invalid-field", "limit", "1 to 1000 lines");
        return;
    }
    if (steward->ledger < 0) {
        staff_problem(r, 503, "no-ledger", NULL, "the supervisor has not opened the ledger");
        return;
    }
    errno = ENOMEM;
    json_t *page = ledger_view_page(steward->ledger, from, (size_t)limit);
    if (page)
        staff_json(r, 200, page);
    else if (errno == EBADMSG)
        staff_problem(r, 500, "damaged", NULL, "a line is damaged: verify the ledger");
    else
        staff_problem(r, 500, "unreadable", NULL, "the ledger cannot be read");
}

/* ---- a walk along the whole chain, a step a turn ---- */

struct walk {
    struct steward *steward;
    uint64_t request;
    struct event *turn;
    off_t at, whole; /* how far; how much there was at the start */
    uint64_t told;   /* lines the supervisor spoke of at the start: fewer in the file is a cut */
    struct ledger_chain chain;
    char bytes[LEDGER_VIEW_STEP];
};
static unsigned walks;

static void walk_end(struct walk *w, struct staff_request *r, bool broken) {
    char head[2 * LEDGER_HASH + 1] = {0};
    hex_write(w->chain.hash, LEDGER_HASH, head);
    broken = broken || w->chain.count < w->told;
    if (r)
        staff_json(r, 200,
                   json_pack("{s:b, s:I, s:s, s:o}", "sound", !broken, "lines", (json_int_t)w->chain.count, "head", head, "broken_at",
                             broken ? json_integer((json_int_t)w->chain.count + 1) : json_null()));
    event_free(w->turn);
    free(w);
    walks--;
}

static void on_turn(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    struct walk *w = argument;
    struct staff_request *r = staff_held(w->steward->control, w->request);
    size_t want = w->whole - w->at > LEDGER_VIEW_STEP ? LEDGER_VIEW_STEP : (size_t)(w->whole - w->at), done = 0;
    ssize_t got = r ? read_at(w->steward->ledger, w->bytes, want, w->at) : -1;
    if (got < 0) {
        if (r) staff_problem(r, 500, "unreadable", NULL, "the ledger cannot be read");
        walk_end(w, NULL, false);
        return;
    }
    for (;;) {
        struct ledger_line line;
        size_t used;
        enum ledger_verdict verdict = ledger_chain_next(&w->chain, w->bytes + done, (size_t)got - done, &used, &line);
        if (verdict == LEDGER_BROKEN) {
            walk_end(w, r, true);
            return;
        }
        if (verdict == LEDGER_MORE) break;
        done += used;
    }
    w->at += (off_t)done;
    if (done == 0)
        walk_end(w, r, w->at + got < w->whole); /* the end; a line being written is not there yet */
    else
        event_active(w->turn, EV_TIMEOUT, 0);
}

void ledger_view_verify(struct steward *steward, struct staff_request *r) {
    struct stat st;
    if (steward->ledger < 0 || fstat(steward->ledger, &st) < 0) {
        staff_problem(r, 503, "no-ledger", NULL, "the supervisor has not opened the ledger");
        return;
    }
    struct walk *w = walks < LEDGER_VIEW_WALKS_MAX ? calloc(1, sizeof *w) : NULL;
    if (w) w->turn = event_new(steward->base, -1, 0, on_turn, w);
    if (!w || !w->turn) {
        free(w);
        staff_header(r, "Retry-After", "5");
        staff_problem(r, 503, "busy", NULL, "the ledger is being verified for others");
        return;
    }
    walks++;
    w->steward = steward;
    w->whole = st.st_size;
    w->told = steward->has_host ? steward->host.ledger_lines : 0;
    w->request = staff_hold(r, LEDGER_VIEW_MS);
    event_active(w->turn, EV_TIMEOUT, 0);
}
