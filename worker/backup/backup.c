#include "backup.h"

#include "../crm/ulid.h"
#include "../functions.h"
#include "../journal/journal.h"
#include "../pace.h"
#include "../provider/regions.h"
#include "../tenant.h"
#include "../uplink.h"
#include "../web/account.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PURPOSE_MAX = 512 };

static struct message_offer offered[DESTINATIONS_MAX];
static uint32_t offers;
static struct message_plans kept;
static unsigned awaited; /* answers to what was said of plans */
static struct pace changes = {.most = WORDS_PER_MINUTE / 2}, wishes = {.most = WORDS_PER_MINUTE / 2};
static struct snapshot_row *rows[BACKUP_KINDS]; /* rising */
static size_t row_count[BACKUP_KINDS];

/* As stored in STORE_SETTINGS: what the plan says beyond its numbers. */
static const uint8_t purpose_id[BACKUP_KINDS][ID_BYTES] = {"plan-backup", "plan-archive"};

static const enum function function_of[BACKUP_KINDS] = {FUNCTION_backup, FUNCTION_archive};
static const char *const kind_name[BACKUP_KINDS] = {"backup", "archive"};

/* The three fields in which there is nothing to choose; a plan states them all the same. */
static const char protection[] = "sealed";
static const char mechanism[] = "incremental-snapshot";
static const char *const erasure[BACKUP_KINDS] = {"after-duration", "after-lock"};

/* ---- what the supervisor says ---- */

void backup_offer(const struct message_offer *offer) {
    if (offer->index == 0) offers = 0;
    if (offer->index < offer->count) offered[offers = offer->index] = *offer, offers++;
}

/* Each word of ours has one answer. What was sent before the supervisor had heard the last of them says less than is known here. */
void backup_plans(const struct message_plans *plans) {
    if (plans->answers && awaited) awaited--;
    if (!awaited) kept = *plans;
}

static void say_plan(const struct plan *plan) {
    awaited++;
    uplink_plan(plan_pack(plan));
}

static void say_backup(enum backup_kind kind) {
    awaited++;
    uplink_backup(kind);
}

void backup_rows(enum backup_kind kind, int fd) {
    off_t end = lseek(fd, 0, SEEK_END);
    size_t size = end > 0 ? (size_t)end : 0;
    /* C1: what the courier hands in takes no memory of the tenant's beyond this */
    struct snapshot_row *fresh = size > SNAPSHOT_ROWS_MAX * sizeof *fresh ? NULL : malloc(size + 1);
    if (fresh && pread(fd, fresh, size, 0) == (ssize_t)size) {
        free(rows[kind]);
        rows[kind] = fresh;
        row_count[kind] = size / sizeof *fresh;
    } else {
        free(fresh);
    }
    close(fd);
}

const struct message_offer *backup_offers(uint32_t *count) {
    *count = offers;
    return offered;
}

/* ---- while a function is off or a region excluded, its plan rests ---- */

static uint32_t index_of(const char *destination) {
    for (uint32_t i = 0; i < offers; i++)
        if (strcmp(offered[i].name, destination) == 0) return i;
    return offers;
}

static void tell_plan(enum backup_kind kind, uint32_t destination, uint32_t minutes, uint32_t hours, bool paused) {
    struct plan plan = {.kind = kind, .destination = destination, .period_minutes = minutes, .keep_hours = hours, .paused = paused};
    say_plan(&plan);
}

void backup_turn(void) {
    for (int kind = 0; kind < BACKUP_KINDS && self.keys; kind++) {
        struct plan_kept *p = &kept.plan[kind];
        uint32_t destination = index_of(p->destination);
        if (!p->on || destination == offers) continue;
        bool paused = !function_on(function_of[kind]) || !regions_allow(offered[destination].region);
        if (p->paused == paused || !pace_take(&changes)) continue;
        p->paused = paused;
        tell_plan((enum backup_kind)kind, destination, p->period_minutes, p->keep_hours, paused);
    }
}

