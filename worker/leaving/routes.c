#include "leaving.h"
#include "restitution.h"

#include "../../policy/hex.h"
#include "../journal/journal.h"
#include "../pace.h"
#include "../tenant.h"
#include "../uplink.h"
#include "../web/fields.h"
#include "../web/login.h"

#include <string.h>

static json_t *fetched(void) {
    uint64_t when;
    uint8_t hash[RESTITUTION_HASH];
    char text[2 * RESTITUTION_HASH + 1];
    if (!restitution_last(&when, hash)) return json_null();
    hex_write(hash, sizeof hash, text);
    return json_pack("{s:o, s:s}", "when", json_time(when), "sha256", text);
}

static void show(struct exchange *x, struct request *r) {
    (void)r;
    const struct message_start *p = &self.profile;
    const char *state = !p->end_ms ? "none" : p->returned_ms ? "returned" : "ending";
    respond_json(x, 200,
                 json_pack("{s:s, s:o, s:o, s:o, s:o}", "state", state, "since", json_time(p->end_ms / 1000), "term",
                           json_time(p->term_ms / 1000), "returned", json_time(p->returned_ms / 1000), "fetched", fetched()));
}

/* Whether the sum is that of the last one that went out whole. false: answered. */
static bool has_fetched(struct exchange *x, json_t *body) {
    const char *said;
    uint8_t hash[RESTITUTION_HASH], last[RESTITUTION_HASH];
    uint64_t when;
    if (!fields_string(x, body, "sha256", 2 * RESTITUTION_HASH, &said)) return false;
    if (strlen(said) != 2 * RESTITUTION_HASH || !hex_read(said, sizeof hash, hash)) {
        fields_refuse(x, "sha256", "Expected 64 hexadecimal digits in lower case.");
        return false;
    }
    if (restitution_last(&when, last) && memcmp(hash, last, sizeof hash) == 0) return true;
    respond_problem(x, 409, "not-fetched", "This is not the sum of the last restitution that went out whole: fetch it again.", "sha256", 0);
    return false;
}

static struct pace said = {.most = WORDS_PER_MINUTE / 2};

/* The line is on the disk before anything is said upwards. */
static void confirm(struct exchange *x, struct request *r) {
    static const char *const names[] = {"sha256", "destroy", NULL};
    json_t *body;
    if (!pace_admit(&said, x) || !fields_read(x, r, names, &body)) return;
    const json_t *destroy = json_object_get(body, "destroy");
    bool wanted = json_is_true(destroy);
    if (!json_is_boolean(destroy)) {
        fields_refuse(x, "destroy", "Expected true or false.");
    } else if (!self.profile.end_ms) {
        respond_problem(x, 409, "contract-goes-on", "The contract has not ended.", NULL, 0);
    } else if (has_fetched(x, body)) {
        enum store_result result = journal_add(JOURNAL_leaving, r->session->user, json_pack("{s:b}", "destroy", (int)wanted));
        if (result == STORE_OK) result = exchange_commit();
        if (result == STORE_OK || result == STORE_FULL) {
            uplink_leaving(wanted ? LEAVING_DESTROY : LEAVING_RETURNED);
            respond_empty(x, 202);
        } else {
            answer_failure(x, result);
        }
    }
    json_decref(body);
}

const struct route leaving_routes[] = {
    {HTTP_GET, "/api/v1/leaving", 0, ROUTE_NO_BODY, show, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/restitution", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, restitution_handle, FUNCTION_NONE},
    {HTTP_POST, "/api/v1/leaving", RIGHT_ADMIN, ROUTE_PERSON, confirm, FUNCTION_NONE},
    {0},
};
