/*
 * Enrolment, log-in, sessions and tokens over the real capsule and store, with the connection and the supervisor played here: who gets in,
 * who does not, what survives a stop or a crash in the middle, and what a foreign page may do.
 */
#include "account_fake.h"

#include <sys/syscall.h>

/* ---- the tests ---- */

static void enrolment(void **state) {
    (void)state;
    assert_int_equal(post("/api/v1/session", body_of("anna", password, false)), 401);
    assert_int_equal(
        post("/api/v1/enrol", "{\"code\":\"ABCDE-FGHJK-MNPQR-STVWY\",\"login\":\"anna\",\"password\":\"correct horse battery\"}"), 403);
    assert_string_equal(now.type, "enrolment-code");
    assert_int_equal(enrol_as("anna", "too short"), 400);
    assert_int_equal(enrol_as("", password), 400);
    assert_int_equal(enrol_as("an\\u0007na", password), 400);
    assert_int_equal(post("/api/v1/enrol", "{\"code\":1}"), 400);
    assert_int_equal(post("/api/v1/enrol", "[]"), 400);
    assert_int_equal(post("/api/v1/enrol", "{\"code\":\"a\",\"code\":\"b\"}"), 400);
    assert_int_equal(post("/api/v1/enrol", "{\"codes\":\"a\"}"), 400);
    assert_int_equal(post("/api/v1/enrol", "{"), 400);
    assert_false(capsule_enrolled(self.capsule));
    assert_int_equal(enrol_as("Anna", password), 201);
    assert_int_equal(strlen(text("recovery_kit")), KIT_TEXT);
    assert_int_equal(enrolled_told, 1);
    assert_int_equal(asked, done);
    assert_int_equal(plain_told, 0); /* off by default, C12 */
    assert_int_equal(enrol_as("Anna", password), 409);
    assert_int_equal(enrol_as("eve", password), 409);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_string_equal(json_string_value(json_object_get(json_object_get(now.body, "user"), "login")), "anna");
    assert_int_equal(json_array_size(json_object_get(now.body, "rights")), 5);
    assert_true(strstr(now.cookie, "Secure") && strstr(now.cookie, "HttpOnly") && strstr(now.cookie, "SameSite=Strict") &&
                strstr(now.cookie, "Path=/;"));
    assert_true(now.seen);
}

/* Killed after the capsule was written and before anything else: whatever is tried then, the tenant can be used. */
static void enrolment_cut_short(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        fresh(NULL);
        assert_int_equal(enrol_as("anna", password), 201);
        char kit[KIT_TEXT + 1];
        strcpy(kit, text("recovery_kit"));
        stop();
        unlink("data.mdb"); /* as it was before: empty */
        unlink("data.mdb-lock");
        start();
        self.profile.enrolled = 0;
        enrolled_told = 0;
        if (way == 0) {
            assert_int_equal(log_in_as("anna", password), 200);
        } else if (way == 1) { /* the same again: a kit that opens, and the old one does not */
            assert_int_equal(enrol_as("anna", password), 201);
            assert_string_not_equal(kit, text("recovery_kit"));
            strcpy(kit, text("recovery_kit"));
        } else if (way == 2) { /* another password: refused, but nothing is lost */
            assert_int_equal(enrol_as("anna", "another password"), 409);
            assert_int_equal(enrol_as("bert", password), 409);
            lockout_pass(3600);
            assert_int_equal(enrol_as("anna", password), 201);
        } else { /* the kit cannot know the login */
            char body[128];
            snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\"}", kit);
            assert_int_equal(post("/api/v1/session", body), 401);
        }
        assert_int_equal(enrolled_told, way == 3 ? 0 : 1);
        assert_int_equal(log_in_as("anna", password), 200);
        assert_int_equal(enrolled_told, 1);
        assert_int_equal(store_count(self.store, STORE_USERS), 1);
        restart();
        assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    }
}

/* The capsule has its blocks, the store finds none: nobody is told, and the same again succeeds, in this worker or in the next. */
static void enrolment_on_a_full_disk(void **state) {
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        fresh(NULL);
        disk_full = true;
        assert_int_equal(enrol_as("anna", password), 507);
        assert_int_equal(enrolled_told, 0);
        assert_int_equal(self.profile.enrolled, 0);
        disk_full = false;
        if (stopped) restart();
        assert_int_equal(enrol_as("anna", password), 201);
        assert_int_equal(enrolled_told, 1);
        assert_int_equal(log_in_as("anna", password), 200);
    }
}

