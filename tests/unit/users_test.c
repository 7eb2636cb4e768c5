/*
 * Users, invitations, rights and the lists of sessions over the real capsule and store: who may what, what is gone when it was taken away,
 * in this worker, in the next and when one was killed in the middle.
 */
#include "account_fake.h"

#include "../../worker/crm/ulid.h"
#include "../../worker/keys/capsule_state.h"
#include "../../worker/web/invitations.h"

/* The clock of the whole program, so that days can pass. */
static time_t ahead;
time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += ahead;
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

struct person {
    char id[64], path[96], code[KIT_TEXT + 1], cookie[512];
};
static struct person anna, bert, cleo;

static int as(const struct person *p, enum http_method method, const char *path, const char *body) {
    strcpy(cookie_field, p->cookie);
    return with_cookie(method, path, body);
}
static void keep_cookie(struct person *p) { snprintf(p->cookie, sizeof p->cookie, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie); }

static int log_in_person(struct person *p, const char *login, const char *secret) {
    int status = log_in_as(login, secret);
    if (status == 200) keep_cookie(p);
    return status;
}

static int redeem(struct person *p, const char *code_text, const char *secret) {
    char body[256];
    snprintf(body, sizeof body, "{\"code\":\"%s\",\"password\":\"%s\"}", code_text, secret);
    lockout_pass(LOCKOUT_LAST_SECONDS + 1);
    int status = post("/api/v1/invitations", body);
    if (status == 200 && p) keep_cookie(p);
    return status;
}

static int invite(struct person *p, const char *login, const char *rest) {
    char body[256];
    snprintf(body, sizeof body, "{\"login\":\"%s\",%s}", login, rest);
    int status = as(&anna, HTTP_POST, "/api/v1/users", body);
    if (status != 201) return status;
    snprintf(p->id, sizeof p->id, "%s", text("id"));
    snprintf(p->path, sizeof p->path, "/api/v1/users/%s", text("id"));
    snprintf(p->code, sizeof p->code, "%s", text("code"));
    return status;
}

static void join(struct person *p, const char *login, const char *rest) {
    assert_int_equal(invite(p, login, rest), 201);
    assert_int_equal(redeem(p, p->code, password), 200);
}

static int one_administrator(void **state) {
    fresh(state);
    anna = bert = cleo = (struct person){0};
    if (enrol_as("anna", password) != 201 || log_in_person(&anna, "anna", password) != 200) return -1;
    snprintf(anna.id, sizeof anna.id, "%s", json_string_value(json_object_get(json_object_get(now.body, "user"), "id")));
    snprintf(anna.path, sizeof anna.path, "/api/v1/users/%s", anna.id);
    return 0;
}

static const char *token_of(const struct person *p, const char *scopes, char id[64], char bearer[256]) {
    char body[160];
    snprintf(body, sizeof body, "{\"name\":\"t\",\"scopes\":[%s]}", scopes);
    assert_int_equal(as(p, HTTP_POST, "/api/v1/tokens", body), 201);
    snprintf(id, 64, "%s", text("id"));
    snprintf(bearer, 256, "Bearer %s", text("token"));
    return bearer;
}

static int by(const char *bearer, enum http_method method, const char *path, const char *body) {
    strcpy(bearer_field, bearer);
    return with_token(method, path, body);
}

static const char *state_of(const struct person *p) {
    assert_int_equal(as(&anna, HTTP_GET, p->path, NULL), 200);
    return text("state");
}

/* ---- rights ---- */

