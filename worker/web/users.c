#include "users.h"

#include "../crm/ulid.h"
#include "../journal/journal.h"
#include "../tenant.h"
#include "account.h"
#include "fields.h"
#include "invitations.h"
#include "login.h"
#include "login_text.h"
#include "self_sufficient.h"
#include "user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- answers ---- */

static const char *state_of(const uint8_t id[ID_BYTES]) {
    if (capsule_slots_of(self.capsule, id, SLOT_PASSWORD)) return "active";
    return capsule_slots_of(self.capsule, id, SLOT_INVITATION) ? "invited" : "closed";
}

static json_t *user_json(const struct user *user) {
    char id[ULID_TEXT + 1];
    ulid_text(user->id, id);
    return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:s, s:b}", "id", id, "login", user->login, "role", rights_role(user->rights), "rights",
                     rights_names(user->rights), "created", json_time(user->created), "state", state_of(user->id), "recovery_kit",
                     (int)(capsule_slots_of(self.capsule, user->id, SLOT_RECOVERY) > 0));
}

static void answer_body(struct exchange *x, int status, json_t *body) {
    if (body)
        respond_json(x, status, body);
    else
        answer_errno(x, ENOMEM);
}

static void answer_missing(struct exchange *x, enum store_result result) {
    if (result == STORE_MISSING)
        respond_problem(x, 404, "not-found", "There is no such user.", NULL, 0);
    else
        answer_failure(x, result);
}

/* One whose record does not open: it can be removed. */
static json_t *damaged_json(const uint8_t id[ID_BYTES]) {
    return json_pack("{s:o, s:s, s:n, s:[], s:n, s:s, s:b}", "id", journal_id(id), "login", "", "role", "rights", "created", "state",
                     "damaged", "recovery_kit", (int)(capsule_slots_of(self.capsule, id, SLOT_RECOVERY) > 0));
}

/* The walk over the records cannot say whose it was that did not open; their slots can. false: out of memory. */
static bool add_damaged(json_t *items) {
    uint8_t seen[USERS_MAX][ID_BYTES];
    struct user user;
    struct slot slot;
    size_t n = 0;
    for (size_t i = 0; n < USERS_MAX && capsule_slot(self.capsule, i, &slot); i++) {
        size_t s = 0;
        while (s < n && memcmp(seen[s], slot.owner, ID_BYTES) != 0)
            s++;
        if (s < n || user_load(slot.owner, &user) != STORE_BROKEN) continue;
        memcpy(seen[n++], slot.owner, ID_BYTES);
        if (json_array_append_new(items, damaged_json(slot.owner)) != 0) return false;
    }
    return true;
}

/* With the code, which nobody sees again. */
static void answer_invitation(struct exchange *x, const struct user *user, const char *code, uint64_t expires) {
    json_t *body = user_json(user);
    json_t *secret = json_pack("{s:s, s:o}", "code", code, "code_expires", json_time(expires));
    if (!secret || json_object_update(body, secret) < 0) {
        json_decref(body);
        body = NULL;
    }
    json_decref(secret);
    answer_body(x, 201, body);
}

/* ---- who is meant, and what remains without them ---- */

/* The user that the path names. false: answered. */
static bool path_user(struct exchange *x, const struct request *r, struct user *user) {
    uint8_t id[ID_BYTES];
    bool named = ulid_parse(r->segment[0].data, r->segment[0].size, id);
    enum store_result result = named ? user_load(id, user) : STORE_MISSING;
    if (result != STORE_OK) answer_missing(x, result);
    return result == STORE_OK;
}

/* Has another administrator a slot of this kind? */
static bool another_has(const struct user_list *all, const struct user *user, enum slot_kind kind) {
    for (size_t i = 0; i < all->count; i++) {
        const struct user *other = &all->user[i];
        bool is_other = memcmp(other->id, user->id, ID_BYTES) != 0;
        if (is_other && other->rights & RIGHT_ADMIN && capsule_slots_of(self.capsule, other->id, kind)) return true;
    }
    return false;
}

static bool has_kit(const struct user *user) {
    return capsule_slots_of(self.capsule, user->id, SLOT_RECOVERY) || capsule_slots_of(self.capsule, user->id, SLOT_SELF_SUFFICIENT);
}

/* May the tenant lose this administrator's log-in, and with `kit` also their recovery kit? false: answered. */
static bool can_spare(struct exchange *x, const struct user *user, bool kit) {
    struct user_list *all;
    if (!(user->rights & RIGHT_ADMIN)) return true;
    enum store_result result = users_load(&all);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return false;
    }
    bool administered = another_has(all, user, SLOT_PASSWORD);
    bool recoverable = !kit || !has_kit(user) || another_has(all, user, SLOT_RECOVERY) || another_has(all, user, SLOT_SELF_SUFFICIENT);
    free(all);
    if (!administered)
        respond_problem(x, 409, "last-administrator", "No other administrator can log in.", NULL, 0);
    else if (!recoverable)
        respond_problem(x, 409, "only-kit", "This user has the only recovery kit: another administrator makes one first.", NULL, 0);
    return administered && recoverable;
}

