/*
 * The self-sufficient kit over the real capsule and store: made, listed, replaced, removed, and used on a data file whose capsule is lost.
 * And the attacks: another tenant's, an altered record, a removed kit with a record that was put back, a worker that nobody asked to
 * restore.
 */
#include "account_fake.h"

#include "../../worker/keys/kit_record.h"

enum { HAS = 1, LACKS = 0 };
static char kit[KIT_TEXT + 1];

static void enrolled_with_kit(void) {
    fresh(NULL);
    rotations_asked = 0;
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/self-sufficient-kit", NULL), 201);
    strcpy(kit, text("recovery_kit"));
}

static void assert_record(int there) {
    struct kit_record record;
    assert_int_equal(store_clear_get(self.store, &record, sizeof record), there ? STORE_OK : STORE_MISSING);
}

static json_t *listed(void) {
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/self-sufficient-kit", NULL), 200);
    return json_object_get(now.body, "kit");
}

static bool told(const char *act) {
    struct journal_line line;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"act\":\"%s\"", act);
    for (uint64_t n = journal_first_line(); n <= journal_last_line(); n++)
        if (journal_read(n, &line) == STORE_OK && memmem(line.text, line.size, wanted, strlen(wanted))) return true;
    return false;
}

static int by_kit(const char *code_typed) {
    char body[256];
    lockout_pass(3600);
    snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\"}", code_typed);
    return post("/api/v1/session", body);
}

static int recover_as(const char *code_typed, const char *login, const char *secret) {
    char body[512];
    lockout_pass(3600);
    snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\",\"login\":\"%s\",\"password\":\"%s\"}", code_typed, login, secret);
    int status = post("/api/v1/recovery", body);
    if (now.cookie[0]) snprintf(cookie_field, sizeof cookie_field, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie);
    return status;
}

/* As `tenant create --restore` enters it: no code, not enrolled. */
static void restoring(void) {
    self.profile.enrolled = 0;
    memset(self.profile.enrol_hash, 0, sizeof self.profile.enrol_hash);
    enrolled_told = 0;
}
static void lose_capsule(void) {
    stop();
    unlink("capsule");
    start();
    restoring();
}

static void made_listed_removed(void **state) {
    (void)state;
    enrolled_with_kit();
    assert_record(HAS);
    assert_true(told("self_sufficient_made"));
    assert_int_equal(rotations_asked, 0);
    json_t *row = listed();
    assert_true(json_is_string(json_object_get(row, "id")) && json_is_string(json_object_get(row, "created")));
    char first[KIT_TEXT + 1];
    strcpy(first, kit);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/tokens", "{\"name\":\"t\",\"scopes\":[\"admin\"]}"), 201);
    snprintf(bearer_field, sizeof bearer_field, "Bearer %s", text("token"));
    assert_int_equal(with_token(HTTP_POST, "/api/v1/self-sufficient-kit", NULL), 403); /* takes a log-in */
    assert_int_equal(with_token(HTTP_DELETE, "/api/v1/self-sufficient-kit", NULL), 403);
    assert_int_equal(by_kit(first), 200); /* beside the capsule it is a kit like any other */
    assert_true(told("logged_in"));

    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/self-sufficient-kit", NULL), 201);
    strcpy(kit, text("recovery_kit"));
    assert_int_equal(rotations_asked, 1); /* the old record's remains open nothing of tomorrow */
    assert_int_equal(by_kit(first), 401);
    assert_int_equal(by_kit(kit), 200);

    assert_int_equal(with_cookie(HTTP_DELETE, "/api/v1/self-sufficient-kit", NULL), 204);
    assert_int_equal(with_cookie(HTTP_DELETE, "/api/v1/self-sufficient-kit", NULL), 404);
    assert_int_equal(rotations_asked, 2);
    assert_true(told("self_sufficient_removed"));
    assert_record(LACKS);
    assert_true(json_is_null(listed()));
    assert_true(json_is_string(json_object_get(now.body, "first_made"))); /* that there was one stays */
    assert_int_equal(by_kit(kit), 401);
    restart();
    assert_int_equal(log_in_as("anna", password), 200);
    assert_record(LACKS);
}

