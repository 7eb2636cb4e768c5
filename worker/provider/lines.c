#include "lines.h"

#include "../journal/journal.h"
#include "../pace.h"
#include "../tenant.h"
#include "../uplink.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WAITING_MAX = 16,
    WAIT_S = 20,
    PIECE = 32768,
    HELD_S = 60,
};

struct lines {
    unsigned users;
    int fd;
    uint64_t size, first;
    struct ledger_own end; /* of those that fit */
    bool verified, contradicted;
    time_t as_of;
};

/* As stored in STORE_SETTINGS: fixed size, host byte order, sealed like every value. */
static const uint8_t record_id[ID_BYTES] = "provider-own";
struct seen {
    struct ledger_own own;   /* the end of the chain when it was looked at last */
    uint64_t contradictions; /* ever found */
};

/* Those who asked and wait for the lines. */
static struct {
    uint64_t exchange; /* 0 = free */
    struct lines_wish wish;
} waiting[WAITING_MAX];
static struct {
    uint64_t from; /* 0 = nothing is asked for */
    bool older;    /* the next piece of the bridge */
    uint64_t told; /* how many lines there were, as the supervisor had said by then */
    time_t when;   /* Unix time */
} asked;

/* Where the newest lines, as many as are given at once, do not reach back to the end that is sealed, the older ones are asked for, piece
 * after piece: only what is linked to that end is seen. */
static struct {
    struct ledger_own top, low; /* its newest line; the one that the next piece must end with. low.count 0 = there is no bridge */
} bridge;
static struct pace asks = {.most = OWN_LINES_PER_MINUTE / 2};
static struct lines *held; /* for a minute */
static struct event *late, *stale, *later;

/* ---- what is seen is kept ---- */

