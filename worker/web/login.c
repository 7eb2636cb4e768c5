#include "login.h"

#include "../../policy/enrol_code.h"
#include "../crm/ulid.h"
#include "../journal/journal.h"
#include "../keys/credential.h"
#include "../tenant.h"
#include "../uplink.h"
#include "account.h"
#include "fields.h"
#include "lockout.h"
#include "login_text.h"
#include "password_thread.h"
#include "user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What waits for the password thread. */
struct attempt {
    uint64_t exchange;
    bool enrolling;
    char login[USER_LOGIN_MAX + 1];
    uint8_t locator[ID_BYTES], peer[16], salt[32];
};

/* ---- answers ---- */

void answer_errno(struct exchange *x, int error) {
    if (error == ENOMEM) count(COUNTER_out_of_memory, 1);
    if (error == ENOSPC)
        respond_problem(x, 409, "too-many", "There are too many credentials: end some first.", NULL, 0);
    else if (error == ENOMEM)
        respond_problem(x, 503, "out-of-memory", "There is not enough memory now; try again.", NULL, 0);
    else
        respond_problem(x, 503, "try-again", "The credential could not be kept; try again.", NULL, 0);
}

void answer_items(struct exchange *x, json_t *items) {
    json_t *body = items ? json_pack("{s:o}", "items", items) : NULL;
    if (body)
        respond_json(x, 200, body);
    else
        answer_errno(x, ENOMEM);
}

void answer_failure(struct exchange *x, enum store_result result) {
    if (result == STORE_FULL)
        respond_problem(x, 507, "full", "The store is full.", NULL, 0);
    else if (result == STORE_BROKEN)
        respond_problem(x, 500, "damaged", "A record does not open.", NULL, 0);
    else
        answer_errno(x, result == STORE_MEMORY ? ENOMEM : EIO);
}

/* What an administrator should do something about. */
static json_t *warnings(void) { return capsule_ways_in(self.capsule) < 2 ? json_pack("[s]", "one-way-in") : json_array(); }

void answer_session(struct exchange *x, const struct session *session, uint64_t last_commit) {
    struct user user;
    char id[ULID_TEXT + 1];
    enum store_result result = user_load(session->user, &user);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    ulid_text(session->user, id);
    json_t *body =
        json_pack("{s:{s:s, s:s}, s:o, s:I, s:o, s:o}", "user", "id", id, "login", user.login, "rights", rights_names(session->rights),
                  "commit", (json_int_t)store_commits(self.store), "last_commit", json_time(last_commit), "warnings", warnings());
    if (body)
        respond_json(x, 200, body);
    else
        answer_errno(x, ENOMEM);
}

void answer_kit(struct exchange *x, const uint8_t kit[KEY_BYTES]) {
    char text[KIT_TEXT + 1];
    kit_format(kit, text);
    json_t *body = json_pack("{s:s}", "recovery_kit", text);
    secret_wipe(text, sizeof text);
    if (body)
        respond_json(x, 201, body);
    else
        answer_errno(x, ENOMEM);
}

void answer_new_kit(struct exchange *x, const uint8_t user[ID_BYTES], const uint8_t *origin) {
    uint8_t kit[KEY_BYTES];
    struct slot slot = {.kind = SLOT_RECOVERY, .rights = RIGHT_ALL};
    struct user owner;
    enum store_result result = user_load(user, &owner);
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    slot.rights_epoch = owner.rights_epoch;
    memcpy(slot.owner, user, ID_BYTES);
    if (origin) memcpy(slot.origin, origin, ID_BYTES);
    result = journal_first(JOURNAL_kit_made, user, json_pack("{s:o}", "origin", journal_id(slot.origin)));
    if (result != STORE_OK) {
        answer_failure(x, result);
        return;
    }
    random_bytes(kit, sizeof kit);
    int error = capsule_add_secret(self.capsule, self.tmk, &slot, kit);
    if (error) {
        journal_tell(JOURNAL_undone, user, NULL);
        answer_errno(x, error);
    } else {
        answer_kit(x, kit);
    }
    secret_wipe(kit, sizeof kit);
}