/* It is on the disk before anybody sees it, and the record that a crash or somebody took away is back at the next unsealing. */
static void on_the_disk(void **state) {
    (void)state;
    fresh(NULL);
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    disk_full = true;
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/self-sufficient-kit", NULL), 507);
    disk_full = false;
    assert_int_equal(capsule_slots(self.capsule, SLOT_SELF_SUFFICIENT), 0);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/self-sufficient-kit", NULL), 201);
    uint64_t commits = store_commits(self.store);
    store_abort(self.store);
    assert_record(HAS);
    assert_int_equal(store_clear_remove(self.store), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    restart();
    assert_record(LACKS);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_record(HAS);
    assert_true(store_commits(self.store) > commits);
}

/* It goes with its maker, and with the maker's right. */
static void goes_with_its_maker(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        enrolled_with_kit();
        char annas[512], path[128];
        strcpy(annas, cookie_field);
        assert_int_equal(with_cookie(HTTP_POST, "/api/v1/users", "{\"login\":\"ben\",\"role\":\"administrator\"}"), 201);
        char body[256];
        snprintf(body, sizeof body, "{\"code\":\"%s\",\"password\":\"%s\"}", text("code"), password);
        assert_int_equal(post("/api/v1/invitations", body), 200);
        snprintf(cookie_field, sizeof cookie_field, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie);
        assert_int_equal(with_cookie(HTTP_POST, "/api/v1/recovery-kit", NULL), 201);
        rotations_asked = 0;
        snprintf(path, sizeof path, "/api/v1/users/%s", json_string_value(json_object_get(listed(), "user")));
        if (way == 0)
            assert_int_equal(with_cookie(HTTP_DELETE, path, NULL), 204);
        else
            assert_int_equal(with_cookie(HTTP_PATCH, path, "{\"role\":\"member\"}"), 200);
        assert_record(LACKS);
        assert_int_equal(rotations_asked, 1);
        assert_int_equal(by_kit(kit), 401);
    }
}

/* The data file alone, on another machine: the kit, a login, a new password. */
static void opens_without_the_capsule(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) { /* the same login, another one */
        const char *login = way ? "Camille" : "anna";
        enrolled_with_kit();
        char old_cookie[512];
        strcpy(old_cookie, cookie_field);
        lose_capsule();
        assert_int_equal(log_in_as("anna", password), 401);
        assert_int_equal(by_kit(kit), 409); /* it is no log-in without a new password */
        assert_string_equal(now.type, "restoring");
        assert_int_equal(recover_as(kit, login, "too short"), 400);
        assert_int_equal(recover_as(kit, login, "another password"), 200);
        assert_int_equal(enrolled_told, 1);
        assert_true(rotations_asked > 0 && capsule_rotation_wanted(self.capsule) > 0);
        assert_true(told("recovered") && now.seen);
        assert_int_equal(store_count(self.store, STORE_USERS), 1);
        assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
        assert_int_equal(json_array_size(json_object_get(now.body, "rights")), 5);
        strcpy(cookie_field, old_cookie);
        assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
        assert_int_equal(recover_as(kit, login, "another password"), 409); /* once */
        assert_string_equal(now.type, "not-restoring");
        assert_int_equal(log_in_as("anna", password), 401);
        assert_int_equal(log_in_as(way ? "camille" : "anna", "another password"), 200);
        restart();
        assert_int_equal(by_kit(kit), 200); /* and it stays the kit */
        assert_record(HAS);
        assert_int_equal(log_in_as(way ? "camille" : "anna", "another password"), 200);
    }
}

/* Before the capsule is written nobody at the provider is told, and the same again does it. */
static void cut_short(void **state) {
    (void)state;
    enrolled_with_kit();
    lose_capsule();
    disk_full = true; /* the store cannot take the line that tells of it */
    assert_int_equal(recover_as(kit, "anna", "another password"), 507);
    assert_int_equal(enrolled_told, 0);
    assert_false(capsule_enrolled(self.capsule));
    disk_full = false;
    restart();
    restoring();
    client_gone = true;
    recover_as(kit, "anna", "another password");
    assert_false(capsule_enrolled(self.capsule)); /* nobody would know the outcome */
    client_gone = false;
    assert_int_equal(recover_as(kit, "anna", "another password"), 200);
    assert_int_equal(enrolled_told, 1);
}