static enum store_result seen_read(struct seen *seen) {
    enum store_result result = store_get_struct(self.store, STORE_SETTINGS, record_id, seen, sizeof *seen);
    return result == STORE_MISSING ? STORE_OK : result;
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

uint64_t lines_first(const struct lines *l) { return l->first; }
uint64_t lines_count(const struct lines *l) { return l->end.count; }
bool lines_consistent(const struct lines *l) { return l->verified && !l->contradicted; }
bool lines_verified(const struct lines *l) { return l->verified; }
time_t lines_as_of(const struct lines *l) { return l->as_of; }

struct lines *lines_share(struct lines *l) {
    l->users++;
    return l;
}

void lines_free(struct lines *l) {
    if (!l || --l->users) return;
    close(l->fd);
    free(l);
}

/* How a reader gets on. */
struct step {
    struct lines_reader *reader;
    uint64_t until;                                               /* own number of the last line wanted */
    bool wrong;                                                   /* the line behind reader->own does not fit */
    bool (*each)(void *argument, const struct ledger_line *line); /* false: that one is wrong */
    void *argument;
};

/* Asked for from the middle, or cut, the first line says what comes before it. */
static bool follows(struct ledger_own *own, const struct ledger_line *line) {
    if (own->count == 0 && line->own_count > 1) {
        *own = (struct ledger_own){.count = line->own_count - 1, .at = line->own_last};
        memcpy(own->hash, line->own_previous, LEDGER_HASH);
    }
    return ledger_own_next(own, line);
}

/* The whole lines in bytes, up to one that is wrong; their size. */
static size_t step_lines(struct step *s, const char *bytes, size_t size) {
    size_t at = 0;
    for (const char *end; s->reader->own.count < s->until && (end = memchr(bytes + at, '\n', size - at)); at = (size_t)(end - bytes) + 1) {
        struct ledger_line line;
        struct ledger_own own = s->reader->own;
        s->wrong =
            !ledger_line_parse(bytes + at, (size_t)(end - bytes) - at, &line) || !follows(&own, &line) || !s->each(s->argument, &line);
        if (s->wrong) return at;
        s->reader->own = own;
    }
    return at;
}

/* 1: there may be more, 0: at the end, or at what is wrong; -1: it cannot be read. */
static int step(const struct lines *l, struct step *s) {
    uint64_t left = l->size - s->reader->at;
    size_t want = left < PIECE ? (size_t)left : PIECE;
    if (want == 0 || s->reader->own.count >= s->until) return 0;
    char *piece = malloc(PIECE);
    bool fine = piece && pread(l->fd, piece, want, (off_t)s->reader->at) == (ssize_t)want;
    size_t used = fine ? step_lines(s, piece, want) : 0;
    free(piece);
    if (!fine) return -1;
    s->reader->at += used;
    if (used == 0) s->wrong = true; /* a piece without a line */
    return !s->wrong;
}

struct pass {
    void (*each)(void *, const struct ledger_line *);
    void *argument;
};
static bool pass_on(void *argument, const struct ledger_line *line) {
    const struct pass *pass = argument;
    pass->each(pass->argument, line);
    return true;
}

int lines_read(const struct lines *l, struct lines_reader *reader, void (*each)(void *, const struct ledger_line *), void *argument) {
    struct pass pass = {each, argument};
    struct step s = {.reader = reader, .until = l->end.count, .each = pass_on, .argument = &pass};
    int more = step(l, &s);
    if (more < 0 || s.wrong) return -1;
    if (more && reader->own.count < s.until) return 1;
    return reader->own.count == l->end.count && memcmp(reader->own.hash, l->end.hash, LEDGER_HASH) == 0 ? 0 : -1;
}

/* ---- what came is looked at ---- */

struct looking {
    const struct seen *seen;
    uint64_t first;
    struct ledger_own before; /* what the first says of the one before it */
    uint64_t wrong;           /* own number of the first line that contradicts what is known; 0 = none does */
};

static bool is_other(const struct ledger_line *line, uint64_t count, const uint8_t hash[LEDGER_HASH]) {
    if (line->own_count == count) return memcmp(line->hash, hash, LEDGER_HASH) != 0;
    return count && line->own_count == count + 1 && memcmp(line->own_previous, hash, LEDGER_HASH) != 0;
}

/* A line against the ends that are known. What contradicts them is given to the tenant nevertheless; another's line is not. */
static bool look_at(void *argument, const struct ledger_line *line) {
    struct looking *l = argument;
    const struct message_start *told = &self.profile;
    if (line->tenant != told->head.tenant) return false;
    bool other = is_other(line, l->seen->own.count, l->seen->own.hash) || is_other(line, told->own_count, told->own_head) ||
                 (asked.older && is_other(line, bridge.low.count, bridge.low.hash));
    if (other && !l->wrong) l->wrong = line->own_count;
    if (l->first) return true;
    l->first = line->own_count;
    l->before = (struct ledger_own){.count = line->own_count - 1, .at = line->own_last};
    memcpy(l->before.hash, line->own_previous, LEDGER_HASH);
    return true;
}

/* The number of the first line that is wrong or missing; 0 = none is. They must begin where they were asked for from, unless they are as
 * many as may be given, and reach as far as was seen and as far as the supervisor said, or to where a bridge has come. */
static uint64_t first_wrong(const struct lines *l, const struct looking *looking, bool broken) {
    uint64_t count = l->end.count, least = looking->seen->own.count > asked.told ? looking->seen->own.count : asked.told;
    if (asked.older) least = bridge.low.count;
    if (!l->first) return least;
    if (l->first > asked.from && count - l->first + 1 < OWN_LINES_MAX) return l->first - 1;
    if (looking->wrong) return looking->wrong;
    return broken || count < least ? count + 1 : 0;
}

/* They fit. true: and they are linked to the end that was sealed, which moves on. */
static bool link_up(struct seen *seen, const struct lines *l, const struct looking *looking) {
    bool linked = seen->own.count == 0 || looking->first <= seen->own.count + 1;
    struct ledger_own top = asked.older ? bridge.top : l->end;
    if (!linked) {
        if (!seen->contradictions && (asked.older || !bridge.low.count)) bridge.low = looking->before, bridge.top = top;
        return false;
    }
    if (asked.older || bridge.top.count <= top.count) bridge.low.count = 0;
    if (top.count <= seen->own.count) return true;
    seen->own = top;
    seen_keep(seen);
    return true;
}

/* S11: the tenant checks its own lines of the ledger against the end that it has sealed */
/* false: nothing can be said. */
static bool look(struct lines *l) {
    struct seen seen;
    struct looking looking = {.seen = &seen};
    struct lines_reader reader = {0};
    struct step s = {.reader = &reader, .until = UINT64_MAX, .each = look_at, .argument = &looking};
    int more;
    if (!self.keys || seen_read(&seen) != STORE_OK) return false;
    while ((more = step(l, &s)) > 0)
        ;
    if (more < 0) return false;
    l->first = looking.first;
    l->end = reader.own;
    uint64_t wrong = first_wrong(l, &looking, s.wrong);
    if (wrong) {
        bridge.low.count = 0;
        contradicted(&seen, wrong);
    }
    l->verified = wrong || link_up(&seen, l, &looking);
    l->contradicted = seen.contradictions;
    return true;
}

/* ---- asking ---- */

static bool somebody_waits(void) {
    for (int i = 0; i < WAITING_MAX; i++)
        if (waiting[i].exchange) return true;
    return false;
}

void lines_refuse(struct exchange *x) {
    respond_header(x, "Retry-After", "10");
    respond_problem(x, 503, "try-again", "The provider's ledger cannot be read now; try again.", NULL, 0);
}

/* l NULL: the lines cannot be had. */
static void answer_all(struct lines *l) {
    for (int i = 0; i < WAITING_MAX; i++) {
        struct exchange *x = waiting[i].exchange ? exchange_held(waiting[i].exchange) : NULL;
        struct lines_wish wish = waiting[i].wish;
        waiting[i].exchange = 0;
        if (x && l)
            wish.answer(x, l, &wish);
        else if (x)
            lines_refuse(x);
    }
}

/* The answer is still to come, and nothing is asked for before. */
static void on_late(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    answer_all(NULL);
}

static void on_stale(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    lines_free(held);
    held = NULL;
}

static void on_later(evutil_socket_t none, short what, void *unused);

static void arm(struct event **event, void (*done)(evutil_socket_t, short, void *), time_t seconds) {
    const struct timeval wait = {.tv_sec = seconds};
    if (!*event) *event = evtimer_new(self.base, done, NULL);
    if (*event) event_add(*event, &wait);
}

static void hold(struct lines *l) {
    lines_free(held);
    held = lines_share(l);
    arm(&stale, on_stale, HELD_S);
    if (!stale) on_stale(-1, 0, NULL);
}

/* false: not in this minute, or the last answer is still to come. */
static bool ask(uint64_t from, bool older) {
    if (asked.from || !pace_take(&asks)) return false;
    asked.from = from;
    asked.older = older;
    asked.told = self.profile.own_count;
    asked.when = time(NULL);
    uplink_want_ledger(from, older ? bridge.low.at : 0);
    return true;
}

void lines_wanted(struct exchange *x, const struct lines_wish *wish) {
    int i = 0;
    if (!asked.from && self.profile.own_count && !ask(1, false)) {
        if (held && held->end.count >= self.profile.own_count)
            wish->answer(x, held, wish);
        else
            lines_refuse(x);
        return;
    }
    while (i < WAITING_MAX && waiting[i].exchange && exchange_held(waiting[i].exchange))
        i++;
    if (i == WAITING_MAX || self.profile.own_count == 0) {
        lines_refuse(x);
        return;
    }
    if (!somebody_waits()) arm(&late, on_late, WAIT_S);
    waiting[i].exchange = exchange_hold(x);
    waiting[i].wish = *wish;
}

/* The next piece of the bridge, or what nobody waits for and was not to be had. */
static void ask_on(void) {
    struct seen seen;
    if (asked.from || !self.keys || seen_read(&seen) != STORE_OK) return;
    if (!bridge.low.count)
        lines_unsealed();
    else if (!ask(seen.own.count, true))
        arm(&later, on_later, HELD_S);
}

static void on_later(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    ask_on();
}

void lines_came(int fd, uint64_t size) {
    struct lines *l = fd >= 0 ? malloc(sizeof *l) : NULL;
    if (l) *l = (struct lines){.users = 1, .fd = fd, .size = size, .as_of = asked.when};
    if (fd >= 0 && !l) close(fd);
    if (l && !look(l)) {
        lines_free(l);
        l = NULL;
    }
    bool whole = l && asked.from == 1 && !asked.older, newest = l && (l->end.count >= self.profile.own_count || !lines_consistent(l));
    asked.from = 0;
    if (whole) hold(l);
    bool again = l && !(whole && newest) && somebody_waits() && ask(1, false); /* they want all */
    if (!again) answer_all(whole ? l : NULL);
    if (!again && late) event_del(late);
    if (!l)
        arm(&later, on_later, HELD_S);
    else if (bridge.low.count)
        ask_on();
    lines_free(l);
}

void lines_unsealed(void) {
    struct seen seen;
    const struct message_start *told = &self.profile;
    if (seen_read(&seen) != STORE_OK) return;
    bool same = told->own_count == seen.own.count && memcmp(told->own_head, seen.own.hash, LEDGER_HASH) == 0;
    if (seen.contradictions) gauge(COUNTER_ledger_state, 2);
    if (told->own_count < seen.own.count || (told->own_count == seen.own.count && !same))
        contradicted(&seen, told->own_count + 1);
    else if (!same)
        ask(seen.own.count ? seen.own.count : 1, false);
}