void answer_wrong(struct exchange *x) { respond_problem(x, 401, "credentials", "These credentials open nothing.", NULL, 0); }

bool answer_wait(struct exchange *x, unsigned seconds) {
    if (seconds == 0) return false;
    char text[12];
    snprintf(text, sizeof text, "%u", seconds);
    respond_header(x, "Retry-After", text);
    respond_problem(x, 429, "try-later", "There were several wrong log-ins: wait before the next one.", NULL, 0);
    return true;
}

/* ---- after the KDF ---- */

/* The administrator's record belongs to the enrolment but lies in the other file: whoever first opens a tenant without users is it. */
static enum store_result ensure_user(const struct slot *slot, const char *login) {
    struct user user;
    enum store_result result = user_load(slot->owner, &user);
    if (result != STORE_MISSING || store_count(self.store, STORE_USERS) != 0) return result;
    user = (struct user){.rights = slot->rights, .created = slot->created};
    memcpy(user.id, slot->owner, ID_BYTES);
    snprintf(user.login, sizeof user.login, "%s", login);
    result = journal_add(JOURNAL_enrolled, user.id, json_pack("{s:s}", "login", login));
    return result == STORE_OK ? user_save(&user) : result;
}

static void tell_login(const struct session *session, const struct slot *slot, const char *login) {
    const char *by = slot->kind == SLOT_RECOVERY ? "recovery_kit" : slot->kind == SLOT_SELF_SUFFICIENT ? "self_sufficient_kit" : "password";
    journal_tell(
        JOURNAL_logged_in, session->user,
        json_pack("{s:s*, s:o, s:o, s:s}", "login", login, "slot", journal_id(session->slot), "origin", journal_id(slot->id), "by", by));
}

/* A slot was opened: makes the session and answers. x NULL: the client went away. login: NULL where it named none. */
void begin_session(struct exchange *x, const struct slot *slot, const char *login) {
    uint8_t secret[KEY_BYTES];
    struct session session;
    uint64_t last_commit = store_committed(self.store); /* before this log-in writes its line */
    if (!x) return;                                     /* no credential for nobody */
    int error = session_create(SLOT_SESSION, slot->owner, slot->rights, (uint64_t)time(NULL) + SESSION_SECONDS, slot->id, secret, &session);
    if (error == ENOENT) {
        answer_wrong(x); /* a slot whose user is gone */
    } else if (error) {
        answer_errno(x, error);
    } else {
        count(COUNTER_logins, 1);
        tell_login(&session, slot, login);
        session_cookie(x, secret);
        session_seen(x);
        answer_session(x, &session, last_commit);
    }
    secret_wipe(secret, sizeof secret);
}

/* Whoever knows of the enrolment refuses another: so the record it rests on is on the disk before anybody is told. */
static enum store_result keep_user(const struct slot *slot, const char *login) {
    enum store_result result = ensure_user(slot, login);
    if (result != STORE_OK || self.profile.enrolled) return result;
    result = exchange_commit();
    if (result == STORE_OK) account_enrolled();
    return result;
}

bool open_tenant(struct exchange *x, const struct slot *slot, const uint8_t tmk[KEY_BYTES], const char *login) {
    enum store_result result = STORE_IO;
    if (tenant_unseal(tmk, slot->kind) == 0) result = login ? keep_user(slot, login) : STORE_OK;
    if (result == STORE_OK) return true;
    if (x && result == STORE_MISSING)
        answer_wrong(x);
    else if (x)
        answer_failure(x, result);
    return false;
}

static void finish_login(struct exchange *x, const struct attempt *a, const uint8_t stretched[KEY_BYTES]) {
    struct slot slot;
    uint8_t tmk[KEY_BYTES];
    if (!capsule_open_password(self.capsule, a->locator, stretched, &slot, tmk)) {
        lockout_failed(a->locator, a->peer);
        journal_login_failed();
        count(COUNTER_login_failures, 1);
        if (x) answer_wrong(x);
        return;
    }
    lockout_forgive(a->locator, a->peer);
    if (open_tenant(x, &slot, tmk, a->login)) begin_session(x, &slot, a->login);
    secret_wipe(tmk, sizeof tmk);
}