/* A damaged owner is made anew; another user's login is not taken. */
static void damaged_owner(void **state) {
    (void)state;
    enrolled_with_kit();
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/users", "{\"login\":\"ben\",\"role\":\"member\"}"), 201);
    uint8_t owner[ID_BYTES];
    struct slot slot;
    for (size_t i = 0; capsule_slot(self.capsule, i, &slot); i++)
        if (slot.kind == SLOT_SELF_SUFFICIENT) memcpy(owner, slot.owner, ID_BYTES);
    assert_int_equal(store_put(self.store, STORE_USERS, owner, "no user", 7, STORE_ANY, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    lose_capsule();
    assert_int_equal(recover_as(kit, "ben", "another password"), 409);
    assert_string_equal(now.type, "login-taken");
    assert_int_equal(recover_as(kit, "anna", "another password"), 200);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/users", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(now.body, "items")), 2);
}

/* Only what a registrar entered to be restored: a capsule that is missing anywhere else is an error, and an enrolment code is no leave. */
static void only_where_it_was_asked_for(void **state) {
    (void)state;
    enrolled_with_kit();
    assert_int_equal(recover_as(kit, "anna", "another password"), 409);
    lose_capsule();
    self.profile.enrolled = 1;
    assert_int_equal(recover_as(kit, "anna", "another password"), 409);
    self.profile.enrolled = 0;
    self.profile.enrol_hash[0] = 1;
    assert_int_equal(recover_as(kit, "anna", "another password"), 409);
    assert_false(capsule_enrolled(self.capsule) || self.keys);
}

/* Another tenant's kit, one of another day, a slip of the pen, an altered record: one uniform answer, counted, and nothing is written. */
static void wrong_kits(void **state) {
    (void)state;
    char others[KIT_TEXT + 1];
    struct kit_record record, changed;
    enrolled_with_kit();
    strcpy(others, kit);
    enrolled_with_kit();
    assert_int_equal(store_clear_get(self.store, &record, sizeof record), STORE_OK);
    for (size_t i = 0; i < 3; i++) {
        changed = record;
        if (i == 0) changed.tenant[3] ^= 1;
        if (i == 1) changed.slot.tmk[20] ^= 1;
        if (i == 2) changed.slot.owner[0] ^= 1;
        assert_int_equal(store_clear_put(self.store, &changed, sizeof changed), STORE_OK);
        assert_int_equal(store_commit(self.store), STORE_OK);
        lose_capsule();
        assert_int_equal(recover_as(kit, "anna", "another password"), 401);
        assert_string_equal(now.type, "credentials");
        assert_false(capsule_enrolled(self.capsule) || self.keys);
        enrolled_with_kit();
        assert_int_equal(store_clear_get(self.store, &record, sizeof record), STORE_OK);
    }
    lose_capsule();
    uint64_t failures = counters.value[COUNTER_login_failures];
    assert_int_equal(recover_as(others, "anna", "another password"), 401);
    assert_int_equal(counters.value[COUNTER_login_failures], failures + 1);
    kit[3] = kit[3] == '7' ? '8' : '7';
    assert_int_equal(recover_as(kit, "anna", "another password"), 400);
    assert_false(capsule_enrolled(self.capsule) || self.keys);
}

/* Another tenant's whole record in this file: its kit gives a key and an id, which this file does not take. */
static void anothers_record(void **state) {
    (void)state;
    struct kit_record his;
    enrolled_with_kit();
    assert_int_equal(store_clear_get(self.store, &his, sizeof his), STORE_OK);
    char his_kit[KIT_TEXT + 1];
    strcpy(his_kit, kit);
    enrolled_with_kit();
    assert_int_equal(store_clear_put(self.store, &his, sizeof his), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    lose_capsule();
    assert_int_equal(recover_as(his_kit, "anna", "another password"), 500);
    assert_false(capsule_enrolled(self.capsule) || self.keys);
    restart();
    restoring();
    assert_int_equal(recover_as(kit, "anna", "another password"), 401);
}

/* A flood of tries waits like any other. */
static void tries_wait(void **state) {
    (void)state;
    char others[KIT_TEXT + 1], body[512];
    enrolled_with_kit();
    strcpy(others, kit);
    enrolled_with_kit();
    lose_capsule();
    source[15] = 7;
    lockout_pass(7200);
    snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\",\"login\":\"anna\",\"password\":\"%s\"}", others, password);
    int status = 0;
    for (int i = 0; i < 12 && status != 429; i++)
        status = post("/api/v1/recovery", body);
    assert_int_equal(status, 429);
}

int main(void) {
    if (!account_open()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_listed_removed),
        cmocka_unit_test(on_the_disk),
        cmocka_unit_test(goes_with_its_maker),
        cmocka_unit_test(opens_without_the_capsule),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(damaged_owner),
        cmocka_unit_test(only_where_it_was_asked_for),
        cmocka_unit_test(wrong_kits),
        cmocka_unit_test(anothers_record),
        cmocka_unit_test(tries_wait),
    };
    return account_close(cmocka_run_group_tests(tests, NULL, NULL));
}