static void client_goes_away(void **state) {
    (void)state;
    client_gone = true;
    enrol_as("anna", password);
    assert_false(capsule_enrolled(self.capsule)); /* nobody would see the kit */
    client_gone = false;
    assert_int_equal(enrol_as("anna", password), 201);
    size_t sessions = capsule_slots(self.capsule, SLOT_SESSION);
    client_gone = true;
    log_in_as("anna", password);
    assert_int_equal(capsule_slots(self.capsule, SLOT_SESSION), sessions);
}

static void wrong_is_wrong(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    char *first = NULL;
    static const char *const tries[][2] = {
        {"anna", "correct horse batterY"}, {"nobody", "correct horse battery"}, {"anna", "x"}, {"\\u00e9", "y"}};
    for (size_t i = 0; i < 4; i++) {
        int before = asked;
        assert_int_equal(log_in_as(tries[i][0], tries[i][1]), 401);
        assert_int_equal(asked, before + 1); /* every one costs a KDF */
        assert_string_equal(now.type, "credentials");
        assert_string_equal(now.cookie, "");
    }
    free(first);
    assert_int_equal(log_in_as(" ANNA ", password), 200); /* logins fold */
}

static void unicode(void **state) {
    (void)state;
    char a[USER_LOGIN_MAX + 1], b[USER_LOGIN_MAX + 1], p[PASSWORD_MAX + 1], q[PASSWORD_MAX + 1];
    assert_true(login_fold("Zo\xc3\xab", a) && login_fold("zoe\xcc\x88", b));
    assert_string_equal(a, b);
    assert_true(login_fold("STRASSE", a) && login_fold("stra\xc3\x9f"
                                                       "e",
                                                       b));
    assert_string_equal(a, b);
    assert_false(login_fold("", a) || login_fold("   ", a) || login_fold("a\nb", a) || login_fold("\xff", a) ||
                 login_fold("\xed\xa0\x80", a));
    char longest[700];
    memset(longest, 'a', sizeof longest);
    longest[USER_LOGIN_MAX] = 0;
    assert_true(login_fold(longest, a));
    longest[USER_LOGIN_MAX] = 'a';
    longest[USER_LOGIN_MAX + 1] = 0;
    assert_false(login_fold(longest, a));
    assert_true(password_normalise("mot de passe \xc3\xa9", false, p) && password_normalise("mot de passe e\xcc\x81", false, q));
    assert_string_equal(p, q);
    assert_false(password_normalise("eleven char", false, p));
    assert_true(password_normalise("eleven char", true, p));
    assert_false(password_normalise("", true, p));
    static char huge[PASSWORD_MAX + 2];
    memset(huge, 'x', PASSWORD_MAX + 1);
    assert_false(password_normalise(huge, false, p));
    huge[PASSWORD_MAX] = 0;
    assert_true(password_normalise(huge, false, p));
}

static void cookies_outlive_the_worker(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    restart();
    begin(HTTP_GET);
    assert_int_equal(call("/api/v1/session", NULL), 503); /* sealed, and nobody asks */
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    assert_non_null(self.keys);
    char second[sizeof cookie_field];
    strcpy(second, cookie_field);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_DELETE, "/api/v1/session", NULL), 204);
    assert_non_null(strstr(now.cookie, "Max-Age=0"));
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
    restart();
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 503); /* what was ended opens nothing */
    assert_null(self.keys);
    strcpy(cookie_field, second);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    strcat(cookie_field, "; ");
    strcat(cookie_field, second + 5); /* two of the name */
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
    strcpy(cookie_field, second);
    strcat(cookie_field, "; __Host-cloison=AAAA");
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
    strcpy(cookie_field, "x__Host-cloison=1; __Host-cloisonx=2; __Host-cloison");
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
}