void backup_key_changed(void) {
    for (int kind = 0; kind < BACKUP_KINDS; kind++)
        if (kept.plan[kind].on && !kept.plan[kind].paused) say_backup((enum backup_kind)kind);
}

/* ---- what is shown ---- */

static json_t *purpose_json(enum backup_kind kind) {
    const uint8_t *value;
    size_t size;
    if (store_get(self.store, STORE_SETTINGS, purpose_id[kind], &value, &size, NULL) != STORE_OK) return json_null();
    return json_stringn((const char *)value, size);
}

static json_t *hash_json(const uint8_t hash[BACKUP_HASH]) {
    char text[2 * BACKUP_HASH + 1] = "";
    for (int i = 0; i < BACKUP_HASH; i++) {
        text[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    return json_string(text);
}

static json_t *last_json(const struct plan_kept *p) {
    return json_pack("{s:o, s:I, s:o, s:s?, s:o, s:s?, s:o, s:b}", "taken", json_time(p->last_ms / 1000), "number", (json_int_t)p->number,
                     "hash", p->number ? hash_json(p->hash) : json_null(), "result",
                     p->tried_ms ? backup_result_word((enum backup_result)p->result) : NULL, "tried", json_time(p->tried_ms / 1000),
                     "check", p->checked_ms ? backup_result_word((enum backup_result)p->checked) : NULL, "checked",
                     json_time(p->checked_ms / 1000), "busy", p->busy);
}

static json_t *plan_json(enum backup_kind kind) {
    const struct plan_kept *p = &kept.plan[kind];
    if (!p->destination[0]) return json_null();
    uint32_t at = index_of(p->destination);
    const char *state = p->on ? p->paused ? "paused" : "on" : "ending";
    return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:I, s:s, s:I, s:s, s:o}", "state", state, "where", p->destination, "region",
                     at < offers ? offered[at].region : NULL, "protection", protection, "purpose", purpose_json(kind), "duration_hours",
                     (json_int_t)p->keep_hours, "mechanism", mechanism, "frequency_minutes", (json_int_t)p->period_minutes, "erasure",
                     erasure[kind], "last", last_json(p));
}

static json_t *destinations_json(void) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < offers; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b}", "name", offered[i].name, "region", offered[i].region, "archive",
                                              offered[i].archive == 1, "allowed", (int)regions_allow(offered[i].region)));
    return list;
}

static void answer(struct exchange *x, int status, json_t *body) {
    if (body)
        respond_json(x, status, body);
    else
        answer_errno(x, ENOMEM);
}

json_t *backup_plans_json(void) {
    return json_pack("{s:o, s:o, s:o}", "backup", plan_json(BACKUP_COPY), "archive", plan_json(BACKUP_ARCHIVE), "destinations",
                     destinations_json());
}

static void get_plans(struct exchange *x, struct request *r) {
    (void)r;
    answer(x, 200, backup_plans_json());
}

static json_t *row_json(const struct snapshot_row *row) {
    return json_pack("{s:s, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:b}", "kind", kind_name[row->kind], "number", (json_int_t)row->number,
                     "taken", json_time(row->taken_ms / 1000), "keep_until", json_time((row->taken_ms + row->keep_ms) / 1000), "bytes",
                     (json_int_t)row->bytes, "chunks", (json_int_t)row->chunks, "key_created", json_time(row->key_created), "hash",
                     hash_json(row->hash), "sent", row->sent == 1);
}

json_t *backup_rows_json(void) {
    json_t *items = json_array();
    for (int kind = 0; kind < BACKUP_KINDS; kind++)
        for (size_t i = row_count[kind]; i-- > 0;)
            if (rows[kind][i].kind == (uint32_t)kind) json_array_append_new(items, row_json(&rows[kind][i]));
    return items;
}

static void get_backups(struct exchange *x, struct request *r) {
    (void)r;
    answer(x, 200, json_pack("{s:o}", "items", backup_rows_json()));
}

