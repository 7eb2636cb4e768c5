#include "functions.h"

#include "crm/ulid.h"
#include "journal/journal.h"
#include "provider/references.h"
#include "tenant.h"
#include "uplink.h"
#include "web/fields.h"
#include "web/login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* As stored in STORE_SETTINGS while a function is on: fixed size, host byte order, sealed like every value. */
struct setting {
    uint32_t version, reserved; /* of the text that was confirmed */
    uint64_t since;             /* Unix seconds */
    uint8_t by[ID_BYTES];
};
static struct setting now[FUNCTION_COUNT]; /* version 0 = off */

/* C4, C12: off until it is read from the tenant's open store that it is on */
bool function_on(enum function f) {
    return f > FUNCTION_NONE && f < FUNCTION_COUNT && now[f].version == (uint32_t)function_table[f].version;
}

uint64_t function_since(enum function f) { return now[f].since; }

/* ---- in the store ---- */

static void setting_id(enum function f, uint8_t id[ID_BYTES]) {
    _Static_assert(2 + FUNCTION_NAME_MAX == ID_BYTES, "f: and the name");
    char text[ID_BYTES + 1] = {0};
    snprintf(text, sizeof text, "f:%s", function_table[f].name);
    memcpy(id, text, ID_BYTES);
}

void functions_forget(void) { memset(now, 0, sizeof now); }

void functions_load(void) {
    functions_forget();
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++) {
        uint8_t id[ID_BYTES];
        setting_id((enum function)f, id);
        store_get_struct(self.store, STORE_SETTINGS, id, &now[f], sizeof now[f]); /* what cannot be read is off */
    }
}

static json_t *about(enum function f, bool on) {
    return json_pack("{s:s, s:b, s:i}", "function", function_table[f].name, "enabled", (int)on, "version", function_table[f].version);
}

/* C4: an administrator switches it, of a text that he has read, and the plain socket with it */
/* The record and its line of the journal, or neither. */
static enum store_result switch_on(enum function f, const uint8_t user[ID_BYTES]) {
    struct setting setting = {.version = (uint32_t)function_table[f].version, .since = (uint64_t)time(NULL)};
    uint8_t id[ID_BYTES];
    setting_id(f, id);
    memcpy(setting.by, user, ID_BYTES);
    enum store_result result = journal_add(JOURNAL_switched, user, about(f, true));
    if (result == STORE_OK && f == FUNCTION_references) result = references_withdraw(user); /* of another text, which was off by itself */
    if (result == STORE_OK) result = store_put(self.store, STORE_SETTINGS, id, &setting, sizeof setting, STORE_ANY, NULL);
    if (result == STORE_OK)
        result = exchange_commit();
    else if (store_dirty(self.store))
        store_lose(self.store, result); /* a line of what did not come about */
    if (result == STORE_OK) now[f] = setting;
    return result;
}

/* Works on a full store too; its line is then counted as missing. */
static enum store_result switch_off(enum function f, const uint8_t user[ID_BYTES]) {
    uint8_t id[ID_BYTES];
    setting_id(f, id);
    enum store_result result = store_delete(self.store, STORE_SETTINGS, id, STORE_ANY);
    if (result == STORE_OK || result == STORE_MISSING) result = f == FUNCTION_references ? references_withdraw(user) : STORE_OK;
    if (result != STORE_OK) {
        if (store_dirty(self.store)) store_lose(self.store, result);
        return result;
    }
    journal_add(JOURNAL_switched, user, about(f, false));
    result = exchange_commit();
    if (result == STORE_OK) memset(&now[f], 0, sizeof now[f]);
    return result;
}

/* ---- the routes ---- */

static json_t *both(struct both text) { return json_pack("{s:s, s:s}", "fr", text.fr, "en", text.en); }

json_t *function_json(enum function f) {
    const struct function_row *row = &function_table[f];
    const struct setting *s = &now[f];
    char by[ULID_TEXT + 1] = "";
    ulid_text(s->by, by);
    return json_pack("{s:s, s:b, s:i, s:o, s:o, s:s?, s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", row->name, "enabled",
                     (int)function_on(f), "version", row->version, "confirmed", s->version ? json_integer(s->version) : json_null(),
                     "since", json_time(s->since), "by", s->version ? by : NULL, "switched_by", who_names[row->switched_by], "once",
                     who_names[row->once], "needed", row->needed[0] ? row->needed : NULL, "basis", both(basis_table[row->basis]), "title",
                     both(row->title), "purpose", both(row->purpose), "data", both(row->data), "recipients", both(row->recipients), "term",
                     both(row->term), "text", both(row->meaning));
}

static void get_functions(struct exchange *x, struct request *r) {
    (void)r;
    json_t *items = json_array();
    for (int f = FUNCTION_NONE + 1; items && f < FUNCTION_COUNT; f++)
        if (json_array_append_new(items, function_json((enum function)f)) != 0) {
            json_decref(items);
            items = NULL;
        }
    answer_items(x, items);
}

/* What was asked for. false: answered. */
static bool read_wish(struct exchange *x, const struct request *r, enum function f, bool *on) {
    static const char *const names[] = {"enabled", "confirmed", NULL};
    json_t *object;
    if (!fields_read(x, r, names, &object)) return false;
    json_t *enabled = json_object_get(object, "enabled"), *confirmed = json_object_get(object, "confirmed");
    bool fine = false;
    *on = json_is_true(enabled);
    if (!json_is_boolean(enabled))
        fields_refuse(x, "enabled", "Expected true or false.");
    else if (*on && !json_is_integer(confirmed))
        fields_refuse(x, "confirmed", "Expected the version of the text that was read.");
    else if (*on && json_integer_value(confirmed) != function_table[f].version)
        respond_problem(x, 409, "text-changed", "What was confirmed is not the present text: read it again.", "confirmed", 0);
    else
        fine = true;
    json_decref(object);
    return fine;
}

static void put_function(struct exchange *x, struct request *r) {
    enum function f = function_find(r->segment[0].data, r->segment[0].size);
    bool on;
    if (f == FUNCTION_NONE) {
        respond_problem(x, 404, "not-found", "There is no such function.", NULL, 0);
        return;
    }
    if (!read_wish(x, r, f, &on)) return;
    enum store_result result = STORE_OK;
    if (on != function_on(f) || (!on && now[f].version)) result = on ? switch_on(f, r->session->user) : switch_off(f, r->session->user);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    if (f == FUNCTION_references) references_load();  /* what may be cited hangs on it */
    if (f == FUNCTION_plain_socket) uplink_plain(on); /* the supervisor opens the socket once it is on the disk that it was asked to */
    json_t *body = function_json(f);
    if (body)
        respond_json(x, 200, body);
    else
        answer_errno(x, ENOMEM);
}

const struct route function_routes[] = {
    {HTTP_GET, "/api/v1/functions", 0, ROUTE_NO_BODY, get_functions},
    {HTTP_PUT, "/api/v1/functions/{}", RIGHT_ADMIN, ROUTE_PERSON, put_function},
    {0},
};