static void tokens(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    static const char *const wrong[] = {"{\"name\":\"t\",\"scopes\":[],\"expires\":null}",
                                        "{\"name\":\"t\",\"scopes\":[\"root\"],\"expires\":null}",
                                        "{\"name\":\"t\",\"scopes\":[\"read\",\"read\"]}",
                                        "{\"name\":\"\",\"scopes\":[\"read\"],\"expires\":null}",
                                        "{\"name\":\"t\",\"scopes\":[\"read\"],\"expires\":\"2020-01-01T00:00:00Z\"}",
                                        "{\"name\":\"t\",\"scopes\":[\"read\"],\"expires\":\"tomorrow\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(with_cookie(HTTP_POST, "/api/v1/tokens", wrong[i]), 400);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/tokens",
                                 "{\"name\":\"robot\",\"scopes\":[\"read\",\"admin\"],\"expires\":\"2099-12-31T23:59:59Z\"}"),
                     201);
    char id[64];
    snprintf(id, sizeof id, "/api/v1/tokens/%s", text("id"));
    snprintf(bearer_field, sizeof bearer_field, "Bearer %s", text("token"));
    assert_string_equal(text("expires"), "2099-12-31T23:59:59Z");
    assert_int_equal(with_token(HTTP_GET, "/api/v1/session", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(now.body, "rights")), 2);
    assert_int_equal(with_token(HTTP_POST, "/api/v1/tokens", "{\"name\":\"child\",\"scopes\":[\"read\"],\"expires\":null}"), 403);
    assert_int_equal(with_token(HTTP_POST, "/api/v1/recovery-kit", NULL), 403);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/tokens", NULL), 200);
    json_t *item = json_array_get(json_object_get(now.body, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(item, "name")), "robot");
    assert_null(json_object_get(item, "token"));
    restart();
    assert_int_equal(with_token(HTTP_GET, "/api/v1/session", NULL), 200); /* a token unseals, too */
    char swapped[512], cookie[sizeof cookie_field];
    snprintf(swapped, sizeof swapped, "__Host-cloison=%s", bearer_field + 11);
    strcpy(cookie, cookie_field);
    strcpy(cookie_field, swapped);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401); /* a token is no cookie, */
    restart();
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 503); /* nor does it open anything as one */
    strcpy(cookie_field, cookie);
    assert_int_equal(with_cookie(HTTP_DELETE, "/api/v1/tokens/00000000000000000000000000", NULL), 404);
    assert_int_equal(with_cookie(HTTP_DELETE, id, NULL), 204);
    assert_int_equal(with_token(HTTP_GET, "/api/v1/session", NULL), 401);
    static const char *const malformed[] = {"Bearer", "Bearer clt_", "Basic YTpi", "Bearer clt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                            "Bearer xxx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < 5; i++) {
        strcpy(bearer_field, malformed[i]);
        assert_int_equal(with_token(HTTP_GET, "/api/v1/session", NULL), 401);
    }
}

static const char *new_token(const char *scopes, char id[64], char bearer[256]) {
    char body[128];
    snprintf(body, sizeof body, "{\"name\":\"t\",\"scopes\":[%s],\"expires\":null}", scopes);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/tokens", body), 201);
    snprintf(id, 64, "/api/v1/tokens/%s", text("id"));
    snprintf(bearer, 256, "Bearer %s", text("token"));
    return bearer;
}

/* A token that may only read must not cut off the others. */
static void tokens_end_themselves(void **state) {
    (void)state;
    char reader_id[64], other_id[64], admin_id[64], reader[256], other[256], admin[256];
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    new_token("\"read\"", reader_id, reader);
    new_token("\"read\",\"write\"", other_id, other);
    new_token("\"admin\"", admin_id, admin);
    strcpy(bearer_field, reader);
    assert_int_equal(with_token(HTTP_DELETE, other_id, NULL), 403);
    strcpy(bearer_field, other);
    assert_int_equal(with_token(HTTP_DELETE, reader_id, NULL), 403);
    assert_int_equal(with_token(HTTP_DELETE, other_id, NULL), 204); /* itself */
    strcpy(bearer_field, admin);
    assert_int_equal(with_token(HTTP_DELETE, reader_id, NULL), 204);
    strcpy(bearer_field, reader);
    assert_int_equal(with_token(HTTP_GET, "/api/v1/session", NULL), 401);
}