static void names_of_rights(void **state) {
    (void)state;
    static const char *const all[] = {"read",           "write",           "import",           "export",           "admin",
                                      "companies.read", "companies.write", "companies.import", "companies.export", "contacts.read",
                                      "contacts.write", "contacts.import", "contacts.export"};
    uint32_t seen = 0, rights;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        json_t *one = json_pack("[s]", all[i]), *two = json_pack("[s, s]", all[i], all[i]);
        assert_true(rights_parse(one, &rights));
        assert_int_equal(seen & rights, 0);
        seen |= rights;
        json_t *back = rights_names(rights);
        assert_true(json_equal(one, back));
        json_decref(back);
        back = rights_names(rights_expand(rights)); /* no longer than need be */
        assert_true(json_equal(one, back));
        assert_false(rights_parse(two, &rights));
        json_decref(one);
        json_decref(two);
        json_decref(back);
    }
    static const char *const wrong[] = {"",      "READ",           "contacts",       "contacts.",    ".read",
                                        "read.", "contacts.admin", "contacts.read ", "persons.read", "contacts.read.read"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *one = json_pack("[s]", wrong[i]);
        assert_false(rights_parse(one, &rights));
        json_decref(one);
    }
    assert_int_equal(rights_expand(RIGHT_READ) & RIGHT_OF(RIGHTS_CONTACTS, RIGHT_READ), RIGHT_OF(RIGHTS_CONTACTS, RIGHT_READ));
    assert_int_equal(rights_expand(RIGHT_READ) & RIGHT_OF(RIGHTS_CONTACTS, RIGHT_WRITE), 0);
    assert_int_equal(rights_expand(RIGHT_ADMIN), RIGHT_ADMIN);
    assert_string_equal(rights_role(RIGHT_ALL), "administrator");
    assert_null(rights_role(RIGHT_OF(RIGHTS_CONTACTS, RIGHT_READ)));
}

/* A token has what it was given and its user still may, whichever of the two is said in general. */
static void scopes_meet_rights(void **state) {
    (void)state;
    char id[64], general[256], own[256];
    join(&bert, "bert", "\"rights\":[\"contacts.read\",\"contacts.export\",\"companies.read\"]");
    assert_int_equal(as(&bert, HTTP_POST, "/api/v1/tokens", "{\"name\":\"t\",\"scopes\":[\"read\"]}"), 403); /* of later kinds, too */
    assert_int_equal(as(&bert, HTTP_POST, "/api/v1/tokens", "{\"name\":\"t\",\"scopes\":[\"contacts.write\"]}"), 403);
    token_of(&bert, "\"contacts.read\"", id, own);
    assert_int_equal(by(own, HTTP_GET, "/api/v1/session", NULL), 200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(now.body, "rights"), 0)), "contacts.read");
    assert_int_equal(json_array_size(json_object_get(now.body, "rights")), 1);
    token_of(&anna, "\"read\"", id, general);
    token_of(&anna, "\"companies.write\"", id, own);
    assert_int_equal(by(own, HTTP_GET, "/api/v1/users", NULL), 403);
}

static void taken_and_given(void **state) {
    (void)state;
    char id[64], bearer[256];
    join(&bert, "bert", "\"role\":\"member\"");
    struct person session = bert;
    token_of(&bert, "\"read\"", id, bearer);
    /* More: at once, also in a session that stands. */
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/users", NULL), 403);
    assert_int_equal(as(&anna, HTTP_PATCH, bert.path, "{\"role\":\"administrator\"}"), 200);
    assert_string_equal(text("role"), "administrator");
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/users", NULL), 200);
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/users", NULL), 403); /* not for what had a scope */
    /* Less: what was made before has ended, in this worker and the next, and giving it back does not bring it back. */
    assert_int_equal(as(&anna, HTTP_PATCH, bert.path, "{\"rights\":[\"read\"]}"), 200);
    assert_string_equal(text("role"), "reader");
    assert_int_equal(capsule_slots(self.capsule, SLOT_TOKEN), 0);
    assert_int_equal(capsule_slots(self.capsule, SLOT_SESSION), 1); /* anna's */
    for (int round = 0; round < 3; round++) {
        assert_int_equal(as(&session, HTTP_GET, "/api/v1/session", NULL), round == 1 ? 503 : 401);
        assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), round == 1 ? 503 : 401);
        if (round == 0) restart();
        if (round == 1) assert_int_equal(as(&anna, HTTP_PATCH, bert.path, "{\"role\":\"member\"}"), 200);
    }
    assert_int_equal(log_in_person(&bert, "bert", password), 200);
    assert_int_equal(json_array_size(json_object_get(now.body, "rights")), 2);
    static const char *const wrong[] = {"{}",
                                        "{\"role\":\"king\"}",
                                        "{\"role\":\"reader\",\"rights\":[\"read\"]}",
                                        "{\"rights\":[]}",
                                        "{\"rights\":[\"read\",\"read\"]}",
                                        "{\"login\":\"other\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(as(&anna, HTTP_PATCH, bert.path, wrong[i]), 400);
}

/* Killed when the rights were on the disk and the slots not yet gone: the epoch refuses them. */
static void taken_and_killed(void **state) {
    (void)state;
    char id[64], bearer[256];
    join(&bert, "bert", "\"role\":\"member\"");
    token_of(&bert, "\"read\"", id, bearer);
    assert_int_equal(system("cp capsule capsule.before"), 0);
    assert_int_equal(as(&anna, HTTP_PATCH, bert.path, "{\"role\":\"reader\"}"), 200);
    stop();
    assert_int_equal(system("mv capsule.before capsule"), 0);
    start();
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), 401);
}

