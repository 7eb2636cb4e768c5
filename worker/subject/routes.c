#include "subject.h"

#include "../crm/answer.h"
#include "../journal/journal.h"
#include "../web/fields.h"
#include "../web/login.h"
#include "erase.h"
#include "holdings.h"
#include "package.h"

#include <string.h>

static enum store_result restrict_contact(const struct record *old, bool restricted, struct record *new, struct text *stored) {
    *new = (struct record){.kind = KIND_CONTACT, .fields = json_deep_copy(old->fields)};
    memcpy(new->id, old->id, ID_BYTES);
    if (!new->fields) return STORE_MEMORY;
    json_object_del(new->fields, "restricted");
    if (restricted && json_object_set_new(new->fields, "restricted", json_true()) != 0) return STORE_MEMORY;
    return catalog_change(old, new, stored);
}

static void answer_restriction(struct exchange *x, const struct request *r, bool restricted) {
    struct record old, changed = {0};
    struct text stored = {0};
    uint8_t id[ID_BYTES];
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    enum store_result result = named ? catalog_get(KIND_CONTACT, id, &old) : STORE_MISSING;
    if (result == STORE_OK) {
        result = restrict_contact(&old, restricted, &changed, &stored);
        record_free(&old);
    }
    if (result == STORE_OK) {
        journal_add(JOURNAL_subject_restricted, r->session->user, json_pack("{s:o, s:b}", "id", journal_id(id), "restricted", restricted));
        answer_etag(x, changed.version);
        respond_bytes(x, 200, "application/json", stored.data, stored.size);
    } else {
        answer_store(x, result);
    }
    text_free(&stored);
    record_free(&changed);
}

static void put_restriction(struct exchange *x, struct request *r) {
    static const char *const known[] = {"restricted", NULL};
    json_t *body;
    if (!fields_read(x, r, known, &body)) return;
    json_t *restricted = json_object_get(body, "restricted");
    if (json_is_boolean(restricted))
        answer_restriction(x, r, json_is_true(restricted));
    else
        fields_refuse(x, "restricted", "Expected true or false.");
    json_decref(body);
}

const struct route subject_routes[] = {
    {HTTP_GET, "/api/v1/contacts/{}/package", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, package_get, FUNCTION_NONE},
    {HTTP_PUT, "/api/v1/contacts/{}/restriction", RIGHT_ADMIN, ROUTE_PERSON, put_restriction, FUNCTION_NONE},
    {HTTP_POST, "/api/v1/contacts/{}/erasure", RIGHT_ADMIN, ROUTE_PERSON, erase_post, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/provider/holdings", RIGHT_ADMIN, ROUTE_NO_BODY, holdings_get, FUNCTION_NONE},
    {0},
};