static void password_change(void **state) {
    (void)state;
    static char other[sizeof cookie_field];
    char kit[128];
    assert_int_equal(enrol_as("anna", password), 201);
    snprintf(kit, sizeof kit, "{\"recovery_kit\":\"%s\"}", text("recovery_kit"));
    assert_int_equal(log_in_as("anna", password), 200);
    strcpy(other, cookie_field);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"password\":\"a new password\"}"), 400); /* the old one is wanted */
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"old\":\"wrong\",\"password\":\"a new password\"}"), 401);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"old\":\"correct horse battery\",\"password\":\"short\"}"), 400);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"old\":\"correct horse battery\",\"password\":\"a new password\"}"), 204);
    char mine[sizeof cookie_field];
    snprintf(mine, sizeof mine, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401); /* this one, too, under its old cookie */
    strcpy(cookie_field, mine);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    strcpy(cookie_field, other);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(log_in_as("anna", password), 401);
        assert_int_equal(log_in_as("anna", "a new password"), 200);
        restart();
    }
    assert_int_equal(post("/api/v1/session", kit), 200);
    snprintf(cookie_field, sizeof cookie_field, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"password\":\"after the loss\"}"), 204);
    snprintf(cookie_field, sizeof cookie_field, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"password\":\"once more, then\"}"),
                     400); /* that session is a password's now */
    assert_int_equal(log_in_as("anna", "after the loss"), 200);
    assert_int_equal(log_in_as("anna", "a new password"), 401);
    assert_int_equal(capsule_slots(self.capsule, SLOT_PASSWORD), 1);
}

/* Each state of the capsule that a kill or a power cut in the middle of a change could leave on the disk. */
static unsigned snapshots;
static bool watching;
int fdatasync(int fd) {
    char command[64];
    int result = (int)syscall(SYS_fdatasync, fd);
    if (watching) {
        snprintf(command, sizeof command, "cp capsule capsule.%u", snapshots++);
        assert_int_equal(system(command), 0);
    }
    return result;
}

/* Cut short, it is the old password or the new one; and where it is the new one, no older session lives on. */
static void password_change_cut_short(void **state) {
    (void)state;
    char command[64];
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    snapshots = 0;
    watching = true;
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"old\":\"correct horse battery\",\"password\":\"a new password\"}"), 204);
    watching = false;
    assert_true(snapshots >= 3);
    unsigned changed = 0;
    for (unsigned i = 0; i < snapshots; i++) {
        snprintf(command, sizeof command, "cat capsule.%u > capsule", i);
        stop();
        assert_int_equal(system(command), 0);
        start();
        lockout_pass(3600);
        bool session = with_cookie(HTTP_GET, "/api/v1/session", NULL) == 200;
        char kept[sizeof cookie_field];
        strcpy(kept, cookie_field);
        bool old = log_in_as("anna", password) == 200, new = log_in_as("anna", "a new password") == 200;
        strcpy(cookie_field, kept);
        assert_true(old != new);
        assert_false(new &&session);
        changed += new;
    }
    assert_true(changed > 0 && changed < snapshots);
}

static void kits(void **state) {
    (void)state;
    char body[128], old[128];
    assert_int_equal(enrol_as("anna", password), 201);
    snprintf(old, sizeof old, "{\"recovery_kit\":\"%s\"}", text("recovery_kit"));
    restart();
    assert_int_equal(post("/api/v1/session", old), 200);
    snprintf(cookie_field, sizeof cookie_field, "%.*s", (int)strcspn(now.cookie, ";"), now.cookie);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/recovery-kit", NULL), 201);
    snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\"}", text("recovery_kit"));
    assert_int_equal(post("/api/v1/session", old), 401);
    assert_int_equal(post("/api/v1/session", body), 200);
    body[25] = body[25] == '7' ? '8' : '7';
    assert_int_equal(post("/api/v1/session", body), 400);
}

static int from(enum http_method method, const char *site, const char *origin, uint32_t port, bool plain) {
    begin(method);
    head.port = port;
    request.plain = plain;
    header("Cookie", cookie_field);
    if (site) header("Sec-Fetch-Site", site);
    if (origin) header("Origin", origin);
    enum session_refusal why;
    return session_authenticate(&request, &why) ? 0 : (int)why;
}