/* ---- invitations ---- */

static void invited(void **state) {
    (void)state;
    assert_int_equal(invite(&bert, "Bert", "\"role\":\"member\""), 201);
    assert_string_equal(text("login"), "bert");
    assert_string_equal(text("state"), "invited");
    assert_int_equal(strlen(bert.code), KIT_TEXT);
    assert_int_equal(log_in_as("bert", password), 401);
    restart(); /* sealed: the code opens the tenant */
    assert_null(self.keys);
    assert_int_equal(redeem(NULL, bert.code, "too short"), 400);
    assert_null(self.keys);
    uint64_t version = self.capsule->image->version;
    assert_int_equal(redeem(&bert, bert.code, password), 200);
    assert_int_equal(self.capsule->image->version, version + 2); /* one write for password and code, one for the session: no half */
    assert_string_equal(json_string_value(json_object_get(json_object_get(now.body, "user"), "login")), "bert");
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 200);
    assert_string_equal(state_of(&bert), "active");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(redeem(NULL, bert.code, "another password"), 401);
        assert_string_equal(now.type, "credentials");
        assert_int_equal(log_in_as("bert", "another password"), 401);
        assert_int_equal(log_in_as("BERT", password), 200);
        restart();
    }
}

static void invitations_are_refused(void **state) {
    (void)state;
    char body[256];
    assert_int_equal(invite(&bert, "bert", "\"role\":\"member\""), 201);
    assert_int_equal(invite(&cleo, "Bert", "\"role\":\"member\""), 409);
    assert_string_equal(now.type, "login-taken");
    assert_int_equal(invite(&cleo, "anna", "\"role\":\"member\""), 409);
    assert_int_equal(invite(&cleo, "cleo", "\"expires\":\"2099-01-01T00:00:00Z\",\"role\":\"member\""), 400); /* too far */
    assert_int_equal(invite(&cleo, "cleo", "\"expires\":null,\"role\":\"member\""), 400);
    assert_int_equal(invite(&cleo, "cleo", "\"rights\":\"read\""), 400);
    assert_int_equal(invite(&cleo, "c\\u0007", "\"role\":\"member\""), 400);
    /* A member invites nobody, nor does a token. */
    char id[64], bearer[256];
    token_of(&anna, "\"admin\"", id, bearer);
    static const char someone[] = "{\"login\":\"cleo\",\"role\":\"administrator\"}";
    assert_int_equal(by(bearer, HTTP_POST, "/api/v1/users", someone), 403);
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/users", NULL), 200);
    assert_int_equal(redeem(&bert, bert.code, password), 200);
    assert_int_equal(as(&bert, HTTP_POST, "/api/v1/users", someone), 403);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/users", NULL), 403);
    /* One error for all that opens nothing: made up, another kind of credential, expired, of a removed user. */
    char other[KIT_TEXT + 1];
    kit_format((const uint8_t[KEY_BYTES]){1}, other);
    assert_int_equal(redeem(NULL, other, password), 401);
    assert_string_equal(now.type, "credentials");
    assert_int_equal(as(&anna, HTTP_POST, "/api/v1/recovery-kit", NULL), 201);
    snprintf(other, sizeof other, "%s", text("recovery_kit"));
    assert_int_equal(redeem(NULL, other, password), 401);
    assert_int_equal(invite(&cleo, "cleo", "\"role\":\"member\""), 201);
    snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\"}", cleo.code);
    assert_int_equal(post("/api/v1/session", body), 401); /* nor is a code a kit */
    assert_int_equal(as(&anna, HTTP_DELETE, cleo.path, NULL), 204);
    assert_int_equal(redeem(NULL, cleo.code, password), 401);
    assert_string_equal(now.type, "credentials");
    struct user user = {0};
    struct slot slot;
    assert_true(capsule_slot(self.capsule, 0, &slot));
    memcpy(user.id, slot.owner, ID_BYTES);
    assert_int_equal(invitation_make(&user, (uint64_t)time(NULL) - 1, slot.id, other), 0);
    assert_int_equal(redeem(NULL, other, password), 401);
    assert_string_equal(now.type, "credentials");
}