/* ---- a plan is made ---- */

/* One of the fields with nothing to choose. false: answered. */
static bool is_stated(struct exchange *x, json_t *object, const char *name, const char *only) {
    const char *value = json_string_value(json_object_get(object, name));
    char expected[128];
    if (value && strcmp(value, only) == 0) return true;
    snprintf(expected, sizeof expected, "A plan states it: \"%s\".", only);
    fields_refuse(x, name, expected);
    return false;
}

static bool read_count(struct exchange *x, json_t *object, const char *name, uint32_t least, uint32_t most, uint32_t *count) {
    const json_t *value = json_object_get(object, name);
    char expected[128];
    json_int_t n = json_integer_value(value);
    if (json_is_integer(value) && n >= least && n <= most) {
        *count = (uint32_t)n;
        return true;
    }
    snprintf(expected, sizeof expected, "A whole number from %u to %u is expected.", least, most);
    fields_refuse(x, name, expected);
    return false;
}

static bool read_destination(struct exchange *x, json_t *object, enum backup_kind kind, uint32_t *index) {
    const char *name = json_string_value(json_object_get(object, "where"));
    *index = name ? index_of(name) : offers;
    if (*index < offers && offered[*index].archive == (kind == BACKUP_ARCHIVE)) return true;
    fields_refuse(x, "where",
                  kind == BACKUP_ARCHIVE ? "The name of a destination for archives is expected."
                                         : "The name of a destination for backups is expected.");
    return false;
}

struct wanted {
    struct plan plan;
    const char *purpose;
};

/* C9: a plan states seven things or is refused */
/* All seven, or none. */
static bool read_plan(struct exchange *x, json_t *object, enum backup_kind kind, struct wanted *w) {
    w->plan.kind = kind;
    return read_destination(x, object, kind, &w->plan.destination) && is_stated(x, object, "protection", protection) &&
           fields_string(x, object, "purpose", PURPOSE_MAX, &w->purpose) &&
           read_count(x, object, "duration_hours", PLAN_KEEP_MIN, PLAN_KEEP_MAX, &w->plan.keep_hours) &&
           is_stated(x, object, "mechanism", mechanism) &&
           read_count(x, object, "frequency_minutes", PLAN_PERIOD_MIN, PLAN_PERIOD_MAX, &w->plan.period_minutes) &&
           is_stated(x, object, "erasure", erasure[kind]);
}

/* true: answered. */
static bool is_excluded(struct exchange *x, const char *destination) {
    uint32_t i = index_of(destination);
    if (i == offers || regions_allow(offered[i].region)) return false;
    respond_problem(x, 409, "region-excluded", "The destination is in a region that this tenant excludes.", "where", 0);
    return true;
}

/* In the journal and the store with the next commit; upward at once: a plan that was told and not kept here is shown all the same. */
static void keep_plan(struct exchange *x, struct request *r, enum backup_kind kind, const struct wanted *w) {
    struct plan_kept *p = &kept.plan[kind];
    const char *where = offered[w->plan.destination].name;
    /* S8: no plan for a region that the tenant excludes */
    if (is_excluded(x, where)) return;
    if (p->destination[0] && strcmp(p->destination, where) != 0) {
        respond_problem(x, 409, "elsewhere", "What is kept lies at another destination: end that plan first.", "where", 0);
        return;
    }
    enum store_result result =
        journal_add(JOURNAL_plan_made, r->session->user,
                    json_pack("{s:s, s:s, s:I, s:I}", "kind", kind_name[kind], "where", where, "duration_hours",
                              (json_int_t)w->plan.keep_hours, "frequency_minutes", (json_int_t)w->plan.period_minutes));
    if (result == STORE_OK)
        result = store_put(self.store, STORE_SETTINGS, purpose_id[kind], w->purpose, strlen(w->purpose), STORE_ANY, NULL);
    if (result == STORE_OK) result = exchange_commit();
    if (result != STORE_OK) {
        if (store_dirty(self.store)) store_lose(self.store, result);
        answer_failure(x, result);
        return;
    }
    p->on = 1;
    p->paused = 0;
    p->period_minutes = w->plan.period_minutes;
    p->keep_hours = w->plan.keep_hours;
    memcpy(p->destination, where, sizeof p->destination);
    say_plan(&w->plan);
    answer(x, 200, plan_json(kind));
}