static void answer_enrolled(struct exchange *x) { respond_problem(x, 409, "enrolled", "This tenant is enrolled already.", NULL, 0); }

/* The capsule was written, but the answer never came: with the same login and password the enrolment goes on where it stopped, and with
 * a new kit. Ends when the supervisor knows of the enrolment. */
static void resume_enrolment(struct exchange *x, const struct attempt *a, const uint8_t stretched[KEY_BYTES]) {
    struct slot slot;
    uint8_t tmk[KEY_BYTES];
    if (!capsule_open_password(self.capsule, a->locator, stretched, &slot, tmk)) {
        lockout_failed(a->locator, a->peer);
        answer_enrolled(x);
        return;
    }
    if (open_tenant(x, &slot, tmk, a->login)) answer_new_kit(x, slot.owner, NULL);
    secret_wipe(tmk, sizeof tmk);
}

/* One write of the capsule makes the tenant; everything after it can be made again from what it holds. */
static void finish_enrolment(struct exchange *x, const struct attempt *a, const uint8_t stretched[KEY_BYTES]) {
    if (!x) return;
    if (capsule_enrolled(self.capsule)) {
        resume_enrolment(x, a, stretched);
        return;
    }
    struct slot password = {.rights = RIGHT_ALL}, recovery = {.rights = RIGHT_ALL};
    uint8_t tmk[KEY_BYTES], kit[KEY_BYTES];
    random_bytes(password.owner, ID_BYTES);
    memcpy(recovery.owner, password.owner, ID_BYTES);
    memcpy(password.locator, a->locator, ID_BYTES);
    random_bytes(kit, sizeof kit);
    int error = capsule_enrol(self.capsule, &password, a->salt, stretched, &recovery, kit, tmk);
    if (error)
        answer_errno(x, error);
    else if (open_tenant(x, &password, tmk, a->login))
        answer_kit(x, kit);
    secret_wipe(kit, sizeof kit);
    secret_wipe(tmk, sizeof tmk);
}

static void stretched_done(void *argument, const uint8_t stretched[KEY_BYTES], int error) {
    struct attempt *a = argument;
    struct exchange *x = exchange_held(a->exchange);
    if (error && x) {
        answer_errno(x, error);
    } else if (!error && a->enrolling) {
        finish_enrolment(x, a, stretched);
    } else if (!error) {
        finish_login(x, a, stretched);
    }
    secret_wipe(a, sizeof *a);
    free(a);
}

/* ---- before the KDF ---- */

static void stretch(struct exchange *x, const struct attempt *template, const char *password) {
    struct attempt *a = malloc(sizeof *a);
    int error = ENOMEM;
    if (a) {
        *a = *template;
        a->exchange = exchange_hold(x);
        error = password_thread_submit(password, a->salt, stretched_done, a);
    }
    if (!error) return;
    free(a);
    answer_errno(x, error);
}

bool refuse_foreign(struct exchange *x, const struct request *r) {
    if (session_same_origin(r)) return false;
    respond_problem(x, 403, "foreign-page", "A page of another site may not do this.", NULL, 0);
    return true;
}

/* The login and password of a body. false: answered. */
static bool read_login(struct exchange *x, json_t *object, bool enrolling, struct attempt *a, char password[PASSWORD_MAX + 1]) {
    const char *login, *typed;
    if (!fields_string(x, object, "login", 4 * USER_LOGIN_MAX, &login) || !fields_string(x, object, "password", 2 * PASSWORD_MAX, &typed))
        return false;
    if (!login_fold(login, a->login)) {
        fields_refuse(x, "login", "Expected up to 128 bytes without control characters.");
        return false;
    }
    if (!password_normalise(typed, !enrolling, password)) {
        fields_refuse(x, "password", "Expected 12 to 1024 bytes.");
        return false;
    }
    capsule_login_locator(self.capsule, a->login, a->locator);
    return true;
}

