#include "support.h"

#include "../../policy/hex.h"
#include "../crm/ulid.h"
#include "../functions.h"
#include "../journal/journal.h"
#include "../keys/keys.h"
#include "../pace.h"
#include "../tenant.h"
#include "../web/fields.h"
#include "../web/login.h"
#include "record.h"
#include "send.h"

#include <string.h>
#include <time.h>

static const char *const states[SUPPORT_STATES] = {
    [SUPPORT_SENDING] = "sending", [SUPPORT_KEPT] = "kept",       [SUPPORT_ANSWERED] = "answered",
    [SUPPORT_CLOSED] = "closed",   [SUPPORT_REMOVED] = "removed", [SUPPORT_REFUSED] = "refused",
};
static const char warning[] = "Whatever is written here is read by the provider's support staff.";

/* ---- answers ---- */

static bool is_own(const json_t *record, const struct session *asker) {
    json_t *own = journal_id(asker->user);
    bool same = own && json_equal(own, json_object_get(record, "by"));
    json_decref(own);
    return same;
}

static json_t *text_or_null(const json_t *record, const char *name, bool shown) {
    json_t *text = shown ? json_object_get(record, name) : NULL;
    return text ? json_incref(text) : json_null();
}

static json_t *time_of(const json_t *record, const char *name) {
    return json_time((uint64_t)json_integer_value(json_object_get(record, name)));
}

static json_t *shown(const json_t *record, const struct session *asker) {
    bool own = is_own(record, asker) && asker->kind == SLOT_SESSION; /* no token's scope covers what a person wrote */
    return json_pack("{s:O, s:o, s:O, s:s, s:o, s:o, s:o, s:o}", "id", json_object_get(record, "id"), "at", time_of(record, "at"), "by",
                     json_object_get(record, "by"), "state", states[support_state(record)], "until", time_of(record, "until"), "text",
                     text_or_null(record, "text", own), "answer", text_or_null(record, "answer", own), "answered",
                     time_of(record, "answered"));
}

/* The newest first. Who is no administrator sees only what it wrote itself. */
static json_t *all_shown(const json_t *records, const struct session *asker) {
    json_t *items = json_array();
    for (size_t i = json_array_size(records); items && i-- > 0;) {
        const json_t *record = json_array_get(records, i);
        if (!(asker->rights & RIGHT_ADMIN) && !is_own(record, asker)) continue;
        if (json_array_append_new(items, shown(record, asker)) == 0) continue;
        json_decref(items);
        items = NULL;
    }
    return items;
}

json_t *support_json(const struct session *asker, enum store_result *result) {
    json_t *records = support_records(result);
    json_t *items = records ? all_shown(records, asker) : NULL;
    if (records && !items) *result = STORE_MEMORY;
    json_decref(records);
    return items;
}

static void get_support(struct exchange *x, struct request *r) {
    enum store_result result;
    json_t *items = support_json(r->session, &result);
    json_t *body = items ? json_pack("{s:b, s:s, s:o}", "available", (int)support_available(), "warning", warning, "items", items) : NULL;
    if (body)
        respond_json(x, 200, body);
    else
        answer_failure(x, items ? STORE_MEMORY : result);
}

/* ---- writing ---- */

static json_t *new_record(const char *text, const struct session *writer) {
    uint8_t id[ID_BYTES], reply[KEY_BYTES];
    char hex[2 * KEY_BYTES + 1] = "";
    ulid_new(id);
    random_bytes(id + ID_BYTES - 8, 8); /* the number it goes up with tells nothing */
    random_bytes(reply, sizeof reply);
    hex_write(reply, sizeof reply, hex);
    json_t *record = json_pack("{s:o, s:I, s:o, s:i, s:s, s:s}", "id", journal_id(id), "at", (json_int_t)time(NULL), "by",
                               journal_id(writer->user), "state", SUPPORT_SENDING, "reply", hex, "text", text);
    secret_wipe(reply, sizeof reply);
    secret_wipe(hex, sizeof hex);
    return record;
}

