#include "journal.h"

#include "../../policy/hex.h"
#include "../crm/ulid.h"
#include "../tenant.h"
#include "../web/http.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PRUNE_LINES = 64, QUOTA_A_LINE = 16384, LINES_LEAST = 256, LINES_MOST = 65536 };

static const char *const names[] = {
#define ACT(NAME, MEANING) #NAME,
#include "journal.def"
#undef ACT
};

static uint64_t failures; /* wrong log-ins not yet told */
static int64_t told;      /* when the last of them were, monotonic seconds */
static int64_t skew;
static struct event *later;

/* ---- the chain's ends, in the store's sealed state ---- */

struct ends {
    uint64_t first, next;
    uint8_t hash[JOURNAL_HASH]; /* of the last line */
    uint64_t missed;            /* lines that could not be written since */
};
static_assert(sizeof(struct ends) == STORE_NOTE, "the chain's ends are all there is in the store's note");

static struct ends ends_get(void) {
    struct ends ends;
    memcpy(&ends, store_note(self.store), sizeof ends);
    if (ends.next == 0) ends.first = ends.next = 1;
    return ends;
}
static void ends_put(const struct ends *ends) { memcpy(store_note(self.store), ends, sizeof *ends); }

uint64_t journal_first_line(void) { return ends_get().first; }
uint64_t journal_last_line(void) { return ends_get().next - 1; }
void journal_head(uint8_t hash[JOURNAL_HASH]) { memcpy(hash, ends_get().hash, JOURNAL_HASH); }

uint64_t journal_limit(void) {
    uint64_t lines = self.profile.quota_bytes / QUOTA_A_LINE;
    return lines < LINES_LEAST ? LINES_LEAST : lines > LINES_MOST ? LINES_MOST : lines;
}

/* ---- lines: the hash of the line before, then the text ---- */

static void line_id(uint64_t number, uint8_t id[ID_BYTES]) {
    memset(id, 0, ID_BYTES);
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(number >> (8 * i));
}

enum store_result journal_read(uint64_t number, struct journal_line *line) {
    uint8_t id[ID_BYTES];
    const uint8_t *value;
    size_t size;
    line_id(number, id);
    enum store_result result = store_get(self.store, STORE_JOURNAL, id, &value, &size, NULL);
    if (result == STORE_OK && size < JOURNAL_HASH) result = STORE_BROKEN;
    if (result != STORE_OK) return result;
    memcpy(line->before, value, JOURNAL_HASH);
    sha256(value, size, line->hash);
    line->text = (const char *)value + JOURNAL_HASH;
    line->size = size - JOURNAL_HASH;
    return STORE_OK;
}

static char *line_text(const struct ends *ends, enum journal_act act, const uint8_t *user, json_t *about) {
    char id[ULID_TEXT + 1] = "", at[32];
    time_t t = time(NULL);
    struct tm utc;
    gmtime_r(&t, &utc);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (user) ulid_text(user, id);
    json_t *line = json_pack("{s:I, s:s, s:s, s:s?, s:O*}", "line", (json_int_t)ends->next, "at", at, "act", names[act], "user",
                             user ? id : NULL, "about", about);
    if (line && ends->missed) json_object_set_new(line, "missed", json_integer((json_int_t)ends->missed));
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    return text;
}

static enum store_result append(enum journal_act act, const uint8_t *user, json_t *about) {
    struct ends ends = ends_get();
    uint8_t id[ID_BYTES];
    enum store_result result = STORE_MEMORY;
    char *text = line_text(&ends, act, user, about);
    size_t size = text ? JOURNAL_HASH + strlen(text) : 0;
    uint8_t *value = text ? malloc(size) : NULL;
    if (value) {
        memcpy(value, ends.hash, JOURNAL_HASH);
        memcpy(value + JOURNAL_HASH, text, size - JOURNAL_HASH);
        line_id(ends.next, id);
        result = store_put(self.store, STORE_JOURNAL, id, value, size, STORE_ANY, NULL);
        if (result == STORE_OK) {
            sha256(value, size, ends.hash);
            ends.next++;
            ends.missed = 0;
            ends_put(&ends);
        }
    }
    free(value);
    free(text);
    return result;
}

json_t *journal_id(const uint8_t id[ID_BYTES]) {
    char text[ULID_TEXT + 1];
    ulid_text(id, text);
    return json_string(text);
}

/* ---- the oldest lines go ---- */