/* Wrong codes cost their source time, and nobody else. */
static void codes_are_not_guessed(void **state) {
    (void)state;
    char body[256], wrong[KIT_TEXT + 1];
    kit_format((const uint8_t[KEY_BYTES]){1}, wrong);
    snprintf(body, sizeof body, "{\"code\":\"%s\",\"password\":\"%s\"}", wrong, password);
    assert_int_equal(invite(&bert, "bert", "\"role\":\"member\""), 201);
    memcpy(source, (const uint8_t[16]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, sizeof source);
    int before = asked;
    for (int i = 0; i < 10; i++)
        assert_int_equal(post("/api/v1/invitations", body), 401);
    assert_int_equal(post("/api/v1/invitations", body), 429);
    assert_true(now.retry[0]);
    assert_int_equal(post("/api/v1/session", body_of("anna", password, false)), 429); /* one count for all public doors */
    assert_int_equal(asked, before);                                                  /* no KDF for any of it */
    source[15] = 2;
    snprintf(body, sizeof body, "{\"code\":\"%s\",\"password\":\"%s\"}", bert.code, password);
    assert_int_equal(post("/api/v1/invitations", body), 200);
    begin(HTTP_POST);
    header("Origin", "https://evil.org");
    assert_int_equal(call("/api/v1/invitations", body), 403);
}

/* Nobody keeps the owner of the kit out with made-up ones. */
static void kits_are_not_guessed(void **state) {
    (void)state;
    char right[128], wrong[128], made_up[KIT_TEXT + 1];
    kit_format((const uint8_t[KEY_BYTES]){1}, made_up);
    snprintf(wrong, sizeof wrong, "{\"recovery_kit\":\"%s\"}", made_up);
    assert_int_equal(as(&anna, HTTP_POST, "/api/v1/recovery-kit", NULL), 201);
    snprintf(right, sizeof right, "{\"recovery_kit\":\"%s\"}", text("recovery_kit"));
    memcpy(source, (const uint8_t[16]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, sizeof source);
    for (int i = 0; i < 10; i++)
        assert_int_equal(post("/api/v1/session", wrong), 401);
    assert_int_equal(post("/api/v1/session", wrong), 429);
    assert_int_equal(post("/api/v1/session", right), 429);
    source[15] = 2;
    assert_int_equal(post("/api/v1/session", right), 200);
}

static void client_leaves_while_redeeming(void **state) {
    (void)state;
    assert_int_equal(invite(&bert, "bert", "\"role\":\"member\""), 201);
    client_gone = true;
    redeem(NULL, bert.code, password);
    client_gone = false;
    assert_int_equal(log_in_as("bert", password), 401);
    assert_int_equal(redeem(NULL, bert.code, "another password"), 200);
}

/* Killed between the user's record and the code: the user waits for another code. */
static void killed_while_inviting(void **state) {
    (void)state;
    assert_int_equal(system("cp capsule capsule.before"), 0);
    assert_int_equal(invite(&bert, "bert", "\"role\":\"member\""), 201);
    stop();
    assert_int_equal(system("mv capsule.before capsule"), 0);
    start();
    assert_string_equal(state_of(&bert), "closed");
    assert_int_equal(redeem(NULL, bert.code, password), 401);
    char path[128];
    snprintf(path, sizeof path, "%s/invitation", bert.path);
    assert_int_equal(as(&anna, HTTP_POST, path, "{}"), 201);
    assert_int_equal(redeem(NULL, text("code"), password), 200);
}

static void invitations_on_a_full_disk(void **state) {
    (void)state;
    disk_full = true;
    assert_int_equal(invite(&bert, "bert", "\"role\":\"member\""), 507);
    assert_int_equal(capsule_slots(self.capsule, SLOT_INVITATION), 0);
    disk_full = false;
    assert_int_equal(invite(&bert, "bert", "\"role\":\"member\""), 201);
}

static void resets(void **state) {
    (void)state;
    char path[128], code_text[KIT_TEXT + 1];
    join(&bert, "bert", "\"role\":\"member\"");
    snprintf(path, sizeof path, "%s/invitation", bert.path);
    assert_int_equal(as(&bert, HTTP_POST, path, "{}"), 403);
    assert_int_equal(as(&anna, HTTP_POST, path, "{}"), 201);
    snprintf(code_text, sizeof code_text, "%s", text("code"));
    assert_string_equal(text("state"), "invited");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), round ? 503 : 401);
        assert_int_equal(log_in_as("bert", password), 401);
        restart();
    }
    assert_int_equal(as(&anna, HTTP_POST, path, "{}"), 201); /* a newer code ends the older one */
    assert_int_equal(redeem(NULL, code_text, password), 401);
    assert_int_equal(as(&anna, HTTP_POST, path, "{}"), 201);
    assert_int_equal(redeem(&bert, text("code"), "chosen by bert"), 200);
    assert_int_equal(log_in_as("bert", "chosen by bert"), 200);
    assert_int_equal(log_in_as("bert", password), 401);
    snprintf(path, sizeof path, "%s/invitation", anna.path);
    assert_int_equal(as(&anna, HTTP_POST, path, "{}"), 409);
    assert_string_equal(now.type, "own-password");
}

