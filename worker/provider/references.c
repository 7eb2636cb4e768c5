#include "references.h"

#include "../../policy/references.h"
#include "../functions.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "../uplink.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <string.h>
#include <time.h>

/* As stored in STORE_SETTINGS: host byte order, sealed like every value. */
static struct { uint64_t since[32]; /* Unix seconds, by enum reference; 0 = not given */ } given;
static const uint8_t id[ID_BYTES] = "r:consents";

/* C10: no consent holds while the function is off, and what is withdrawn is told at once */
static void tell(void) {
    uint64_t bits = 0;
    for (int i = 0; i < REFERENCE_COUNT; i++)
        if (given.since[i]) bits |= (uint64_t)1 << i;
    uplink_references(function_on(FUNCTION_references) ? bits : 0);
}

void references_forget(void) { memset(&given, 0, sizeof given); }

void references_load(void) {
    store_get_struct(self.store, STORE_SETTINGS, id, &given, sizeof given); /* what cannot be read is not given */
    tell();
}

static enum store_result record(int which, bool on, const uint8_t user[ID_BYTES]) {
    return journal_add(JOURNAL_reference_switched, user,
                       json_pack("{s:s, s:b}", "reference", reference_table[which].name, "given", (int)on));
}

/* C10: a consent ends with the function; nobody finds it given again when that is switched on another day */
enum store_result references_withdraw(const uint8_t user[ID_BYTES]) {
    enum store_result result = store_delete(self.store, STORE_SETTINGS, id, STORE_ANY);
    if (result == STORE_MISSING) return STORE_OK;
    for (int i = 0; i < REFERENCE_COUNT && result == STORE_OK; i++)
        if (given.since[i]) record(i, false, user); /* on a full store too: the line is then counted as missing */
    return result;
}

/* The record and its line of the journal, or neither. */
static enum store_result keep(enum reference which, uint64_t since, const uint8_t user[ID_BYTES]) {
    uint64_t was = given.since[which];
    given.since[which] = since;
    enum store_result result = record((int)which, since > 0, user);
    if (result == STORE_OK) result = store_put(self.store, STORE_SETTINGS, id, &given, sizeof given, STORE_ANY, NULL);
    if (result == STORE_OK)
        result = exchange_commit();
    else if (store_dirty(self.store))
        store_lose(self.store, result);
    if (result != STORE_OK) given.since[which] = was;
    return result;
}

static json_t *reference_json(int i) {
    const struct reference_row *row = &reference_table[i];
    return json_pack("{s:s, s:{s:s, s:s}, s:b, s:o}", "name", row->name, "text", "fr", row->fr, "en", row->en, "given",
                     (int)(given.since[i] > 0), "since", json_time(given.since[i]));
}

static void get_references(struct exchange *x, struct request *r) {
    (void)r;
    json_t *items = json_array();
    for (int i = 0; items && i < REFERENCE_COUNT; i++)
        if (json_array_append_new(items, reference_json(i)) != 0) {
            json_decref(items);
            items = NULL;
        }
    answer_items(x, items);
}

static void put_reference(struct exchange *x, struct request *r) {
    static const char *const names[] = {"given", NULL};
    enum reference which = reference_find(r->segment[0].data, r->segment[0].size);
    json_t *object;
    if (which == REFERENCE_COUNT) {
        respond_problem(x, 404, "not-found", "There is no such use.", NULL, 0);
        return;
    }
    if (!fields_read(x, r, names, &object)) return;
    const json_t *wanted = json_object_get(object, "given");
    bool fine = json_is_boolean(wanted), on = json_is_true(wanted);
    json_decref(object);
    if (!fine) {
        fields_refuse(x, "given", "Expected true or false.");
        return;
    }
    enum store_result result = STORE_OK;
    if (on != (given.since[which] > 0)) result = keep(which, on ? (uint64_t)time(NULL) : 0, r->session->user);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    tell();
    respond_json(x, 200, reference_json((int)which));
}

const struct route reference_routes[] = {
    {HTTP_GET, "/api/v1/provider/references", 0, ROUTE_NO_BODY, get_references, FUNCTION_NONE},
    {HTTP_PUT, "/api/v1/provider/references/{}", RIGHT_ADMIN, ROUTE_PERSON, put_reference, FUNCTION_references},
    {0},
};