static void foreign_pages(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    static const struct {
        const char *site, *origin;
        uint32_t port;
        bool plain, fine;
    } cases[] = {
        {NULL, NULL, 0, false, true},
        {"same-origin", "https://acme.example", 0, false, true},
        {"same-origin", "https://ACME.example", 0, false, true},
        {"same-origin", "https://acme.example:8443", 8443, false, true},
        {NULL, "https://acme.example:8443", 0, false, true}, /* a proxy left the port out of Host */
        {NULL, "https://acme.example:443", 0, false, true},
        {NULL, "https://acme.example:444", 0, false, false},
        {NULL, "https://acme.example:99999999999", 0, false, false},
        {NULL, "https://acme.example:", 0, false, false},
        {NULL, "https://acme.example:8x43", 8443, false, false},
        {NULL, "http://acme.example", 0, false, false},
        {NULL, "http://acme.example", 0, true, true},
        {NULL, "https://acme.example", 0, true, true},
        {NULL, "https://acme.example.evil.org", 0, false, false},
        {NULL, "https://evil.org", 0, false, false},
        {NULL, "https://eviacme.example", 0, false, false},
        {NULL, "null", 0, false, false},
        {NULL, "", 0, false, false},
        {"cross-site", NULL, 0, false, false},
        {"same-site", "https://acme.example", 0, false, false},
        {"none", NULL, 0, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = from(HTTP_POST, cases[i].site, cases[i].origin, cases[i].port, cases[i].plain);
        assert_int_equal(got, cases[i].fine ? 0 : SESSION_FOREIGN);
        assert_int_equal(from(HTTP_GET, cases[i].site, cases[i].origin, cases[i].port, cases[i].plain), 0); /* nothing changes */
    }
    begin(HTTP_POST);
    header("Origin", "https://evil.org");
    assert_int_equal(call("/api/v1/session", body_of("anna", password, false)), 403); /* nor log somebody in */
}

static void delays_grow(void **state) {
    (void)state;
    uint8_t a[ID_BYTES] = "login a", b[ID_BYTES] = "login b", c[ID_BYTES] = "login c", none[16] = {0};
    uint8_t peer[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, other[16] = {0x20, 1, 0xd, 0xb8, 1},
            same[16] = {0x20, 1, 0xd, 0xb8, 1};
    same[15] = 9; /* of the same /64 */
    unsigned last = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lockout_wait(a, other), 0);
        lockout_failed(a, none);
    }
    for (int i = 0; i < 20; i++) {
        unsigned wait = lockout_wait(a, other);
        assert_true(wait >= last && wait >= 1 && wait <= LOCKOUT_LAST_SECONDS);
        last = wait;
        lockout_pass(wait);
        assert_int_equal(lockout_wait(a, other), 0);
        lockout_failed(a, none);
    }
    assert_int_equal(last, LOCKOUT_LAST_SECONDS);
    assert_int_equal(lockout_wait(b, none), 0);
    lockout_forgive(a, none);
    assert_int_equal(lockout_wait(a, none), 0);
    /* One source that tries many logins. */
    for (int i = 0; i < 12; i++) {
        b[15] = (uint8_t)i;
        lockout_failed(b, peer);
        lockout_failed(b, other);
    }
    assert_true(lockout_wait(c, peer) > 0 && lockout_wait(c, same) > 0);
    peer[15] = 2;
    assert_int_equal(lockout_wait(c, peer), 0);
    lockout_pass(4000);
    assert_int_equal(lockout_wait(c, same), 0);
    /* The table does not forget one login for a flood of others within its bound. */
    for (int i = 0; i < 8; i++)
        lockout_failed(a, none);
    for (int i = 0; i < 3000; i++) {
        uint8_t flood[ID_BYTES] = {1, (uint8_t)i, (uint8_t)(i >> 8)};
        lockout_failed(flood, none);
    }
    assert_true(lockout_wait(a, none) > 0);
}