/* ---- removing ---- */

static void removed(void **state) {
    (void)state;
    char id[64], bearer[256];
    join(&bert, "bert", "\"role\":\"member\"");
    token_of(&bert, "\"read\"", id, bearer);
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), 200);
    assert_int_equal(store_count(self.store, STORE_SETTINGS), 2); /* the token's name, and that tokens are on */
    assert_int_equal(as(&bert, HTTP_DELETE, bert.path, NULL), 403);
    uint64_t version = self.capsule->image->version;
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 204);
    assert_int_equal(self.capsule->image->version, version + 1); /* all slots in one write */
    assert_int_equal(capsule_slots(self.capsule, 0), 3);         /* anna's password, kit and session */
    assert_int_equal(store_count(self.store, STORE_SETTINGS), 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), round ? 503 : 401);
        assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), round ? 503 : 401);
        assert_int_equal(log_in_as("bert", password), 401);
        restart();
    }
    assert_int_equal(as(&anna, HTTP_GET, bert.path, NULL), 404);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 404);
    join(&cleo, "bert", "\"role\":\"reader\""); /* the login is free again, and another user's */
    assert_string_not_equal(cleo.id, bert.id);
}

/* Killed when the slots were gone and the record not: nothing opens, and the removal can be asked for again. */
static void killed_while_removing(void **state) {
    (void)state;
    char id[64], bearer[256];
    join(&bert, "bert", "\"role\":\"member\"");
    token_of(&bert, "\"read\"", id, bearer);
    assert_int_equal(system("cp data.mdb data.before"), 0);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 204);
    stop();
    assert_int_equal(system("mv data.before data.mdb"), 0);
    start();
    assert_int_equal(log_in_as("bert", password), 401);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 503);
    assert_string_equal(state_of(&bert), "closed");
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 204);
    assert_int_equal(as(&anna, HTTP_GET, bert.path, NULL), 404);
}

static void somebody_administers(void **state) {
    (void)state;
    static const char member[] = "{\"role\":\"member\"}";
    char path[128];
    assert_int_equal(as(&anna, HTTP_DELETE, anna.path, NULL), 409);
    assert_string_equal(now.type, "last-administrator");
    assert_int_equal(as(&anna, HTTP_PATCH, anna.path, member), 409);
    assert_int_equal(invite(&bert, "bert", "\"role\":\"administrator\""), 201);
    assert_int_equal(as(&anna, HTTP_DELETE, anna.path, NULL), 409); /* one who never came does not count */
    assert_string_equal(now.type, "last-administrator");
    join(&cleo, "cleo", "\"role\":\"member\"");
    assert_int_equal(as(&anna, HTTP_PATCH, anna.path, member), 409);
    assert_int_equal(redeem(&bert, bert.code, password), 200);
    /* The kit is the one way back for all: not before another administrator has one. */
    assert_int_equal(as(&bert, HTTP_DELETE, anna.path, NULL), 409);
    assert_string_equal(now.type, "only-kit");
    assert_int_equal(as(&bert, HTTP_PATCH, anna.path, member), 409);
    assert_string_equal(now.type, "only-kit");
    assert_int_equal(as(&bert, HTTP_POST, "/api/v1/recovery-kit", NULL), 201);
    assert_int_equal(capsule_slots(self.capsule, SLOT_RECOVERY), 2);
    assert_int_equal(as(&bert, HTTP_PATCH, anna.path, member), 200);
    assert_true(json_is_false(json_object_get(now.body, "recovery_kit"))); /* a member has none */
    assert_int_equal(capsule_slots(self.capsule, SLOT_RECOVERY), 1);
    snprintf(path, sizeof path, "%s/invitation", bert.path);
    assert_int_equal(log_in_person(&anna, "anna", password), 200);
    assert_int_equal(as(&anna, HTTP_POST, path, "{}"), 403);
    assert_int_equal(as(&bert, HTTP_DELETE, anna.path, NULL), 204);
    assert_int_equal(as(&bert, HTTP_DELETE, bert.path, NULL), 409);
}

