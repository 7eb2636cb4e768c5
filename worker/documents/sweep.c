#include "sweep.h"

#include "../../policy/hex.h"
#include "../crm/field.h"
#include "../tenant.h"
#include "../web/http.h"
#include "entry.h"

#include <event2/event.h>
#include <string.h>
#include <time.h>

enum {
    QUEUE_MAX = 256, /* a longer one is found by a walk */
    TURN_CHUNKS = 16,
    TURN_ENTRIES = 64,
    COMMIT_TURNS = 64,
    REST_MS = 2,
    FIRST_MS = 3000,
    AGAIN_MS = 600 * 1000, /* uploads that nobody went on with */
    RETRY_MS = 30 * 1000,
};

/* A walk over one kind of entries. */
struct pass {
    bool wanted, begun;
    uint8_t after[CONTENT_ID];
};

static struct content queue[QUEUE_MAX]; /* random ids and sizes: nothing secret */
static size_t queued;
static uint32_t position; /* of the first in the queue */
static unsigned turns;    /* since the last commit of its own */
static struct pass uploads, kept;
static bool due, left;
static struct event *timer;

static bool idle(void) { return queued == 0 && !uploads.wanted && !kept.wanted; }

static void comes(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    due = true;
    if (idle()) uploads.wanted = true;
}

static void after(unsigned ms) {
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    if (!timer) timer = evtimer_new(self.base, comes, NULL);
    if (timer) event_add(timer, &wait);
}

void sweep_content(const struct content *c) {
    if (queued < QUEUE_MAX)
        queue[queued++] = *c;
    else
        kept = (struct pass){.wanted = true};
    after(REST_MS);
}

void sweep_uploads(void) {
    uploads = (struct pass){.wanted = true};
    after(REST_MS);
}

void sweep_commit(void) { left = true; }

void sweep_unsealed(void) {
    queued = position = 0;
    uploads = kept = (struct pass){.wanted = true};
    after(FIRST_MS);
}

/* ---- what goes ---- */

static bool is_held(const struct content *c, const uint8_t document[ID_BYTES]) {
    char member[] = "\"content\":\"0123456789abcdef\"";
    const uint8_t *value;
    size_t size;
    hex_write(c->id, CONTENT_ID, member + 11);
    enum store_result result = store_get(self.store, STORE_DOCUMENTS, document, &value, &size, NULL);
    if (result == STORE_OK) return memmem(value, size, member, sizeof member - 1) != NULL;
    return result != STORE_MISSING; /* a record that does not open may have had it */
}

static void next(void) {
    memmove(queue, queue + 1, --queued * sizeof *queue);
    position = 0;
}

/* What made it queue may not have been committed, and then its document has it still. */
static bool is_wanted(const struct content *c) {
    struct kept k;
    enum store_result result = kept_load(c->id, &k);
    return result == STORE_OK ? is_held(c, k.document) : result != STORE_MISSING || upload_is_live(c->id);
}

/* Deletes chunks of the first in the queue, then its entry. */
static enum store_result take_chunks(void) {
    const struct content *c = &queue[0];
    uint32_t end = content_chunks(c);
    enum store_result result = STORE_OK;
    if (position == 0 && is_wanted(c)) {
        next();
        return STORE_OK;
    }
    for (int i = 0; i < TURN_CHUNKS && position < end && result == STORE_OK; i++) {
        result = content_delete(c, position);
        if (result == STORE_OK) position++;
    }
    if (result != STORE_OK || position < end) return result;
    result = upload_forget(c->id);
    if (result == STORE_MISSING) result = kept_forget(c->id);
    if (result != STORE_OK && result != STORE_MISSING) return result;
    next();
    return exchange_commit();
}

bool sweep_takes(const uint8_t id[CONTENT_ID]) {
    for (size_t i = 0; i < queued; i++)
        if (memcmp(queue[i].id, id, CONTENT_ID) == 0) return true;
    return false;
}

static void enqueue(const struct content *c) {
    for (size_t i = 0; i < queued; i++)
        if (memcmp(queue[i].id, c->id, CONTENT_ID) == 0) return;
    queue[queued++] = *c;
}

/* Its term has gone by, or the document that it is for is gone. */
static bool is_over(const struct upload *u) {
    const uint8_t *value;
    size_t size;
    if (u->expires < (uint64_t)time(NULL)) return true;
    return !u->makes && store_get(self.store, STORE_DOCUMENTS, u->document, &value, &size, NULL) == STORE_MISSING;
}

static bool see_upload(void *argument, const struct upload *u) {
    (void)argument;
    memcpy(uploads.after, u->content.id, CONTENT_ID);
    if (is_over(u) && !upload_is_live(u->content.id)) enqueue(&u->content);
    return queued < QUEUE_MAX;
}

static bool see_kept(void *argument, const struct kept *k) {
    (void)argument;
    memcpy(kept.after, k->content.id, CONTENT_ID);
    if (!is_held(&k->content, k->document)) enqueue(&k->content);
    return queued < QUEUE_MAX;
}

static enum store_result look(struct pass *p) {
    bool more = false;
    const uint8_t *from = p->begun ? p->after : NULL;
    p->begun = true;
    enum store_result result =
        p == &uploads ? upload_walk(from, TURN_ENTRIES, see_upload, NULL, &more) : kept_walk(from, TURN_ENTRIES, see_kept, NULL, &more);
    if (result == STORE_OK && !more) *p = (struct pass){0};
    return result;
}

/* Runs when nothing that could be taken back waits. */
static enum store_result step(void) {
    if (queued == 0) return uploads.wanted ? look(&uploads) : look(&kept);
    enum store_result result = take_chunks();
    if (result == STORE_FULL) result = store_pending(self.store) ? exchange_commit() : result; /* what was deleted makes room */
    if (result == STORE_OK && ++turns >= COMMIT_TURNS) {
        turns = 0;
        result = exchange_commit();
    }
    return result;
}

void sweep_turn(void) {
    if (!self.keys) {
        due = left = false;
        return;
    }
    if (left) {
        left = false;
        if (store_pending(self.store)) exchange_commit();
    }
    if (!due || store_dirty(self.store)) return;
    due = false;
    enum store_result result = idle() ? STORE_OK : step();
    after(result != STORE_OK ? RETRY_MS : idle() ? AGAIN_MS : REST_MS);
}