static void put_plan(struct exchange *x, struct request *r, enum backup_kind kind) {
    static const char *const names[] = {"where",     "protection",        "purpose", "duration_hours",
                                        "mechanism", "frequency_minutes", "erasure", NULL};
    struct wanted wanted = {0};
    json_t *object;
    if (!pace_admit(&changes, x) || !fields_read(x, r, names, &object)) return;
    if (read_plan(x, object, kind, &wanted)) keep_plan(x, r, kind, &wanted);
    json_decref(object);
}

static void put_backup(struct exchange *x, struct request *r) { put_plan(x, r, BACKUP_COPY); }
static void put_archive(struct exchange *x, struct request *r) { put_plan(x, r, BACKUP_ARCHIVE); }

static void end_plan(struct exchange *x, struct request *r, enum backup_kind kind) {
    if (!pace_admit(&changes, x)) return;
    if (!kept.plan[kind].on) {
        respond_problem(x, 404, "not-found", "There is no such plan.", NULL, 0);
        return;
    }
    enum store_result result = journal_first(JOURNAL_plan_ended, r->session->user, json_pack("{s:s}", "kind", kind_name[kind]));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    kept.plan[kind].on = 0;
    tell_plan(kind, 0, 0, 0, false);
    respond_empty(x, 202);
}

static void delete_backup(struct exchange *x, struct request *r) { end_plan(x, r, BACKUP_COPY); }
static void delete_archive(struct exchange *x, struct request *r) { end_plan(x, r, BACKUP_ARCHIVE); }

/* ---- one now ---- */

static void post_now(struct exchange *x, struct request *r, enum backup_kind kind) {
    if (!pace_admit(&wishes, x)) return;
    if (!kept.plan[kind].on) {
        respond_problem(x, 409, "no-plan", "There is no plan that says where it goes and for how long.", NULL, 0);
        return;
    }
    if (is_excluded(x, kept.plan[kind].destination)) return;
    enum store_result result = journal_first(JOURNAL_backup_asked, r->session->user, json_pack("{s:s}", "kind", kind_name[kind]));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    kept.plan[kind].busy = 1;
    say_backup(kind);
    answer(x, 202, plan_json(kind));
}

static void post_backup(struct exchange *x, struct request *r) { post_now(x, r, BACKUP_COPY); }
static void post_archive(struct exchange *x, struct request *r) { post_now(x, r, BACKUP_ARCHIVE); }

const struct route backup_routes[] = {
    {HTTP_GET, "/api/v1/plans", RIGHT_ADMIN, ROUTE_NO_BODY, get_plans, FUNCTION_NONE},
    {HTTP_PUT, "/api/v1/plans/backup", RIGHT_ADMIN, ROUTE_PERSON, put_backup, FUNCTION_backup},
    {HTTP_PUT, "/api/v1/plans/archive", RIGHT_ADMIN, ROUTE_PERSON, put_archive, FUNCTION_archive},
    {HTTP_DELETE, "/api/v1/plans/backup", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, delete_backup, FUNCTION_NONE},
    {HTTP_DELETE, "/api/v1/plans/archive", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, delete_archive, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/backups", 0, ROUTE_NO_BODY, get_backups, FUNCTION_NONE},
    {HTTP_POST, "/api/v1/backups", 0, ROUTE_NO_BODY | ROUTE_PERSON, post_backup, FUNCTION_backup},
    {HTTP_POST, "/api/v1/archives", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, post_archive, FUNCTION_archive},
    {0},
};
