#include "sessions.h"

#include "../crm/ulid.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "account.h"
#include "fields.h"
#include "login.h"
#include "user.h"

#include <errno.h>
#include <string.h>

static const char *const kind_names[] = {
    [SLOT_PASSWORD] = "password",     [SLOT_SESSION] = "session",       [SLOT_TOKEN] = "token",
    [SLOT_RECOVERY] = "recovery-kit", [SLOT_INVITATION] = "invitation", [SLOT_SELF_SUFFICIENT] = "self-sufficient-kit"};

static bool is_login(const struct slot *slot) { return slot->kind == SLOT_SESSION || slot->kind == SLOT_TOKEN; }
static bool is_narrow(const struct session *asker) { return asker->kind == SLOT_TOKEN && !(asker->rights & RIGHT_ADMIN); }

bool may_see(const struct session *asker, const struct slot *slot, bool everybody) {
    if (is_narrow(asker)) return memcmp(slot->id, asker->slot, ID_BYTES) == 0;
    return (everybody && asker->rights & RIGHT_ADMIN) || memcmp(slot->owner, asker->user, ID_BYTES) == 0;
}

/* ---- the list ---- */

static json_t *origin_json(const uint8_t id[ID_BYTES]) {
    static const uint8_t none[ID_BYTES];
    char text[ULID_TEXT + 1];
    struct slot origin;
    const char *kind = NULL;
    if (memcmp(id, none, ID_BYTES) == 0) return json_null();
    for (size_t i = 0; !kind && capsule_slot(self.capsule, i, &origin); i++)
        if (memcmp(origin.id, id, ID_BYTES) == 0) kind = kind_names[origin.kind];
    ulid_text(id, text);
    return json_pack("{s:s, s:s?}", "id", text, "kind", kind);
}

static json_t *login_json(const struct session *asker, const struct slot *slot) {
    char id[ULID_TEXT + 1], owner[ULID_TEXT + 1];
    struct user user;
    if (user_load(slot->owner, &user) != STORE_OK) user = (struct user){0};
    ulid_text(slot->id, id);
    ulid_text(slot->owner, owner);
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "id", id, "kind", kind_names[slot->kind], "user", "id",
                     owner, "login", user.login, "name", slot->kind == SLOT_TOKEN ? token_name(slot->id) : json_null(), "rights",
                     rights_names(rights_expand(slot->rights) & rights_expand(user.rights)), "created", json_time(slot->created), "used",
                     json_time(session_used(slot->id)), "expires", json_time(slot->expires), "origin", origin_json(slot->origin), "current",
                     memcmp(slot->id, asker->slot, ID_BYTES) == 0);
}

/* false: answered. */
static bool whose(struct exchange *x, const struct request *r, bool *everybody) {
    if (!fields_flag(x, r, "everybody", everybody)) return false;
    if (!*everybody || r->session->rights & RIGHT_ADMIN) return true;
    respond_problem(x, 403, "rights", "Only an administrator sees and ends those of others.", "everybody", 0);
    return false;
}

void get_sessions(struct exchange *x, struct request *r) {
    struct slot slot;
    bool everybody;
    if (!whose(x, r, &everybody)) return;
    json_t *items = json_array();
    for (size_t i = 0; items && capsule_slot(self.capsule, i, &slot); i++) {
        if (!is_login(&slot) || !may_see(r->session, &slot, everybody)) continue;
        if (json_array_append_new(items, login_json(r->session, &slot)) == 0) continue;
        json_decref(items);
        items = NULL;
    }
    answer_items(x, items);
}

/* ---- their ends ---- */

void end_login(struct exchange *x, struct request *r, uint32_t kind) {
    uint8_t id[ID_BYTES];
    struct slot slot;
    bool found = false;
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    /* One that leaked must not cut off the others, nor learn which there are. */
    if (named && is_narrow(r->session) && memcmp(id, r->session->slot, ID_BYTES) != 0) {
        respond_problem(x, 403, "rights", "A token ends no other one.", NULL, 0);
        return;
    }
    for (size_t i = 0; named && !found && capsule_slot(self.capsule, i, &slot); i++)
        found = memcmp(slot.id, id, ID_BYTES) == 0 && is_login(&slot) && (!kind || slot.kind == kind) && may_see(r->session, &slot, true);
    int error = found ? session_end(id) : ENOENT;
    if (error == ENOENT) {
        respond_problem(x, 404, "not-found", kind ? "There is no such token." : "There is no such session or token.", NULL, 0);
        return;
    }
    if (error) {
        answer_errno(x, error);
        return;
    }
    if (slot.kind == SLOT_TOKEN) token_forget_name(id);
    journal_tell(slot.kind == SLOT_TOKEN ? JOURNAL_token_removed : JOURNAL_session_removed, r->session->user,
                 json_pack("{s:o}", "slot", journal_id(id)));
    respond_empty(x, 204);
}

void delete_one_session(struct exchange *x, struct request *r) { end_login(x, r, 0); }

void delete_sessions(struct exchange *x, struct request *r) {
    bool everybody;
    if (is_narrow(r->session)) {
        respond_problem(x, 403, "rights", "A token ends no other one.", NULL, 0);
        return;
    }
    if (!whose(x, r, &everybody)) return;
    int error = session_end_others(everybody ? NULL : r->session->user, r->session->slot);
    if (error && error != ENOENT) {
        answer_errno(x, error);
        return;
    }
    journal_tell(JOURNAL_sessions_ended, r->session->user, json_pack("{s:b}", "everybody", (int)everybody));
    respond_empty(x, 204);
}