/* ---- reading ---- */

void get_users(struct exchange *x, struct request *r) {
    (void)r;
    struct user_list *all;
    enum store_result result = users_load(&all);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    json_t *items = json_array();
    int failed = 0;
    for (size_t i = 0; i < all->count; i++)
        failed |= json_array_append_new(items, user_json(&all->user[i]));
    free(all);
    if (failed || !add_damaged(items)) {
        json_decref(items);
        items = NULL;
    }
    answer_items(x, items);
}

void get_user(struct exchange *x, struct request *r) {
    struct user user;
    if (path_user(x, r, &user)) answer_body(x, 200, user_json(&user));
}

/* ---- inviting ---- */

/* Exactly one of `role` and `rights`. false: answered. */
static bool read_rights(struct exchange *x, json_t *object, uint32_t *rights) {
    json_t *role = json_object_get(object, "role"), *list = json_object_get(object, "rights");
    if (!role == !list)
        fields_refuse(x, "rights", "Expected a role or a list of rights.");
    else if (role && !rights_of_role(role, rights))
        fields_refuse(x, "role", roles_expected);
    else if (list && !rights_parse(list, rights))
        fields_refuse(x, "rights", rights_expected);
    else
        return true;
    return false;
}

/* Room for one more, and a login that nobody has. false: answered. */
static bool is_new(struct exchange *x, const struct user *user) {
    struct user_list *all;
    enum store_result result = users_load(&all);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return false;
    }
    bool room = store_count(self.store, STORE_USERS) < USERS_MAX, taken = false;
    for (size_t i = 0; i < all->count; i++)
        taken |= strcmp(all->user[i].login, user->login) == 0;
    free(all);
    if (taken)
        respond_problem(x, 409, "login-taken", "Another user has this login.", "login", 0);
    else if (!room)
        respond_problem(x, 409, "too-many", "There are too many users: remove some first.", NULL, 0);
    return room && !taken;
}

/* The record is on the disk before its code exists: a code without a user would open nothing but the tenant. */
static void invite(struct exchange *x, const struct request *r, const struct user *user, uint64_t expires) {
    char code[KIT_TEXT + 1];
    enum store_result result = user_save(user);
    if (result == STORE_OK)
        result = journal_first(JOURNAL_user_invited, r->session->user,
                               json_pack("{s:o, s:s, s:o, s:o}", "invited", journal_id(user->id), "login", user->login, "rights",
                                         rights_names(user->rights), "expires", json_time(expires)));
    if (result != STORE_OK) {
        user_delete(user->id);
        answer_failure(x, result);
        return;
    }
    int error = invitation_make(user, expires, r->session->slot, code);
    if (error) {
        journal_tell(JOURNAL_undone, r->session->user, NULL);
        user_delete(user->id);
        answer_errno(x, error);
        return;
    }
    answer_invitation(x, user, code, expires);
    secret_wipe(code, sizeof code);
}

void invite_user(struct exchange *x, struct request *r) {
    static const char *const names[] = {"login", "role", "rights", "expires", NULL};
    const char *login;
    struct user user = {.created = (uint64_t)time(NULL)};
    uint64_t expires;
    json_t *object;
    if (!fields_read(x, r, names, &object)) return;
    random_bytes(user.id, sizeof user.id);
    bool fine = fields_string(x, object, "login", 4 * USER_LOGIN_MAX, &login);
    if (fine && !login_fold(login, user.login)) {
        fields_refuse(x, "login", "Expected up to 128 bytes without control characters.");
        fine = false;
    }
    fine = fine && read_rights(x, object, &user.rights) && fields_expires(x, object, INVITATION_SECONDS, INVITATION_LONGEST, &expires) &&
           is_new(x, &user);
    json_decref(object);
    if (fine) invite(x, r, &user, expires);
}

/* A new code instead of the old one or of the password: for one who lost it, or whose should open nothing any more. Tokens stay. */
static void reset(struct exchange *x, const struct request *r, const struct user *user, uint64_t expires) {
    char code[KIT_TEXT + 1];
    enum store_result result = journal_first(JOURNAL_user_reset, r->session->user,
                                             json_pack("{s:o, s:o}", "about", journal_id(user->id), "expires", json_time(expires)));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    int error = capsule_remove_owner(self.capsule, user->id, SLOT_SESSION);
    session_forget(user->id);
    if (!error || error == ENOENT) error = invitation_make(user, expires, r->session->slot, code);
    if (error) {
        journal_tell(JOURNAL_undone, r->session->user, NULL);
        answer_errno(x, error);
        return;
    }
    answer_invitation(x, user, code, expires);
    secret_wipe(code, sizeof code);
}