static void users_are_bounded(void **state) {
    (void)state;
    char login[32];
    for (int i = 1; i < USERS_MAX; i++) {
        snprintf(login, sizeof login, "user %d", i);
        assert_int_equal(invite(&bert, login, "\"role\":\"reader\""), 201);
    }
    assert_int_equal(invite(&cleo, "one more", "\"role\":\"reader\""), 409);
    assert_string_equal(now.type, "too-many");
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/users", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(now.body, "items")), USERS_MAX);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 204);
    assert_int_equal(invite(&cleo, "one more", "\"role\":\"reader\""), 201);
}

/* ---- sessions ---- */

static size_t listed(void) { return json_array_size(json_object_get(now.body, "items")); }
static json_t *current(void) {
    json_t *item, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(now.body, "items"), i, item) if (json_is_true(json_object_get(item, "current"))) found = item;
    assert_non_null(found);
    return found;
}

static void lists(void **state) {
    (void)state;
    char id[64], bearer[256], admin_id[64], admin[256];
    join(&bert, "bert", "\"role\":\"member\"");
    token_of(&bert, "\"read\"", id, bearer);
    token_of(&anna, "\"admin\"", admin_id, admin);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/sessions", NULL), 200);
    assert_int_equal(listed(), 2);
    json_t *mine = current();
    assert_string_equal(json_string_value(json_object_get(mine, "kind")), "session");
    assert_string_equal(json_string_value(json_object_get(json_object_get(mine, "origin"), "kind")), "password");
    assert_true(json_is_string(json_object_get(mine, "created")) && json_is_string(json_object_get(mine, "used")) &&
                json_is_string(json_object_get(mine, "expires")));
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/sessions?everybody=true", NULL), 403);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/sessions?everybody=yes", NULL), 400);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/sessions?else=true", NULL), 400);
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/sessions?everybody=true", NULL), 200);
    assert_int_equal(listed(), 4);
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/sessions?everybody=false", NULL), 200);
    assert_int_equal(listed(), 2);
    /* A token without `admin` sees itself, also in the list of tokens. */
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/sessions", NULL), 200);
    assert_int_equal(listed(), 1);
    mine = current();
    assert_string_equal(json_string_value(json_object_get(mine, "id")), id);
    assert_string_equal(json_string_value(json_object_get(mine, "name")), "t");
    assert_string_equal(json_string_value(json_object_get(json_object_get(mine, "origin"), "kind")), "session");
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/tokens", NULL), 200);
    assert_int_equal(listed(), 1);
    assert_int_equal(by(admin, HTTP_GET, "/api/v1/sessions?everybody=true", NULL), 200);
    assert_int_equal(listed(), 4);
    restart(); /* what was not used since is said so */
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/sessions", NULL), 200);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/sessions", NULL), 200);
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/sessions", NULL), 200);
    size_t i, unused = 0;
    json_t *item;
    json_array_foreach(json_object_get(now.body, "items"), i, item) unused += json_is_null(json_object_get(item, "used"));
    assert_int_equal(unused, 1); /* her token */
}

