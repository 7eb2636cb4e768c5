#include "account.h"

#include "../crm/ulid.h"
#include "../functions.h"
#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../provider/references.h"
#include "../provider/regions.h"
#include "../tenant.h"
#include "../uplink.h"
#include "fields.h"
#include "invitations.h"
#include "login.h"
#include "login_text.h"
#include "password_thread.h"
#include "recovery.h"
#include "self_sufficient.h"
#include "session.h"
#include "sessions.h"
#include "users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOKEN_NAME_MAX = 128, TOKEN_SECONDS = 90 * 86400 /* unless its maker says otherwise (C12) */ };

int account_start(void) {
    char warm_up[USER_LOGIN_MAX + 1];
    if (!self.tmk) self.tmk = calloc(1, KEY_BYTES);
    if (!self.tmk || !keys_prepare() || !login_fold("a", warm_up)) {
        errno = ENOMEM;
        return -1;
    }
    return password_thread_start();
}

/* ---- the session ---- */

static void get_session(struct exchange *x, struct request *r) { answer_session(x, r->session, store_committed(self.store)); }

static void delete_session(struct exchange *x, struct request *r) {
    int error = session_end(r->session->slot);
    if (error && error != ENOENT) {
        answer_errno(x, error);
        return;
    }
    journal_tell(JOURNAL_logged_out, r->session->user, json_pack("{s:o}", "slot", journal_id(r->session->slot)));
    if (r->session->kind == SLOT_SESSION) session_cookie(x, NULL);
    respond_empty(x, 204);
}

static void post_recovery_kit(struct exchange *x, struct request *r) { answer_new_kit(x, r->session->user, r->session->slot); }

/* ---- tokens: made while the function is on; seen and taken away also while it is off (C4) ---- */

/* false: answered. The scopes are no more than the asker's rights. */
static bool read_token(struct exchange *x, const struct request *r, json_t *object, const char **name, uint32_t *rights,
                       uint64_t *expires) {
    if (!fields_string(x, object, "name", TOKEN_NAME_MAX, name)) return false;
    if (!rights_parse(json_object_get(object, "scopes"), rights)) {
        fields_refuse(x, "scopes", rights_expected);
        return false;
    }
    if (rights_expand(*rights) & ~r->session->rights) {
        respond_problem(x, 403, "rights", "A token cannot have more rights than its maker.", "scopes", 0);
        return false;
    }
    return fields_expires(x, object, TOKEN_SECONDS, 0, expires);
}

static json_t *token_json(const uint8_t id[ID_BYTES], const char *name, uint32_t rights, uint64_t created, uint64_t expires) {
    char text[ULID_TEXT + 1];
    ulid_text(id, text);
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", text, "name", name, "scopes", rights_names(rights), "created", json_time(created),
                     "expires", json_time(expires));
}

/* A token's name is the tenant's own word: it lies in the store, under the id of its slot. */
static enum store_result save_name(const uint8_t slot[ID_BYTES], const char *name) {
    json_t *o = json_pack("{s:s}", "token", name);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    enum store_result result = text ? store_put(self.store, STORE_SETTINGS, slot, text, strlen(text), STORE_ANY, NULL) : STORE_MEMORY;
    free(text);
    json_decref(o);
    return result;
}

static json_t *load_record(const uint8_t id[ID_BYTES]) {
    const uint8_t *value;
    size_t size;
    if (store_get(self.store, STORE_SETTINGS, id, &value, &size, NULL) != STORE_OK) return NULL;
    return json_loadb((const char *)value, size, 0, NULL);
}

/* With the name on the disk before the client has the token: one that cannot be recorded is not given out. */
static enum store_result tell_token(const struct session *maker, const uint8_t id[ID_BYTES], const char *name, uint32_t rights,
                                    uint64_t expires) {
    return journal_first(JOURNAL_token_made, maker->user,
                         json_pack("{s:o, s:o, s:s, s:o, s:o}", "slot", journal_id(id), "origin", journal_id(maker->slot), "name", name,
                                   "scopes", rights_names(rights), "expires", json_time(expires)));
}

static void make_token(struct exchange *x, const struct request *r, const char *name, uint32_t rights, uint64_t expires) {
    struct session token;
    uint8_t secret[KEY_BYTES];
    char text[TOKEN_TEXT + 1];
    int error = session_create(SLOT_TOKEN, r->session->user, rights, expires, r->session->slot, secret, &token);
    if (error) {
        answer_errno(x, error);
        return;
    }
    enum store_result result = save_name(token.slot, name);
    if (result == STORE_OK) result = tell_token(r->session, token.slot, name, rights, expires);
    json_t *body = NULL;
    if (result == STORE_OK) {
        session_token_text(secret, text);
        body = token_json(token.slot, name, rights, (uint64_t)time(NULL), expires);
        if (body && json_object_set_new(body, "token", json_string(text)) < 0) {
            json_decref(body);
            body = NULL;
        }
        if (!body) result = STORE_MEMORY;
    }
    secret_wipe(secret, sizeof secret);
    secret_wipe(text, sizeof text);
    if (body) {
        respond_json(x, 201, body);
        return;
    }
    session_end(token.slot); /* nobody has it */
    answer_failure(x, result);
}

