#include "rotation.h"

#include "../backup/backup.h"
#include "../crm/ulid.h"
#include "../journal/journal.h"
#include "../kit_keeper.h"
#include "../tenant.h"
#include "../web/connection.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    STEP_VALUES = 16,
    SLICE_US = 2000, /* of one turn; then the loop has three times as much for the clients: they keep 75 % of the processor */
    REST_PERCENT = 300,
    BEHIND_MAX = 256, /* changes that wait for no rest to be over */
    FIRST_MS = 1000,
    AGAIN_MS = 5000,
};

/* A rotation under way, on the heap: it has the new TMK. */
struct rotation {
    struct store_move *move;
    struct keyring *keys;
    uint8_t tmk[KEY_BYTES];
};
static struct rotation *now;
static struct event *timer;
static bool due;
static const char *reason; /* why the last one stopped; NULL = it did not */

/* ---- one rotation ---- */

static void turn_comes(evutil_socket_t none, short what, void *unused) {
    (void)none, (void)what, (void)unused;
    due = true;
}

static void turn_after(uint64_t us) {
    if (!timer) timer = evtimer_new(self.base, turn_comes, NULL);
    struct timeval wait = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    if (!timer || event_add(timer, &wait) < 0) reason = "out-of-memory";
}

static void forget(void) {
    if (!now) return;
    store_move_end(now->move);
    keyring_free(now->keys);
    secret_wipe(now, sizeof *now);
    free(now);
    now = NULL;
}

/* It cannot go on. Want of memory passes: then it begins anew by itself. */
static void stop(enum store_result why) {
    forget();
    store_seal(self.second);
    store_set_spare(self.second, true);
    if (why == STORE_MEMORY) {
        turn_after(AGAIN_MS * 1000ULL);
        return;
    }
    reason = why == STORE_FULL ? "full" : why == STORE_BROKEN ? "damaged" : why == STORE_CONFLICT ? "too-many" : "disk";
}

static enum store_result prepare(void) {
    random_bytes(now->tmk, sizeof now->tmk);
    now->keys = keyring_new(now->tmk);
    if (!now->keys) return STORE_MEMORY;
    enum store_result result = store_set_spare(self.second, true);
    if (result == STORE_OK) result = store_empty(self.second, self.profile.quota_bytes);
    if (result == STORE_OK) result = store_unseal(self.second, now->keys, capsule_tenant_id(self.capsule));
    if (result != STORE_OK) return result;
    now->move = store_move_begin(self.store, self.second);
    return now->move ? STORE_OK : STORE_MEMORY;
}

static void begin(void) {
    reason = NULL;
    now = calloc(1, sizeof *now);
    enum store_result result = now ? prepare() : STORE_MEMORY;
    if (result == STORE_OK)
        turn_after(0);
    else
        stop(result);
}

/* The capsule says so: from here on the second file is the first. */
static void change_over(void) {
    struct store *old = self.store;
    store_move_end(now->move);
    now->move = NULL;
    store_seal(old);
    keyring_free(self.keys);
    self.keys = now->keys;
    now->keys = NULL;
    memcpy(self.tmk, now->tmk, KEY_BYTES);
    memset(self.older, 0, sizeof self.older);
    self.store = self.second;
    self.second = old;
    forget();
    store_set_spare(old, true);                         /* should this fail, the next unsealing does it */
    store_resize(self.store, self.profile.quota_bytes); /* it may have been changed meanwhile */
    gauge(COUNTER_store_bytes, store_bytes(self.store));
    journal_tell(JOURNAL_key_changed, NULL, NULL);
    backup_key_changed();
}

/* All is copied and no write is pending: makes the second file whole and durable, then the capsule decides. */
static void finish(void) {
    bool known = true;
    enum store_result result = store_move_complete(now->move);
    if (result == STORE_OK) result = kit_keep(self.second, now->tmk);
    if (result == STORE_OK) result = store_set_spare(self.second, false);
    if (result == STORE_OK) result = store_commit(self.second);
    if (result == STORE_OK) {
        int error = capsule_rotate(self.capsule, self.tmk, now->tmk, &known);
        result = error == ENOMEM ? STORE_MEMORY : error == ENOSPC ? STORE_CONFLICT : error ? STORE_IO : STORE_OK;
    }
    /* What the next start would find is not known, and what is written from now on must be in it. Both files are whole: start anew. */
    if (!known) _exit(EIO);
    if (result == STORE_OK)
        change_over();
    else
        stop(result);
}