/* On the disk before it goes: what the provider has of us, we have, too. */
static enum store_result keep(const json_t *record, const struct session *writer) {
    enum store_result result =
        journal_add(JOURNAL_support_sent, writer->user, json_pack("{s:O}", "message", json_object_get(record, "id")));
    if (result == STORE_OK) result = support_save(record);
    if (result == STORE_OK) return exchange_commit();
    if (store_dirty(self.store)) store_lose(self.store, result); /* a line of what did not come about */
    return result;
}

static void write_message(struct exchange *x, const struct request *r, const char *text) {
    json_t *record = new_record(text, r->session);
    enum store_result result = record ? keep(record, r->session) : STORE_MEMORY;
    json_t *body = result == STORE_OK ? shown(record, r->session) : NULL;
    if (result == STORE_OK) support_send_next();
    if (body)
        respond_json(x, 201, body);
    else
        answer_failure(x, result == STORE_OK ? STORE_MEMORY : result);
    json_decref(record);
}

/* Whether another one may be written. false: answered. */
static bool has_room(struct exchange *x) {
    enum store_result result;
    json_t *records = support_records(&result);
    size_t count = json_array_size(records);
    if (!records)
        answer_failure(x, result);
    else if (count >= SUPPORT_RECORDS_MAX)
        respond_problem(x, 409, "too-many", "There are too many messages: delete some that the provider has removed.", NULL, 0);
    json_decref(records);
    return records && count < SUPPORT_RECORDS_MAX;
}

static struct pace written = {.most = SUPPORT_PER_MINUTE / 2};

/* Each byte of it is two in JSON at most, so that what is sealed always fits. */
static bool is_text(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' && !strchr("\n\r\t", *text)) return false;
    return true;
}

static void post_support(struct exchange *x, struct request *r) {
    static const char *const names[] = {"text", NULL};
    const char *text;
    json_t *object;
    if (!fields_read(x, r, names, &object)) return;
    if (!fields_string(x, object, "text", SUPPORT_TEXT_MAX, &text)) {
        json_decref(object);
        return;
    }
    if (!is_text(text))
        fields_refuse(x, "text", "Expected text without control characters.");
    else if (!support_available())
        respond_problem(x, 409, "no-support", "The provider takes no messages here.", NULL, 0);
    else if (pace_admit(&written, x) && has_room(x))
        write_message(x, r, text);
    json_decref(object);
}

/* ---- deleting ---- */

static void discard(struct exchange *x, const struct request *r, const json_t *record) {
    enum support_state state = support_state(record);
    if (state != SUPPORT_REMOVED && state != SUPPORT_REFUSED) {
        respond_problem(x, 409, "still-kept", "The provider keeps this message until its term is over; then it can be deleted here.", NULL,
                        0);
        return;
    }
    enum store_result result = support_delete(record);
    if (result == STORE_OK)
        result = journal_add(JOURNAL_support_deleted, r->session->user, json_pack("{s:O}", "message", json_object_get(record, "id")));
    if (result == STORE_OK)
        respond_empty(x, 204);
    else
        answer_failure(x, result);
}

static void delete_support(struct exchange *x, struct request *r) {
    enum store_result result;
    size_t i;
    json_t *record, *found = NULL, *records = support_records(&result);
    if (!records) {
        answer_failure(x, result);
        return;
    }
    json_array_foreach(records, i, record) {
        bool may = r->session->rights & RIGHT_ADMIN || is_own(record, r->session);
        if (may && slice_equals(r->segment[0], json_string_value(json_object_get(record, "id")))) found = record;
    }
    if (found)
        discard(x, r, found);
    else
        respond_problem(x, 404, "not-found", "There is no such message.", NULL, 0);
    json_decref(records);
}

const struct route support_routes[] = {
    {.method = HTTP_GET, .pattern = "/api/v1/support", .flags = ROUTE_NO_BODY, .handle = get_support},
    {.method = HTTP_POST, .pattern = "/api/v1/support", .flags = ROUTE_PERSON, .function = FUNCTION_support, .handle = post_support},
    {.method = HTTP_DELETE, .pattern = "/api/v1/support/{}", .flags = ROUTE_NO_BODY | ROUTE_PERSON, .handle = delete_support},
    {0},
};