void reset_user(struct exchange *x, struct request *r) {
    static const char *const names[] = {"expires", NULL};
    struct user user;
    uint64_t expires;
    json_t *object;
    if (!path_user(x, r, &user) || !fields_read(x, r, names, &object)) return;
    bool fine = fields_expires(x, object, INVITATION_SECONDS, INVITATION_LONGEST, &expires);
    json_decref(object);
    if (!fine) return;
    if (memcmp(user.id, r->session->user, ID_BYTES) == 0)
        respond_problem(x, 409, "own-password", "One's own password is changed at /api/v1/password.", NULL, 0);
    else if (can_spare(x, &user, false))
        reset(x, r, &user, expires);
}

/* ---- rights ---- */

/* After the new rights are on the disk: what was made under more than them ends, and so does a kit that is no administrator's. */
static int end_former(const struct user *user, bool taken) {
    int error = taken ? session_end_others(user->id, NULL) : 0;
    session_forget(user->id);
    bool administrator = user->rights & RIGHT_ADMIN;
    if ((!error || error == ENOENT) && !administrator) error = capsule_remove_owner(self.capsule, user->id, SLOT_RECOVERY);
    if ((!error || error == ENOENT) && !administrator) error = capsule_remove_owner(self.capsule, user->id, SLOT_SELF_SUFFICIENT);
    self_sufficient_follow(user->id);
    return error == ENOENT ? 0 : error;
}

static void change(struct exchange *x, const struct request *r, struct user *user, uint32_t rights) {
    uint32_t taken = rights_expand(user->rights) & ~rights_expand(rights);
    const struct user before = *user;
    if (taken & RIGHT_ADMIN && !can_spare(x, user, true)) return;
    user->rights = rights;
    if (taken) user->rights_epoch++;
    enum store_result result = user_save(user);
    if (result == STORE_OK)
        result = journal_first(JOURNAL_user_changed, r->session->user,
                               json_pack("{s:o, s:o}", "about", journal_id(user->id), "rights", rights_names(user->rights)));
    if (result != STORE_OK) {
        user_save(&before);
        answer_failure(x, result);
        return;
    }
    int error = end_former(user, taken);
    if (error)
        answer_errno(x, error);
    else
        answer_body(x, 200, user_json(user));
}

void change_user(struct exchange *x, struct request *r) {
    static const char *const names[] = {"role", "rights", NULL};
    struct user user;
    uint32_t rights;
    json_t *object;
    if (!path_user(x, r, &user) || !fields_read(x, r, names, &object)) return;
    bool fine = read_rights(x, object, &rights);
    json_decref(object);
    if (fine) change(x, r, &user, rights);
}

/* ---- removing ---- */

/* The slots first: a user without credentials can be removed again, a credential without a user could not. */
static void remove_all(struct exchange *x, const struct request *r, const struct user *user) {
    uint8_t token[SLOTS_OF_TOKENS][ID_BYTES];
    size_t tokens = 0;
    struct slot slot;
    for (size_t i = 0; tokens < SLOTS_OF_TOKENS && capsule_slot(self.capsule, i, &slot); i++)
        if (slot.kind == SLOT_TOKEN && memcmp(slot.owner, user->id, ID_BYTES) == 0) memcpy(token[tokens++], slot.id, ID_BYTES);
    int error = capsule_remove_owner(self.capsule, user->id, 0);
    session_forget(user->id);
    if (error && error != ENOENT) {
        answer_errno(x, error);
        return;
    }
    enum store_result result = user_delete(user->id);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    for (size_t i = 0; i < tokens; i++)
        token_forget_name(token[i]);
    journal_tell(JOURNAL_user_removed, r->session->user, json_pack("{s:o}", "about", journal_id(user->id)));
    self_sufficient_follow(r->session->user);
    if (memcmp(user->id, r->session->user, ID_BYTES) == 0) session_cookie(x, NULL);
    respond_empty(x, 204);
}

/* Of a record that does not open the rights are not known: whoever removes it must be able to spare an administrator. */
static bool path_user_damaged(const struct request *r, struct user *user) {
    if (!ulid_parse(r->segment[0].data, r->segment[0].size, user->id) || user_load(user->id, user) != STORE_BROKEN) return false;
    *user = (struct user){.rights = RIGHT_ALL};
    return ulid_parse(r->segment[0].data, r->segment[0].size, user->id);
}

/* C2: who is removed is gone at once, in sessions, tokens and what he had begun */
void remove_user(struct exchange *x, struct request *r) {
    struct user user;
    bool damaged = path_user_damaged(r, &user);
    if ((damaged || path_user(x, r, &user)) && can_spare(x, &user, true)) remove_all(x, r, &user);
}
