#include "recovery.h"

#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../keys/kit_record.h"
#include "../kit_keeper.h"
#include "../rotation/rotation.h"
#include "../tenant.h"
#include "account.h"
#include "fields.h"
#include "lockout.h"
#include "login.h"
#include "login_text.h"
#include "password_thread.h"
#include "user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What waits for the password thread. */
struct recovery {
    uint64_t exchange;
    char login[USER_LOGIN_MAX + 1];
    uint8_t salt[32], secret[KEY_BYTES], tmk[KEY_BYTES], tenant[ID_BYTES];
    unsigned file; /* the data file in which the record was found */
    struct slot kit;
};

static void forget(struct recovery *d) {
    secret_wipe(d, sizeof *d);
    free(d);
}

static bool can_be(struct exchange *x) {
    if (tenant_restoring() && !capsule_enrolled(self.capsule)) return true;
    respond_problem(x, 409, "not-restoring", "This tenant is not being restored: log in.", NULL, 0);
    return false;
}

/* ---- after the KDF ---- */

static bool login_is_free(const struct user *user, enum store_result *result) {
    struct user_list *all;
    bool is_free = true;
    *result = users_load(&all);
    for (size_t i = 0; all && i < all->count; i++)
        is_free &= strcmp(all->user[i].login, user->login) != 0 || memcmp(all->user[i].id, user->id, ID_BYTES) == 0;
    free(all);
    return is_free;
}

/* The kit's owner with the new login, also where the record is damaged; what was given out before is of an older epoch. */
static enum store_result renew_owner(const struct recovery *d, struct user *user) {
    enum store_result result = user_load(d->kit.owner, user);
    if (result != STORE_OK && result != STORE_BROKEN && result != STORE_MISSING) return result;
    if (result != STORE_OK) *user = (struct user){.created = (uint64_t)time(NULL), .rights_epoch = d->kit.rights_epoch};
    memcpy(user->id, d->kit.owner, ID_BYTES);
    snprintf(user->login, sizeof user->login, "%s", d->login);
    user->rights = RIGHT_ALL;
    user->rights_epoch++;
    if (!login_is_free(user, &result)) return STORE_CONFLICT;
    if (result == STORE_OK) result = user_save(user);
    if (result == STORE_OK) result = journal_first(JOURNAL_recovered, user->id, json_pack("{s:s}", "login", user->login));
    return result;
}

/* The store first, then the capsule in one write: cut short in between, the kit can do it again. */
static enum store_result open_store(const struct recovery *d, struct user *user) {
    if (!self.keys && capsule_become(self.capsule, d->tenant, d->file) != 0) return STORE_MEMORY;
    if (tenant_unseal(d->tmk, SLOT_SELF_SUFFICIENT) != 0) return STORE_BROKEN;
    return renew_owner(d, user);
}

static void finish(struct exchange *x, const struct recovery *d, const uint8_t stretched[KEY_BYTES]) {
    struct user user;
    enum store_result result = open_store(d, &user);
    if (result == STORE_CONFLICT) {
        respond_problem(x, 409, "login-taken", "Another user has this login.", "login", 0);
        return;
    }
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    struct slot password = {.rights = RIGHT_ALL, .rights_epoch = user.rights_epoch};
    memcpy(password.owner, user.id, ID_BYTES);
    capsule_login_locator(self.capsule, user.login, password.locator);
    int error = capsule_recover(self.capsule, &password, d->salt, stretched, &d->kit, d->secret, d->tmk);
    if (error) {
        journal_tell(JOURNAL_undone, user.id, NULL);
        answer_errno(x, error);
        return;
    }
    account_enrolled();
    kit_keep(self.store, self.tmk); /* with the log-in's line; the rotation makes it anew in any case */
    rotation_ask(user.id);
    begin_session(x, &password, user.login);
}

static void stretched_done(void *argument, const uint8_t stretched[KEY_BYTES], int error) {
    struct recovery *d = argument;
    struct exchange *x = exchange_held(d->exchange);
    if (x && error)
        answer_errno(x, error);
    else if (x && can_be(x))
        finish(x, d, stretched);
    forget(d);
}

/* ---- before it ---- */

/* false: answered. */
static bool open_record(struct exchange *x, const struct request *r, struct recovery *d) {
    struct kit_record record;
    d->file = tenant_newest_file();
    if (store_clear_get(self.store, &record, sizeof record) == STORE_OK && kit_record_open(&record, d->secret, &d->kit, d->tmk)) {
        memcpy(d->tenant, record.tenant, ID_BYTES);
        return true;
    }
    lockout_failed(NULL, r->peer);
    journal_login_failed();
    count(COUNTER_login_failures, 1);
    answer_wrong(x);
    return false;
}

/* false: answered. */
static bool read_body(struct exchange *x, json_t *object, struct recovery *d, char password[PASSWORD_MAX + 1]) {
    const char *kit, *login, *typed;
    if (!fields_string(x, object, "recovery_kit", 256, &kit) || !fields_string(x, object, "login", 4 * USER_LOGIN_MAX, &login) ||
        !fields_string(x, object, "password", 2 * PASSWORD_MAX, &typed))
        return false;
    if (!kit_parse(kit, d->secret))
        fields_refuse(x, "recovery_kit", "Not a recovery kit: look for a slip of the pen.");
    else if (!login_fold(login, d->login))
        fields_refuse(x, "login", "Expected up to 128 bytes without control characters.");
    else if (!password_normalise(typed, false, password))
        fields_refuse(x, "password", "Expected 12 to 1024 bytes.");
    else
        return true;
    return false;
}

static void submit(struct exchange *x, struct recovery *d, const char *password) {
    random_bytes(d->salt, sizeof d->salt);
    d->exchange = exchange_hold(x);
    int error = password_thread_submit(password, d->salt, stretched_done, d);
    if (!error) return;
    answer_errno(x, error);
    forget(d);
}

void recover(struct exchange *x, struct request *r) {
    static const char *const names[] = {"recovery_kit", "login", "password", NULL};
    char password[PASSWORD_MAX + 1] = "";
    json_t *object;
    if (refuse_foreign(x, r) || !can_be(x) || !fields_read(x, r, names, &object)) return;
    struct recovery *d = calloc(1, sizeof *d);
    if (!d)
        answer_errno(x, ENOMEM);
    else if (read_body(x, object, d, password) && !answer_wait(x, lockout_wait(NULL, r->peer)) && open_record(x, r, d))
        submit(x, d, password);
    else
        forget(d);
    json_decref(object);
    secret_wipe(password, sizeof password);
}