/* C13: what other software may do is chosen by a user of the tenant, within his own rights */
static void post_token(struct exchange *x, struct request *r) {
    static const char *const names[] = {"name", "scopes", "expires", NULL};
    const char *name;
    uint32_t rights;
    uint64_t expires;
    json_t *object;
    if (!fields_read(x, r, names, &object)) return;
    if (read_token(x, r, object, &name, &rights, &expires)) make_token(x, r, name, rights, expires);
    json_decref(object);
}

json_t *token_name(const uint8_t slot[ID_BYTES]) {
    json_t *record = load_record(slot), *name = json_object_get(record, "token");
    name = json_is_string(name) ? json_incref(name) : json_string("");
    json_decref(record);
    return name;
}

void token_forget_name(const uint8_t slot[ID_BYTES]) { store_delete(self.store, STORE_SETTINGS, slot, STORE_ANY); }

static void get_tokens(struct exchange *x, struct request *r) {
    struct slot slot;
    json_t *items = json_array();
    for (size_t i = 0; items && capsule_slot(self.capsule, i, &slot); i++) {
        if (slot.kind != SLOT_TOKEN || !may_see(r->session, &slot, true)) continue;
        json_t *name = token_name(slot.id);
        int added = json_array_append_new(items, token_json(slot.id, json_string_value(name), slot.rights, slot.created, slot.expires));
        json_decref(name);
        if (added == 0) continue;
        json_decref(items);
        items = NULL;
    }
    answer_items(x, items);
}

static void delete_token(struct exchange *x, struct request *r) { end_login(x, r, SLOT_TOKEN); }

void account_enrolled(void) {
    if (self.profile.enrolled) return;
    uplink_enrolled();
    self.profile.enrolled = 1;
}

void account_unsealed(void) {
    /* It was cut short before that could be said. Not while a kit stands for the capsule: the registry's word makes a lost one an error. */
    if (capsule_enrolled(self.capsule) && store_count(self.store, STORE_USERS) > 0) account_enrolled();
    uplink_plain(function_on(FUNCTION_plain_socket));
    references_load();
    regions_load();
}

const struct route account_routes[] = {
    {HTTP_POST, "/api/v1/enrol", 0, ROUTE_PUBLIC, enrol},
    {HTTP_POST, "/api/v1/session", 0, ROUTE_PUBLIC, log_in},
    {HTTP_GET, "/api/v1/session", 0, ROUTE_NO_BODY | ROUTE_ROLLED, get_session},
    {HTTP_DELETE, "/api/v1/session", 0, ROUTE_NO_BODY | ROUTE_ROLLED, delete_session},
    {HTTP_POST, "/api/v1/recovery-kit", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, post_recovery_kit},
    {HTTP_GET, "/api/v1/self-sufficient-kit", RIGHT_ADMIN, ROUTE_NO_BODY, get_self_sufficient},
    {HTTP_POST, "/api/v1/self-sufficient-kit", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, make_self_sufficient},
    {HTTP_DELETE, "/api/v1/self-sufficient-kit", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, remove_self_sufficient},
    {HTTP_POST, "/api/v1/recovery", 0, ROUTE_PUBLIC, recover},
    {HTTP_PUT, "/api/v1/password", 0, ROUTE_PERSON, change_password},
    {HTTP_POST, "/api/v1/tokens", 0, ROUTE_PERSON, post_token, .function = FUNCTION_tokens},
    {HTTP_GET, "/api/v1/tokens", 0, ROUTE_NO_BODY, get_tokens},
    {HTTP_DELETE, "/api/v1/tokens/{}", 0, ROUTE_NO_BODY, delete_token},
    {HTTP_GET, "/api/v1/sessions", 0, ROUTE_NO_BODY, get_sessions},
    {HTTP_DELETE, "/api/v1/sessions", 0, ROUTE_NO_BODY, delete_sessions},
    {HTTP_DELETE, "/api/v1/sessions/{}", 0, ROUTE_NO_BODY, delete_one_session},
    {HTTP_GET, "/api/v1/users", RIGHT_ADMIN, ROUTE_NO_BODY, get_users},
    {HTTP_POST, "/api/v1/users", RIGHT_ADMIN, ROUTE_PERSON, invite_user},
    {HTTP_GET, "/api/v1/users/{}", RIGHT_ADMIN, ROUTE_NO_BODY, get_user},
    {HTTP_PATCH, "/api/v1/users/{}", RIGHT_ADMIN, ROUTE_PERSON, change_user},
    {HTTP_DELETE, "/api/v1/users/{}", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, remove_user},
    {HTTP_POST, "/api/v1/users/{}/invitation", RIGHT_ADMIN, ROUTE_PERSON, reset_user},
    {HTTP_POST, "/api/v1/invitations", 0, ROUTE_PUBLIC, redeem_invitation},
    {0},
};
