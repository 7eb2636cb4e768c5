#include "invitations.h"

#include "../journal/journal.h"
#include "../tenant.h"
#include "fields.h"
#include "lockout.h"
#include "login.h"
#include "login_text.h"
#include "password_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int invitation_make(const struct user *user, uint64_t expires, const uint8_t origin[ID_BYTES], char code[KIT_TEXT + 1]) {
    uint8_t secret[KEY_BYTES];
    struct slot slot = {.kind = SLOT_INVITATION, .rights_epoch = user->rights_epoch, .expires = expires};
    memcpy(slot.owner, user->id, ID_BYTES);
    memcpy(slot.origin, origin, ID_BYTES);
    random_bytes(secret, sizeof secret);
    int error = capsule_add_secret(self.capsule, self.tmk, &slot, secret);
    if (!error) kit_format(secret, code);
    secret_wipe(secret, sizeof secret);
    return error;
}

/* What waits for the password thread. */
struct redemption {
    uint64_t exchange;
    uint8_t invitation[ID_BYTES], user[ID_BYTES], salt[32];
};

/* The password takes the invitation's place. Recorded before. EPERM: another was quicker, or the user is gone. */
static int redeem(const struct redemption *d, const uint8_t stretched[KEY_BYTES], struct slot *password, enum store_result *recorded) {
    struct user user;
    if (!capsule_has(self.capsule, d->invitation) || user_load(d->user, &user) != STORE_OK) return EPERM;
    *password = (struct slot){.rights = RIGHT_ALL, .rights_epoch = user.rights_epoch};
    memcpy(password->owner, user.id, ID_BYTES);
    memcpy(password->origin, d->invitation, ID_BYTES);
    capsule_login_locator(self.capsule, user.login, password->locator);
    *recorded = journal_first(JOURNAL_user_joined, user.id, json_pack("{s:o}", "origin", journal_id(d->invitation)));
    if (*recorded != STORE_OK) return EIO;
    int error = capsule_add_password(self.capsule, self.tmk, password, d->salt, stretched);
    if (error) journal_tell(JOURNAL_undone, user.id, NULL);
    return error;
}

/* A client that went away cannot know whether its password holds: the code stays. */
static void password_stretched(void *argument, const uint8_t stretched[KEY_BYTES], int error) {
    struct redemption *d = argument;
    struct exchange *x = exchange_held(d->exchange);
    struct slot password;
    enum store_result recorded = STORE_OK;
    if (x && !error) error = redeem(d, stretched, &password, &recorded);
    if (x && recorded != STORE_OK)
        answer_failure(x, recorded);
    else if (x && error == EPERM)
        answer_wrong(x);
    else if (x && error)
        answer_errno(x, error);
    else
        begin_session(x, &password, NULL);
    free(d);
}

static void stretch(struct exchange *x, const struct slot *invitation, const char *password) {
    struct redemption *d = calloc(1, sizeof *d);
    int error = d ? 0 : ENOMEM;
    if (d) {
        d->exchange = exchange_hold(x);
        memcpy(d->invitation, invitation->id, ID_BYTES);
        memcpy(d->user, invitation->owner, ID_BYTES);
        random_bytes(d->salt, sizeof d->salt);
        error = password_thread_submit(password, d->salt, password_stretched, d);
    }
    if (!error) return;
    free(d);
    answer_errno(x, error);
}

/* Opens the slot that the code names. false: answered. */
static bool open_invitation(struct exchange *x, const struct request *r, const uint8_t code[KEY_BYTES], struct slot *slot) {
    uint8_t tmk[KEY_BYTES];
    struct user user;
    bool right = capsule_open_secret(self.capsule, code, slot, tmk) && slot->kind == SLOT_INVITATION, opened = false;
    if (right) {
        opened = open_tenant(x, slot, tmk, NULL);
        right = opened && user_load(slot->owner, &user) == STORE_OK;
        if (opened && !right) answer_wrong(x);
    } else {
        lockout_failed(NULL, r->peer);
        journal_login_failed();
        count(COUNTER_login_failures, 1);
        answer_wrong(x);
    }
    secret_wipe(tmk, sizeof tmk);
    return right;
}

void redeem_invitation(struct exchange *x, struct request *r) {
    static const char *const names[] = {"code", "password", NULL};
    const char *typed, *typed_password;
    char password[PASSWORD_MAX + 1] = "";
    uint8_t code[KEY_BYTES] = {0};
    struct slot slot;
    json_t *object;
    if (refuse_foreign(x, r) || !fields_read(x, r, names, &object)) return;
    if (!fields_string(x, object, "code", 256, &typed) || !fields_string(x, object, "password", 2 * PASSWORD_MAX, &typed_password)) {
        /* answered */
    } else if (!kit_parse(typed, code)) {
        fields_refuse(x, "code", "Not an invitation's code: look for a slip of the pen.");
    } else if (!password_normalise(typed_password, false, password)) {
        fields_refuse(x, "password", "Expected 12 to 1024 bytes.");
    } else if (!answer_wait(x, lockout_wait(NULL, r->peer)) && open_invitation(x, r, code, &slot)) {
        stretch(x, &slot, password);
    }
    json_decref(object);
    secret_wipe(code, sizeof code);
    secret_wipe(password, sizeof password);
}
