#include "confirmations.h"

#include "../functions.h"
#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../tenant.h"
#include "fields.h"
#include "login.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct confirmation {
    enum function function; /* FUNCTION_NONE = free */
    int64_t until;          /* monotonic seconds */
    uint8_t slot[ID_BYTES]; /* of the session */
    uint8_t code[KEY_BYTES];
};
static struct confirmation kept[CONFIRMATIONS_MAX];
static int64_t skew;

void confirmations_pass(unsigned seconds) { skew += seconds; }

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec + skew;
}

static bool is_free(const struct confirmation *c) { return c->function == FUNCTION_NONE || c->until <= now(); }

/* The session's one for this function is made anew; else a free place. NULL: there is none. */
static struct confirmation *place_for(const uint8_t slot[ID_BYTES], enum function f) {
    struct confirmation *found = NULL;
    for (size_t i = 0; i < CONFIRMATIONS_MAX; i++) {
        if (kept[i].function == f && memcmp(kept[i].slot, slot, ID_BYTES) == 0) return &kept[i];
        if (!found && is_free(&kept[i])) found = &kept[i];
    }
    return found;
}

static json_t *about(enum function f) {
    return json_pack("{s:s, s:i}", "function", function_table[f].name, "version", function_table[f].version);
}

/* ---- spending ---- */

static struct confirmation *shown(const struct request *r, enum function f) {
    const struct slice *field = http_header_find(r->head, "Cloison-Confirmation");
    struct confirmation *found = NULL;
    uint8_t code[KEY_BYTES];
    if (!r->session || !field || !secret_parse(field->data, field->size, code)) return NULL;
    for (size_t i = 0; i < CONFIRMATIONS_MAX && !found; i++) {
        bool good = !is_free(&kept[i]) && kept[i].function == f && memcmp(kept[i].slot, r->session->slot, ID_BYTES) == 0;
        if (good && secret_equal(kept[i].code, code, sizeof code)) found = &kept[i];
    }
    secret_wipe(code, sizeof code);
    return found;
}

/* C4: what is off is done once for a user who confirmed it, by one request of his session */
enum store_result confirmation_spend(const struct request *r, enum function f) {
    struct confirmation *c = shown(r, f);
    if (!c) return STORE_MISSING;
    secret_wipe(c, sizeof *c); /* also when it cannot be recorded: never twice */
    return journal_first(JOURNAL_confirmation_spent, r->session->user, about(f));
}

/* ---- making ---- */

/* The function that is meant, whose present text was read, and which this user may confirm. FUNCTION_NONE: answered. */
static enum function read_wish(struct exchange *x, const struct request *r) {
    static const char *const names[] = {"function", "confirmed", NULL};
    enum function f = FUNCTION_NONE;
    const char *name;
    json_t *object;
    if (!fields_read(x, r, names, &object)) return FUNCTION_NONE;
    json_t *confirmed = json_object_get(object, "confirmed");
    bool fine = false;
    if (fields_string(x, object, "function", FUNCTION_NAME_MAX, &name)) {
        f = function_find(name, strlen(name));
        enum function_who once = function_table[f].once;
        if (f == FUNCTION_NONE)
            fields_refuse(x, "function", "Expected the name of a function.");
        else if (!json_is_integer(confirmed))
            fields_refuse(x, "confirmed", "Expected the version of the text that was read.");
        else if (json_integer_value(confirmed) != function_table[f].version)
            respond_problem(x, 409, "text-changed", "What was confirmed is not the present text: read it again.", "confirmed", 0);
        else if (once == WHO_NOBODY)
            respond_problem(x, 409, "not-once", "This function is not for a single use: an administrator switches it on.", "function", 0);
        else if (once == WHO_ADMINISTRATOR && !(r->session->rights & RIGHT_ADMIN))
            respond_problem(x, 403, "rights", "An administrator confirms a use of this function.", NULL, 0);
        else
            fine = true;
    }
    json_decref(object);
    return fine ? f : FUNCTION_NONE;
}

static void answer(struct exchange *x, const struct confirmation *c) {
    char text[SECRET_TEXT + 1];
    secret_format(c->code, text);
    json_t *body = json_pack("{s:s, s:s, s:o}", "code", text, "function", function_table[c->function].name, "expires",
                             json_time((uint64_t)time(NULL) + CONFIRMATION_SECONDS));
    secret_wipe(text, sizeof text);
    if (body)
        respond_json(x, 201, body);
    else
        answer_errno(x, ENOMEM);
}

static void post_confirmation(struct exchange *x, struct request *r) {
    enum function f = read_wish(x, r);
    if (!f) return;
    struct confirmation *c = place_for(r->session->slot, f);
    if (!c) {
        respond_problem(x, 429, "too-many", "Too many confirmations wait to be used; wait a little.", NULL, 0);
        return;
    }
    enum store_result result = journal_first(JOURNAL_confirmed, r->session->user, about(f));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    *c = (struct confirmation){.function = f, .until = now() + CONFIRMATION_SECONDS};
    memcpy(c->slot, r->session->slot, ID_BYTES);
    random_bytes(c->code, sizeof c->code);
    answer(x, c);
}

const struct route confirmation_routes[] = {
    {HTTP_POST, "/api/v1/confirmations", 0, ROUTE_PERSON, post_confirmation},
    {0},
};