static void step(void) {
    uint64_t start = clock_us(), used;
    bool done = false;
    enum store_result result;
    do {
        result = store_move_step(now->move, STEP_VALUES, &done);
        used = clock_us() - start;
    } while (result == STORE_OK && !done && used < SLICE_US);
    gauge(COUNTER_last_activity, clock_ms() / 1000); /* the tenant's own work is no idleness */
    if (result != STORE_OK)
        stop(result);
    else if (done)
        finish();
    else
        turn_after(used * REST_PERCENT / 100);
}

void rotation_turn(void) {
    bool behind = now && store_move_behind(now->move) > BEHIND_MAX;
    if ((!due && !behind) || store_dirty(self.store)) return;
    if (store_pending(self.store)) exchange_commit();
    due = false;
    if (!now)
        begin();
    else
        step();
}

void rotation_unsealed(void) {
    /* Nothing in it is anybody's only copy: the capsule and the store agree on the other one. */
    store_set_spare(self.second, true);
    if (capsule_rotation_wanted(self.capsule)) turn_after(FIRST_MS * 1000ULL);
}

/* ---- the routes ---- */

static json_t *kept_json(void) {
    struct retired_key key;
    json_t *items = json_array();
    for (size_t i = 0; capsule_retired(self.capsule, i, &key); i++)
        json_array_append_new(items, json_pack("{s:o, s:o, s:o}", "id", journal_id(key.id), "created", json_time(key.created), "retired",
                                               json_time(key.retired)));
    secret_wipe(&key, sizeof key);
    return items;
}

static void answer(struct exchange *x, int status) {
    uint64_t copied = 0, total = 0;
    if (now) store_move_progress(now->move, &copied, &total);
    const char *state = now ? "copying" : reason ? "stopped" : capsule_rotation_wanted(self.capsule) ? "waiting" : "idle";
    json_t *body = json_pack("{s:s, s:s?, s:I, s:I, s:o, s:o}", "state", state, "reason", now ? NULL : reason, "copied", (json_int_t)copied,
                             "total", (json_int_t)total, "key_created", json_time(capsule_key_created(self.capsule)), "kept", kept_json());
    if (body)
        respond_json(x, status, body);
    else
        answer_errno(x, ENOMEM);
}

static void get_rotation(struct exchange *x, struct request *r) {
    (void)r;
    answer(x, 200);
}

int rotation_ask(const uint8_t *user) {
    bool wanted = capsule_rotation_wanted(self.capsule);
    int error = wanted ? 0 : capsule_want_rotation(self.capsule, true);
    if (error) return error;
    if (!wanted) journal_tell(JOURNAL_rotation_wanted, user, NULL); /* a full store's way to a compact one is not closed */
    if (!now) {
        reason = NULL;
        turn_after(0);
    }
    return 0;
}

static void post_rotation(struct exchange *x, struct request *r) {
    int error = rotation_ask(r->session->user);
    if (error)
        answer_errno(x, error);
    else
        answer(x, 202);
}

static bool is_kept(const uint8_t id[ID_BYTES]) {
    struct retired_key key;
    bool found = false;
    for (size_t i = 0; !found && capsule_retired(self.capsule, i, &key); i++)
        found = memcmp(key.id, id, ID_BYTES) == 0;
    secret_wipe(&key, sizeof key);
    return found;
}

/* Recorded before. */
static void drop(struct exchange *x, const struct request *r, const uint8_t id[ID_BYTES]) {
    enum store_result result = journal_first(JOURNAL_key_dropped, r->session->user, json_pack("{s:o}", "key", journal_id(id)));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    int error = capsule_drop_retired(self.capsule, self.tmk, id);
    if (!error) {
        respond_empty(x, 204);
        return;
    }
    journal_tell(JOURNAL_undone, r->session->user, NULL);
    answer_errno(x, error);
}

static void delete_key(struct exchange *x, struct request *r) {
    uint8_t id[ID_BYTES];
    if (!ulid_parse(r->segment[0].data, r->segment[0].size, id) || !is_kept(id))
        respond_problem(x, 404, "not-found", "There is no such key.", NULL, 0);
    else if (memcmp(id, self.older, ID_BYTES) == 0)
        respond_problem(x, 409, "key-in-use", "The data that was put back is sealed under this key until the rotation is done.", NULL, 0);
    else
        drop(x, r, id);
}

const struct route rotation_routes[] = {
    {HTTP_GET, "/api/v1/rotation", RIGHT_ADMIN, ROUTE_NO_BODY, get_rotation},
    {HTTP_POST, "/api/v1/rotation", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, post_rotation},
    {HTTP_DELETE, "/api/v1/rotation/keys/{}", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, delete_key},
    {0},
};
