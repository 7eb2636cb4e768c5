/* A new password: the old one is stretched and tried first, except after a log-in by the recovery kit; then the new one. */
#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../tenant.h"
#include "fields.h"
#include "lockout.h"
#include "login.h"
#include "login_text.h"
#include "password_thread.h"
#include "user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct change {
    uint64_t exchange;
    struct session session; /* under which it was asked */
    uint8_t locator[ID_BYTES], peer[16], salt[32];
    char password[PASSWORD_MAX + 1]; /* the new one */
};

static void forget_change(struct change *c) {
    secret_wipe(c, sizeof *c);
    free(c);
}

/* All sessions of the user end, the new slot takes the old one's place, and this client gets another session: in this order, so that no
 * session lives on under a new password, whatever cuts it short. Recorded before. */
static int replace(struct exchange *x, const struct change *c, const uint8_t stretched[KEY_BYTES], enum store_result *recorded) {
    struct user user;
    struct session session;
    uint8_t secret[KEY_BYTES];
    if (!capsule_has(self.capsule, c->session.slot) || user_load(c->session.user, &user) != STORE_OK) return EPERM;
    struct slot slot = {.rights = RIGHT_ALL, .rights_epoch = user.rights_epoch};
    memcpy(slot.owner, user.id, ID_BYTES);
    memcpy(slot.locator, c->locator, ID_BYTES);
    memcpy(slot.origin, c->session.slot, ID_BYTES);
    *recorded = journal_first(JOURNAL_password_changed, user.id, json_pack("{s:o}", "origin", journal_id(slot.origin)));
    if (*recorded != STORE_OK) return EIO;
    int error = capsule_remove_owner(self.capsule, user.id, SLOT_SESSION);
    session_forget(user.id);
    if (!error) error = capsule_add_password(self.capsule, self.tmk, &slot, c->salt, stretched);
    if (!error) error = session_create(SLOT_SESSION, user.id, RIGHT_ALL, (uint64_t)time(NULL) + SESSION_SECONDS, slot.id, secret, &session);
    if (!error) session_cookie(x, secret);
    if (error) journal_tell(JOURNAL_undone, user.id, NULL);
    secret_wipe(secret, sizeof secret);
    return error;
}

static void new_stretched(void *argument, const uint8_t stretched[KEY_BYTES], int error) {
    struct change *c = argument;
    struct exchange *x = exchange_held(c->exchange);
    enum store_result recorded = STORE_OK;
    if (x && !error) error = replace(x, c, stretched, &recorded);
    if (x && !error)
        respond_empty(x, 204);
    else if (x && recorded != STORE_OK)
        answer_failure(x, recorded);
    else if (x && error == EPERM)
        answer_wrong(x);
    else if (x)
        answer_errno(x, error);
    forget_change(c);
}

static void stretch_new(struct exchange *x, struct change *c) {
    random_bytes(c->salt, sizeof c->salt);
    int error = password_thread_submit(c->password, c->salt, new_stretched, c);
    if (!error) return;
    answer_errno(x, error);
    forget_change(c);
}

static void old_stretched(void *argument, const uint8_t stretched[KEY_BYTES], int error) {
    struct change *c = argument;
    struct exchange *x = exchange_held(c->exchange);
    struct slot slot;
    uint8_t tmk[KEY_BYTES];
    bool right = !error && capsule_open_password(self.capsule, c->locator, stretched, &slot, tmk) &&
                 memcmp(slot.owner, c->session.user, ID_BYTES) == 0;
    secret_wipe(tmk, sizeof tmk);
    if (!error && right)
        lockout_forgive(c->locator, c->peer);
    else if (!error)
        lockout_failed(c->locator, c->peer);
    if (x && right) {
        stretch_new(x, c);
        return;
    }
    if (x && error)
        answer_errno(x, error);
    else if (x)
        answer_wrong(x);
    forget_change(c);
}

static bool find_slot(const uint8_t id[ID_BYTES], struct slot *slot) {
    for (size_t i = 0; capsule_slot(self.capsule, i, slot); i++)
        if (memcmp(slot->id, id, ID_BYTES) == 0) return true;
    return false;
}

/* Was this session opened with a recovery kit, of either kind, that is valid now? */
static bool by_kit(const struct session *session) {
    struct slot slot, origin;
    return find_slot(session->slot, &slot) && find_slot(slot.origin, &origin) &&
           (origin.kind == SLOT_RECOVERY || origin.kind == SLOT_SELF_SUFFICIENT);
}

static void begin(struct exchange *x, struct change *c, const char *old) {
    c->exchange = exchange_hold(x);
    if (!old) {
        stretch_new(x, c);
        return;
    }
    lockout_begin(c->locator, c->peer);
    capsule_login_salt(self.capsule, c->locator, c->salt);
    int error = password_thread_submit(old, c->salt, old_stretched, c);
    if (!error) return;
    answer_errno(x, error);
    forget_change(c);
}

/* false: answered. *old is NULL where none is wanted. */
static bool read_change(struct exchange *x, const struct request *r, json_t *object, struct change *c, char room[PASSWORD_MAX + 1],
                        const char **old) {
    const char *typed, *typed_old = NULL;
    struct user user;
    bool kit = by_kit(r->session);
    *old = NULL;
    if (!fields_string(x, object, "password", 2 * PASSWORD_MAX, &typed)) return false;
    if ((!kit || json_object_get(object, "old")) && !fields_string(x, object, "old", 2 * PASSWORD_MAX, &typed_old)) return false;
    if (!password_normalise(typed, false, c->password)) {
        fields_refuse(x, "password", "Expected 12 to 1024 bytes.");
        return false;
    }
    if (typed_old && !password_normalise(typed_old, true, room)) {
        fields_refuse(x, "old", "Expected 1 to 1024 bytes.");
        return false;
    }
    enum store_result result = user_load(r->session->user, &user);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return false;
    }
    c->session = *r->session;
    memcpy(c->peer, r->peer, sizeof c->peer);
    capsule_login_locator(self.capsule, user.login, c->locator);
    if (typed_old) *old = room;
    return !typed_old || !answer_wait(x, lockout_wait(c->locator, c->peer));
}

void change_password(struct exchange *x, struct request *r) {
    static const char *const names[] = {"old", "password", NULL};
    char room[PASSWORD_MAX + 1];
    const char *old;
    json_t *object;
    if (!fields_read(x, r, names, &object)) return;
    struct change *c = calloc(1, sizeof *c);
    if (!c)
        answer_errno(x, ENOMEM);
    else if (read_change(x, r, object, c, room, &old))
        begin(x, c, old);
    else
        forget_change(c);
    json_decref(object);
    secret_wipe(room, sizeof room);
}