static void ends(void **state) {
    (void)state;
    char id[64], bearer[256], path[128], other[128];
    struct person second;
    join(&bert, "bert", "\"role\":\"member\"");
    second = bert;
    assert_int_equal(log_in_person(&second, "bert", password), 200);
    token_of(&bert, "\"read\",\"write\"", id, bearer);
    assert_int_equal(as(&second, HTTP_GET, "/api/v1/sessions", NULL), 200);
    snprintf(path, sizeof path, "/api/v1/sessions/%s", json_string_value(json_object_get(current(), "id")));
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/sessions", NULL), 200);
    snprintf(other, sizeof other, "/api/v1/sessions/%s", json_string_value(json_object_get(current(), "id")));
    /* Not a stranger's, not by a token, not a password's slot. */
    assert_int_equal(as(&bert, HTTP_DELETE, other, NULL), 404);
    assert_int_equal(by(bearer, HTTP_DELETE, path, NULL), 403);
    assert_int_equal(by(bearer, HTTP_DELETE, "/api/v1/sessions", NULL), 403);
    struct slot slot;
    for (size_t i = 0; capsule_slot(self.capsule, i, &slot) && slot.kind != SLOT_PASSWORD;)
        i++;
    snprintf(other, sizeof other, "/api/v1/sessions/");
    ulid_text(slot.id, other + strlen(other));
    assert_int_equal(as(&anna, HTTP_DELETE, other, NULL), 404);
    assert_int_equal(as(&bert, HTTP_DELETE, path, NULL), 204);
    assert_int_equal(as(&second, HTTP_GET, "/api/v1/session", NULL), 401);
    /* All but the one that asks. */
    assert_int_equal(log_in_person(&second, "bert", password), 200);
    assert_int_equal(as(&bert, HTTP_DELETE, "/api/v1/sessions?everybody=true", NULL), 403);
    assert_int_equal(as(&bert, HTTP_DELETE, "/api/v1/sessions", NULL), 204);
    assert_int_equal(as(&second, HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 200);
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/session", NULL), 200);
    assert_int_equal(as(&bert, HTTP_DELETE, "/api/v1/sessions", NULL), 204); /* none left is fine, too */
    token_of(&bert, "\"read\"", id, bearer);
    assert_int_equal(as(&anna, HTTP_DELETE, "/api/v1/sessions?everybody=true", NULL), 204);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), round ? 503 : 401);
        assert_int_equal(by(bearer, HTTP_GET, "/api/v1/session", NULL), round ? 503 : 401);
        assert_int_equal(as(&anna, HTTP_GET, "/api/v1/session", NULL), 200);
        restart();
    }
}

enum { HOUR = 3600 };