/* Only PASSWORD_MIN tells a new password from one that is tried: a short one that is tried is wrong like any other. */
static void log_in_by_password(struct exchange *x, const struct request *r, json_t *object) {
    struct attempt a = {0};
    char password[PASSWORD_MAX + 1];
    memcpy(a.peer, r->peer, sizeof a.peer);
    if (read_login(x, object, false, &a, password) && !answer_wait(x, lockout_wait(a.locator, a.peer))) {
        lockout_begin(a.locator, a.peer);
        capsule_login_salt(self.capsule, a.locator, a.salt);
        stretch(x, &a, password);
    }
    secret_wipe(password, sizeof password);
}

/* A kit is random: no KDF, and wrong tries count for the source alone, so that nobody can keep its owner out with them. */
static void log_in_by_kit(struct exchange *x, const struct request *r, json_t *object) {
    const char *typed;
    uint8_t kit[KEY_BYTES], tmk[KEY_BYTES];
    struct slot slot;
    if (!fields_string(x, object, "recovery_kit", 256, &typed)) return;
    if (!kit_parse(typed, kit)) {
        fields_refuse(x, "recovery_kit", "Not a recovery kit: look for a slip of the pen.");
        return;
    }
    if (answer_wait(x, lockout_wait(NULL, r->peer))) return;
    bool fits = capsule_open_secret(self.capsule, kit, &slot, tmk) && (slot.kind == SLOT_RECOVERY || slot.kind == SLOT_SELF_SUFFICIENT);
    if (!fits) {
        lockout_failed(NULL, r->peer);
        journal_login_failed();
        count(COUNTER_login_failures, 1);
        answer_wrong(x);
    } else if (open_tenant(x, &slot, tmk, NULL)) {
        begin_session(x, &slot, NULL);
    }
    secret_wipe(kit, sizeof kit);
    secret_wipe(tmk, sizeof tmk);
}

void log_in(struct exchange *x, struct request *r) {
    static const char *const names[] = {"login", "password", "recovery_kit", NULL};
    json_t *object;
    if (refuse_foreign(x, r) || !fields_read(x, r, names, &object)) return;
    bool kit = json_object_get(object, "recovery_kit");
    if (kit && tenant_restoring() && !capsule_enrolled(self.capsule))
        respond_problem(x, 409, "restoring", "The key capsule is lost: a self-sufficient kit makes another one, at /api/v1/recovery.", NULL,
                        0);
    else if (kit)
        log_in_by_kit(x, r, object);
    else
        log_in_by_password(x, r, object);
    json_decref(object);
}

/* false: answered. */
static bool check_code(struct exchange *x, const struct request *r, const char *typed) {
    static const uint8_t none[ENROL_CODE_HASH];
    char code[ENROL_CODE_CHARS + 1];
    uint8_t hash[ENROL_CODE_HASH];
    if (answer_wait(x, lockout_wait(NULL, r->peer))) return false;
    bool fine = enrol_code_normalise(typed, code);
    sha256(code, fine ? ENROL_CODE_CHARS : 0, hash);
    fine &= secret_equal(hash, self.profile.enrol_hash, sizeof hash) && !secret_equal(none, self.profile.enrol_hash, sizeof none);
    secret_wipe(code, sizeof code);
    if (fine) return true;
    lockout_failed(NULL, r->peer);
    respond_problem(x, 403, "enrolment-code", "This is not the enrolment code.", "code", 0);
    return false;
}

void enrol(struct exchange *x, struct request *r) {
    static const char *const names[] = {"code", "login", "password", NULL};
    const char *code;
    json_t *object;
    if (refuse_foreign(x, r) || !fields_read(x, r, names, &object)) return;
    struct attempt a = {.enrolling = true};
    char password[PASSWORD_MAX + 1];
    memcpy(a.peer, r->peer, sizeof a.peer);
    if (self.profile.enrolled) {
        answer_enrolled(x);
    } else if (fields_string(x, object, "code", 128, &code) && read_login(x, object, true, &a, password) && check_code(x, r, code) &&
               !answer_wait(x, lockout_wait(a.locator, a.peer))) {
        random_bytes(a.salt, sizeof a.salt);
        if (capsule_enrolled(self.capsule)) capsule_login_salt(self.capsule, a.locator, a.salt);
        stretch(x, &a, password);
    }
    json_decref(object);
    secret_wipe(password, sizeof password);
}