static void lockout_answers(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post("/api/v1/session", body_of("anna", "wrong", false)), 401);
    int before = asked;
    assert_int_equal(post("/api/v1/session", body_of("anna", password, false)), 429);
    assert_int_equal(asked, before); /* no KDF */
    assert_string_equal(now.retry, "1");
    for (int i = 0; i < 3; i++)
        assert_int_equal(post("/api/v1/session", body_of("nobody", "wrong", false)), 401);
    assert_int_equal(post("/api/v1/session", body_of("nobody", password, false)), 429); /* as for one who is there */
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(post("/api/v1/session", body_of("anna", "wrong", false)), 401); /* counted anew */
}

/* Many tries at once, sent before the first has failed, are no way around the delay. */
static void delays_hold_for_many_at_once(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post("/api/v1/session", body_of("anna", "wrong", false)), 401);
    lockout_pass(2);
    permits = false; /* the first waits for its permit */
    begin(HTTP_POST);
    request.body = (const uint8_t *)body_of("anna", "one", false);
    request.body_size = strlen((const char *)request.body);
    route_of(HTTP_POST, "/api/v1/session")->handle(&now, &request);
    assert_int_equal(now.status, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(post("/api/v1/session", body_of("anna", "two", false)), 429);
    clear();
    permits = true;
    permit(NULL);
    while (now.status == 0)
        event_base_loop(self.base, EVLOOP_ONCE);
    assert_int_equal(now.status, 401);
}

static void many_sessions(void **state) {
    (void)state;
    uint8_t secret[KEY_BYTES], first[KEY_BYTES];
    struct session s;
    struct slot slot;
    char text_of[SECRET_TEXT + 1];
    assert_int_equal(enrol_as("anna", password), 201);
    assert_true(capsule_slot(self.capsule, 0, &slot));
    assert_int_equal(session_create(SLOT_SESSION, slot.owner, 31, (uint64_t)time(NULL) + 9, NULL, first, &s), 0);
    secret_format(first, text_of);
    snprintf(cookie_field, sizeof cookie_field, "__Host-cloison=%s", text_of);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    for (int i = 0; i < SLOTS_OF_SESSIONS; i++)
        assert_int_equal(session_create(SLOT_SESSION, slot.owner, 31, (uint64_t)time(NULL) + 99, NULL, secret, &s), 0);
    /* One of them had to go; whichever it was, the table says the same as the capsule. */
    size_t there = 0;
    for (size_t i = 0; capsule_slot(self.capsule, i, &slot); i++)
        there += slot.kind == SLOT_SESSION;
    assert_int_equal(there, SLOTS_OF_SESSIONS);
    uint8_t tmk[KEY_BYTES];
    bool opens = capsule_open_secret(self.capsule, first, &slot, tmk);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), opens ? 200 : 401);
}

static void no_permit(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    permits = false;
    begin(HTTP_POST);
    char *body = body_of("anna", password, false);
    request.body = (const uint8_t *)body;
    request.body_size = strlen(body);
    const struct route *route = route_of(HTTP_POST, "/api/v1/session");
    int answered = 0;
    for (int i = 0; i < 20; i++) { /* a bounded number wait, the rest are told so */
        now.status = 0;
        route->handle(&now, &request);
        answered += now.status == 503;
    }
    assert_int_equal(answered, 4);
    assert_int_equal(asked, 2); /* one permit for the enrolment, one asked for now */
}

static void is_fast(void **state) {
    (void)state;
    struct timespec a, b;
    enum session_refusal why;
    assert_int_equal(fresh(NULL), 0);
    assert_int_equal(enrol_as("anna", password), 201);
    assert_int_equal(log_in_as("anna", password), 200);
    begin(HTTP_POST);
    for (int i = 0; i < 10; i++)
        header("X-Something-Else", "and its value");
    header("Origin", "https://acme.example");
    header("Cookie", cookie_field);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 100000; i++)
        assert_true(session_authenticate(&request, &why) != NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double us = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 1e3 / 100000;
    printf("one check of a cookie: %.2f us\n", us);
    assert_true(us < 50); /* 2 in a build without sanitizers on an idle machine */
}

/* ---- the journal ---- */