/* Unused for half a day: over, and its slot gone. Used all the time: over after a week. Tokens end when they say. */
static void sessions_expire(void **state) {
    (void)state;
    char id[64], lasting[256], brief[256];
    join(&bert, "bert", "\"role\":\"member\"");
    token_of(&bert, "\"read\"", id, brief);
    assert_int_equal(as(&bert, HTTP_POST, "/api/v1/tokens", "{\"name\":\"t\",\"scopes\":[\"read\"],\"expires\":null}"), 201);
    snprintf(lasting, sizeof lasting, "Bearer %s", text("token"));
    for (int i = 0; i < 3; i++, ahead += 11 * HOUR)
        assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 200);
    size_t before = capsule_slots(self.capsule, SLOT_SESSION);
    ahead += 2 * HOUR;
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(capsule_slots(self.capsule, SLOT_SESSION), before - 1);
    ahead -= 2 * HOUR;
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 401);
    restart();
    assert_int_equal(log_in_person(&bert, "bert", password), 200);
    for (int hours = 0; hours < 7 * 24 - 6; hours += 6, ahead += 6 * HOUR) {
        assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 200);
        if (hours == 72) restart(); /* counted from the log-in, whichever worker it is */
    }
    ahead += 6 * HOUR + 1;
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 401);
    restart();
    assert_int_equal(as(&bert, HTTP_GET, "/api/v1/session", NULL), 503);
    assert_int_equal(by(brief, HTTP_GET, "/api/v1/session", NULL), 200);
    ahead += 90 * 24 * HOUR;
    assert_int_equal(by(brief, HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(by(lasting, HTTP_GET, "/api/v1/session", NULL), 200);
    ahead = 0;
}

/* A cookie that was there before a log-in is not taken over: each log-in has a secret of its own. */
static void log_ins_rotate(void **state) {
    (void)state;
    char planted[] = "__Host-cloison=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    begin(HTTP_POST);
    header("Cookie", planted);
    assert_int_equal(call("/api/v1/session", body_of("anna", password, false)), 200);
    assert_non_null(strstr(now.cookie, "__Host-cloison="));
    assert_int_not_equal(strncmp(now.cookie, planted, sizeof planted - 1), 0);
    begin(HTTP_GET);
    header("Cookie", planted);
    assert_int_equal(call("/api/v1/session", NULL), 401);
    begin(HTTP_POST);
    header("Cookie", anna.cookie);
    assert_int_equal(call("/api/v1/session", body_of("anna", password, false)), 200);
    assert_int_not_equal(strncmp(now.cookie, anna.cookie, strlen(anna.cookie)), 0);
}

static void warns(void **state) {
    (void)state;
    struct slot slot;
    assert_int_equal(log_in_person(&anna, "anna", password), 200);
    assert_int_equal(json_array_size(json_object_get(now.body, "warnings")), 0);
    assert_true(capsule_slot(self.capsule, 0, &slot));
    assert_int_equal(capsule_remove_owner(self.capsule, slot.owner, SLOT_RECOVERY), 0);
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/session", NULL), 200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(now.body, "warnings"), 0)), "one-way-in");
    assert_int_equal(log_in_person(&anna, "anna", password), 200);
    assert_int_equal(json_array_size(json_object_get(now.body, "warnings")), 1);
    join(&bert, "bert", "\"role\":\"member\"");
    assert_int_equal(json_array_size(json_object_get(now.body, "warnings")), 0);
}

/* A record that does not open is listed as such and can be removed, with all that opened the tenant for it; but not where that would leave
 * nobody to administer, since it may have been the last administrator's. */
static void a_damaged_user_can_be_removed(void **state) {
    (void)state;
    uint8_t id[ID_BYTES];
    join(&bert, "bert", "\"role\":\"member\"");
    assert_true(ulid_parse(bert.id, strlen(bert.id), id));
    assert_int_equal(store_put(self.store, STORE_USERS, id, "no user", 7, STORE_ANY, NULL), STORE_OK);
    assert_int_equal(as(&anna, HTTP_GET, "/api/v1/users", NULL), 200);
    json_t *items = json_object_get(now.body, "items"), *row;
    size_t i, damaged = 0;
    json_array_foreach(items, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "state")), "damaged") != 0) continue;
        assert_string_equal(json_string_value(json_object_get(row, "id")), bert.id);
        damaged++;
    }
    assert_int_equal(damaged, 1);
    assert_int_equal(json_array_size(items), 2);
    assert_int_equal(as(&anna, HTTP_GET, bert.path, NULL), 500);
    assert_int_equal(as(&anna, HTTP_PATCH, bert.path, "{\"role\":\"reader\"}"), 500);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 204);
    assert_int_equal(capsule_slots_of(self.capsule, id, 0), 0);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 404);
    assert_int_equal(log_in_as("bert", password), 401);

    /* Nobody else could log in then. */
    join(&bert, "bert", "\"role\":\"administrator\"");
    assert_true(ulid_parse(bert.id, strlen(bert.id), id));
    assert_int_equal(store_put(self.store, STORE_USERS, id, "no user", 7, STORE_ANY, NULL), STORE_OK);
    uint8_t annas[ID_BYTES];
    assert_true(ulid_parse(anna.id, strlen(anna.id), annas));
    assert_int_equal(capsule_remove_owner(self.capsule, annas, SLOT_PASSWORD), 0);
    assert_int_equal(as(&anna, HTTP_DELETE, bert.path, NULL), 409);
    assert_string_equal(now.type, "last-administrator");
}

int main(void) {
    if (!account_open()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_rights),
        cmocka_unit_test_setup(scopes_meet_rights, one_administrator),
        cmocka_unit_test_setup(taken_and_given, one_administrator),
        cmocka_unit_test_setup(taken_and_killed, one_administrator),
        cmocka_unit_test_setup(invited, one_administrator),
        cmocka_unit_test_setup(invitations_are_refused, one_administrator),
        cmocka_unit_test_setup(codes_are_not_guessed, one_administrator),
        cmocka_unit_test_setup(kits_are_not_guessed, one_administrator),
        cmocka_unit_test_setup(client_leaves_while_redeeming, one_administrator),
        cmocka_unit_test_setup(killed_while_inviting, one_administrator),
        cmocka_unit_test_setup(invitations_on_a_full_disk, one_administrator),
        cmocka_unit_test_setup(resets, one_administrator),
        cmocka_unit_test_setup(removed, one_administrator),
        cmocka_unit_test_setup(killed_while_removing, one_administrator),
        cmocka_unit_test_setup(somebody_administers, one_administrator),
        cmocka_unit_test_setup(users_are_bounded, one_administrator),
        cmocka_unit_test_setup(lists, one_administrator),
        cmocka_unit_test_setup(ends, one_administrator),
        cmocka_unit_test_setup(sessions_expire, one_administrator),
        cmocka_unit_test_setup(log_ins_rotate, one_administrator),
        cmocka_unit_test_setup(warns, one_administrator),
        cmocka_unit_test_setup(a_damaged_user_can_be_removed, one_administrator),
    };
    return account_close(cmocka_run_group_tests(tests, NULL, NULL));
}