static enum store_result prune(void) {
    struct ends ends = ends_get();
    uint64_t through = ends.first + PRUNE_LINES - 1;
    struct journal_line after;
    char hash[2 * JOURNAL_HASH + 1] = "";
    if (ends.next - ends.first < journal_limit()) return STORE_OK;
    enum store_result result = journal_read(through + 1, &after);
    if (result == STORE_OK) hex_write(after.before, JOURNAL_HASH, hash);
    for (uint64_t n = ends.first; n <= through; n++) {
        uint8_t id[ID_BYTES];
        line_id(n, id);
        result = store_delete(self.store, STORE_JOURNAL, id, STORE_ANY);
        if (result != STORE_OK && result != STORE_MISSING) return result;
        ends.first = n + 1;
        ends_put(&ends);
    }
    json_t *about = json_pack("{s:I, s:s}", "through", (json_int_t)through, "hash", hash);
    result = append(JOURNAL_pruned, NULL, about);
    json_decref(about);
    return result;
}

/* ---- writing ---- */

/* In the note: gone back with an act that is undone as well, and on the disk with whatever is committed next. */
static void miss(void) {
    struct ends ends = ends_get();
    ends.missed++;
    ends_put(&ends);
}

enum store_result journal_add(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about) {
    enum store_result result = self.keys ? prune() : STORE_SEALED;
    if (result == STORE_OK) result = append(act, user, about);
    json_decref(about);
    if (result != STORE_OK && self.keys) miss();
    if (result == STORE_FULL) count(COUNTER_store_refusals, 1);
    return result;
}

enum store_result journal_first(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about) {
    enum store_result result = journal_add(act, user, about);
    if (result != STORE_OK) return result;
    result = exchange_commit();
    if (result != STORE_OK) miss();
    return result;
}

void journal_tell(enum journal_act act, const uint8_t user[ID_BYTES], json_t *about) { (void)journal_first(act, user, about); }

/* ---- wrong log-ins ---- */

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec + skew;
}

void journal_pass(unsigned seconds) { skew += seconds; }

static void tell_failures(void) {
    json_t *about = json_pack("{s:I}", "count", (json_int_t)failures);
    failures = 0;
    told = now();
    journal_tell(JOURNAL_logins_failed, NULL, about);
}

static void on_time(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    if (failures && self.keys) tell_failures();
}

void journal_login_failed(void) {
    failures++;
    if (!self.keys) return; /* once it is open */
    int64_t wait = told ? told + JOURNAL_FAILURES_SECONDS - now() : 0;
    if (wait <= 0) {
        tell_failures();
        return;
    }
    if (!later) later = evtimer_new(self.base, on_time, NULL);
    if (later && !evtimer_pending(later, NULL)) event_add(later, &(struct timeval){.tv_sec = wait});
}

/* ---- a worker's life ---- */

/* Before the first commit there is an enrolment under way, which has its own line. */
void journal_unsealed(void) {
    if (store_commits(self.store) == 0) return;
    journal_add(JOURNAL_opened, NULL, NULL);
    if (failures) tell_failures();
}

void journal_end(enum journal_act why) {
    if (!self.keys) return;
    if (failures) tell_failures();
    journal_tell(why, NULL, NULL);
}

/* ---- does it hold together ---- */

/* Does the chain go on at `line`? The first of a pruned one stands on a line that is gone. */
static bool goes_on(const struct journal_walk *walk, const struct journal_line *line, uint64_t first) {
    return (walk->next == first && first > 1) || secret_equal(line->before, walk->hash, JOURNAL_HASH);
}

enum store_result journal_check(struct journal_walk *walk, size_t lines) {
    struct ends ends = ends_get();
    if (walk->next < ends.first) walk->next = ends.first;
    for (; lines && walk->next < ends.next; lines--, walk->next++) {
        struct journal_line line;
        enum store_result result = journal_read(walk->next, &line);
        if (result != STORE_OK && result != STORE_MISSING && result != STORE_BROKEN) return result;
        walk->done = result != STORE_OK || !goes_on(walk, &line, ends.first);
        if (walk->done) return STORE_OK;
        memcpy(walk->hash, line.hash, JOURNAL_HASH);
    }
    if (walk->next < ends.next) return STORE_OK;
    walk->done = true;
    walk->sound = secret_equal(walk->hash, ends.hash, JOURNAL_HASH);
    return STORE_OK;
}
