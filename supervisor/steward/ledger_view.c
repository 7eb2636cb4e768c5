#include "ledger_view.h"

#include "../../policy/hex.h"
#include "../../policy/ledger_check.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

json_t *ledger_view_line(const struct ledger_line *line) {
    char hash[2 * LEDGER_HASH + 1] = {0};
    hex_write(line->hash, LEDGER_HASH, hash);
    json_t *o = json_pack("{s:I, s:f, s:o, s:s, s:o, s:s, s:I, s:s}", "count", (json_int_t)line->count, "time",
                          (double)line->time_ms / 1000, "uid", line->has_uid ? json_integer(line->uid) : json_null(), "verb", line->verb,
                          "tenant", line->tenant ? json_string(line->name) : json_null(), "result", line->result, "times",
                          (json_int_t)line->times, "hash", hash);
    if (line->number) json_object_set_new(o, "number", json_integer((json_int_t)line->number));
    if (line->note[0]) json_object_set_new(o, "note", json_string(line->note));
    return o;
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
        json_array_append_new(lines, ledger_view_line(&line));
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
    while ((found = ledger_files_after(fd, at, &place, &bytes, &line)) > 0) {
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
    off_t at = ledger_files_find(fd, from, 0, st.st_size);
    if (at < 0) return NULL;
    char *bytes = malloc(limit * LEDGER_LINE_MAX);
    ssize_t size = bytes ? ledger_files_read(fd, bytes, limit * LEDGER_LINE_MAX, at) : -1;
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
    struct ledger_files *files = &steward->ledger;
    if (files->count == 0) {
        staff_problem(r, 503, "no-ledger", NULL, "the supervisor has not opened the ledger");
        return;
    }
    errno = ENOMEM;
    size_t which = from ? ledger_files_of(files, from) : 0;
    json_t *page = ledger_view_page(files->fd[which], from, (size_t)limit);
    json_t *lines = json_object_get(page, "lines");
    if (which && json_array_size(lines) && json_is_null(json_object_get(page, "next"))) { /* it goes on in the file after it */
        const json_t *last = json_array_get(lines, json_array_size(lines) - 1);
        json_object_set_new(page, "next", json_integer(json_integer_value(json_object_get(last, "count")) + 1));
    }
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
    int fd[LEDGER_FILES_KEPT]; /* of its own: a rotation meanwhile changes nothing */
    size_t file;               /* how many are left */
    off_t at, whole;           /* how far in this one; how much there is of it */
    uint64_t told;             /* lines the supervisor spoke of at the start: fewer in the files is a cut */
    struct ledger_check check;
    char bytes[LEDGER_VIEW_STEP];
};
static unsigned walks;

static void walk_free(struct walk *w) {
    if (w->turn) event_free(w->turn);
    for (size_t i = 0; i < w->file; i++)
        close(w->fd[i]);
    ledger_check_free(&w->check);
    free(w);
    walks--;
}

static void walk_end(struct walk *w, struct staff_request *r, bool broken) {
    char head[2 * LEDGER_HASH + 1] = {0};
    const struct ledger_chain *chain = &w->check.chain;
    hex_write(chain->hash, LEDGER_HASH, head);
    uint64_t wrong = w->check.first > 1 ? 1 : broken || chain->count < w->told ? chain->count + 1 : 0; /* the first that is */
    if (r)
        staff_json(r, 200,
                   json_pack("{s:b, s:I, s:I, s:I, s:s, s:o}", "sound", !wrong, "first", (json_int_t)w->check.first, "lines",
                             (json_int_t)chain->count, "tenants", (json_int_t)w->check.own_count, "head", head, "broken_at",
                             wrong ? json_integer((json_int_t)wrong) : json_null()));
    walk_free(w);
}

/* Verifies a piece of the file that is the oldest left. 1: more is left, 0: at its end, -1: broken. */
static int walk_on(struct walk *w, size_t got) {
    size_t done = 0;
    for (;;) {
        struct ledger_line line;
        size_t used;
        enum ledger_verdict verdict = ledger_check_next(&w->check, w->bytes + done, got - done, &used, &line);
        if (verdict == LEDGER_BROKEN) return -1;
        if (verdict == LEDGER_MORE) break;
        done += used;
    }
    w->at += (off_t)done;
    if (done) return 1;
    return w->at + (off_t)got < w->whole || (w->file > 1 && got) ? -1 : 0; /* in the newest, a line being written is not there yet */
}

static bool next_file(struct walk *w) {
    struct stat st;
    close(w->fd[--w->file]);
    w->at = 0;
    if (w->file == 0 || fstat(w->fd[w->file - 1], &st) < 0) return false;
    w->whole = st.st_size;
    return true;
}

static void on_turn(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    struct walk *w = argument;
    struct staff_request *r = staff_held(w->steward->control, w->request);
    size_t want = w->whole - w->at > LEDGER_VIEW_STEP ? LEDGER_VIEW_STEP : (size_t)(w->whole - w->at);
    ssize_t got = r ? ledger_files_read(w->fd[w->file - 1], w->bytes, want, w->at) : -1;
    if (got < 0) {
        if (r) staff_problem(r, 500, "unreadable", NULL, "the ledger cannot be read");
        walk_free(w);
        return;
    }
    int more = walk_on(w, (size_t)got);
    if (more < 0 || (more == 0 && !next_file(w)))
        walk_end(w, r, more < 0);
    else
        event_active(w->turn, EV_TIMEOUT, 0);
}

/* false: an fd more than there may be. */
static bool walk_begin(struct walk *w, const struct ledger_files *files) {
    struct stat st;
    for (; w->file < files->count; w->file++)
        if ((w->fd[w->file] = fcntl(files->fd[w->file], F_DUPFD_CLOEXEC, 0)) < 0) return false;
    if (fstat(w->fd[w->file - 1], &st) < 0) return false;
    w->whole = st.st_size;
    return true;
}

void ledger_view_verify(struct steward *steward, struct staff_request *r) {
    if (steward->ledger.count == 0) {
        staff_problem(r, 503, "no-ledger", NULL, "the supervisor has not opened the ledger");
        return;
    }
    struct walk *w = walks < LEDGER_VIEW_WALKS_MAX ? calloc(1, sizeof *w) : NULL;
    if (w) walks++;
    if (w) w->turn = event_new(steward->base, -1, 0, on_turn, w);
    if (!w || !w->turn || !walk_begin(w, &steward->ledger)) {
        if (w) walk_free(w);
        staff_header(r, "Retry-After", "5");
        staff_problem(r, 503, "busy", NULL, "the ledger is being verified for others");
        return;
    }
    w->steward = steward;
    w->told = steward->has_host ? steward->host.ledger_lines : 0;
    w->request = staff_hold(r, LEDGER_VIEW_MS);
    event_active(w->turn, EV_TIMEOUT, 0);
}