static unsigned lines_of(const char *act) {
    unsigned found = 0;
    for (uint64_t n = journal_first_line(); n <= journal_last_line(); n++) {
        struct journal_line line;
        assert_int_equal(journal_read(n, &line), STORE_OK);
        json_t *json = json_loadb(line.text, line.size, 0, NULL);
        found += strcmp(json_string_value(json_object_get(json, "act")), act) == 0;
        json_decref(json);
    }
    return found;
}

/* What cannot be recorded: a credential is not made, nobody is locked out, and what takes credentials away goes on. */
static void nothing_can_be_recorded(void **state) {
    (void)state;
    assert_int_equal(enrol_as("anna", password), 201);
    char kit[KIT_TEXT + 1];
    strcpy(kit, text("recovery_kit"));
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/tokens", "{\"name\":\"t\",\"scopes\":[\"read\"]}"), 201);
    char path[64];
    snprintf(path, sizeof path, "/api/v1/tokens/%s", text("id"));
    assert_int_equal(lines_of("enrolled") + lines_of("logged_in") + lines_of("token_made"), 3);
    uint64_t lines = journal_last_line();
    size_t slots = capsule_slots(self.capsule, 0);
    disk_full = true;
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/tokens", "{\"name\":\"t\",\"scopes\":[\"read\"]}"), 507);
    assert_int_equal(with_cookie(HTTP_POST, "/api/v1/recovery-kit", NULL), 507);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/password", "{\"old\":\"correct horse battery\",\"password\":\"another good one\"}"),
                     507);
    assert_int_equal(with_cookie(HTTP_PUT, "/api/v1/functions/plain_socket", "{\"enabled\":true,\"confirmed\":1}"), 507);
    assert_int_equal(plain_told, 0);
    assert_int_equal(capsule_slots(self.capsule, 0), slots);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 200);
    assert_int_equal(with_cookie(HTTP_DELETE, "/api/v1/session", NULL), 204);
    assert_int_equal(with_cookie(HTTP_GET, "/api/v1/session", NULL), 401);
    assert_int_equal(journal_last_line(), lines);
    disk_full = false;
    char body[128];
    snprintf(body, sizeof body, "{\"recovery_kit\":\"%s\"}", kit);
    assert_int_equal(post("/api/v1/session", body), 200); /* the old kit still opens */
    struct journal_line line;
    assert_int_equal(journal_read(lines + 1, &line), STORE_OK);
    json_t *json = json_loadb(line.text, line.size, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "missed")), 5);
    json_decref(json);
    assert_int_equal(log_in_as("anna", password), 200);
    assert_int_equal(with_cookie(HTTP_DELETE, path, NULL), 204);
    assert_int_equal(lines_of("token_made"), 1);
    assert_int_equal(lines_of("token_removed"), 1);
    assert_int_equal(lines_of("kit_made") + lines_of("password_changed"), 0);
    assert_int_equal(lines_of("switched"), 1); /* tokens, at the first log-in */
}

int main(void) {
    if (!account_open()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(enrolment, fresh),
        cmocka_unit_test_setup(enrolment_cut_short, fresh),
        cmocka_unit_test_setup(client_goes_away, fresh),
        cmocka_unit_test_setup(wrong_is_wrong, fresh),
        cmocka_unit_test(unicode),
        cmocka_unit_test_setup(cookies_outlive_the_worker, fresh),
        cmocka_unit_test_setup(tokens, fresh),
        cmocka_unit_test_setup(tokens_end_themselves, fresh),
        cmocka_unit_test_setup(enrolment_on_a_full_disk, fresh),
        cmocka_unit_test_setup(password_change, fresh),
        cmocka_unit_test_setup(password_change_cut_short, fresh),
        cmocka_unit_test_setup(kits, fresh),
        cmocka_unit_test_setup(foreign_pages, fresh),
        cmocka_unit_test_setup(delays_grow, fresh),
        cmocka_unit_test_setup(lockout_answers, fresh),
        cmocka_unit_test_setup(delays_hold_for_many_at_once, fresh),
        cmocka_unit_test_setup(many_sessions, fresh),
        cmocka_unit_test_setup(nothing_can_be_recorded, fresh),
        cmocka_unit_test_setup(is_fast, fresh),
        cmocka_unit_test_setup(no_permit, fresh), /* the last: jobs wait */
    };
    return account_close(cmocka_run_group_tests(tests, NULL, NULL));
}
