/* The steward on its sockets: people on one side, the supervisor (this test) on the other. */
#include "../../policy/channel.h"
#include "../../policy/csr.h"
#include "../../supervisor/steward/control.h"
#include "../../supervisor/steward/publication.h"
#include "../../supervisor/steward/steward.h"
#include "../../supervisor/steward/support.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODYS = 61234567 }; /* a group this process is not in */

static struct steward house;
static int channel; /* the supervisor's end */
static struct sockaddr_un where[3];
static socklen_t where_size[3];
static char text[1 << 20]; /* the last answer */

/* What the supervisor heard last and what it answers to the next act. */
static struct {
    unsigned acts;
    struct message_act act;
    struct person who; /* as the supervisor reads it from the socket that was shown */
    bool shown;
    int fd; /* what came with it, -1 = none */
    bool silent;
    struct message_answer answer;
    int answer_fd;
} heard;

static struct message_support traced; /* what a worker would have heard last */

static void turn(void) {
    for (int i = 0; i < 8; i++) {
        event_base_loop(house.base, EVLOOP_NONBLOCK);
        union message m;
        int fd;
        while (channel_receive(channel, CHANNEL_STEWARD, CHANNEL_SUPERVISOR, &m, &fd, NULL) == CHANNEL_OK) {
            if (m.head.type == MESSAGE_STEWARD_SUPPORT_TRACE) { /* for a worker */
                traced = m.support;
                if (fd >= 0) close(fd);
                continue;
            }
            if (m.head.type == MESSAGE_STEWARD_PERSON) {
                assert_true(person_connected(fd) && duty_person(&house.duties, fd, &heard.who));
                heard.shown = true;
                close(fd);
                continue;
            }
            assert_true(heard.shown); /* each act has its person before it */
            heard.shown = false;
            heard.acts++;
            heard.act = m.act;
            if (heard.fd >= 0) close(heard.fd);
            heard.fd = fd;
            if (heard.silent) continue;
            union message out = {.answer = heard.answer};
            out.head.type = MESSAGE_STEWARD_ANSWER;
            out.answer.request = m.act.request;
            assert_int_equal(channel_send(channel, CHANNEL_SUPERVISOR, &out, heard.answer_fd), CHANNEL_OK);
        }
    }
}

static void say(union message m, int fd) {
    assert_int_equal(channel_send(channel, CHANNEL_SUPERVISOR, &m, fd), CHANNEL_OK);
    turn();
}

static void say_plain(uint32_t type, uint32_t tenant, uint64_t value, int fd) {
    say((union message){.plain = {{type, tenant, 1}, value}}, fd);
}

/* Exactly these duties are this process's. */
static void duties(uint32_t set) {
    for (uint64_t d = 0; d < DUTY_COUNT; d++)
        say_plain(MESSAGE_STEWARD_DUTY, 0, d << 32 | (set >> d & 1 ? getegid() : (gid_t)NOBODYS), -1);
}

/* One message to the support is kept: the first one, of the tenant there is. */
static void support_begin(void) {
    int file = memfd_create("traces", 0), sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
    assert_int_equal(write(sealed, "sealed", 6), 6);
    say_plain(MESSAGE_STEWARD_TRACES, 0, 90, file);
    say((union message){.support = {.head = {MESSAGE_STEWARD_SUPPORT, 1, 0}, .reference = 5, .bytes = 6}}, sealed);
    close(file);
    close(sealed);
}

static int setup(void **state) {
    (void)state;
    int pair[2];
    if (channel_pair(pair) < 0) return -1;
    house = (struct steward){.channel = pair[1]};
    channel = pair[0];
    heard.fd = heard.answer_fd = -1;
    if (!steward_open(&house)) return -1;
    for (int s = STEWARD_STATUS; s <= STEWARD_CONTROL; s++) {
        where[s].sun_family = AF_UNIX;
        where_size[s] = sizeof where[s];
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* A name in the abstract namespace, given by the kernel. */
        if (bind(fd, (struct sockaddr *)&where[s], sizeof(sa_family_t)) < 0 || listen(fd, 64) < 0) return -1;
        if (getsockname(fd, (struct sockaddr *)&where[s], &where_size[s]) < 0) return -1;
        say_plain(MESSAGE_STEWARD_SOCKET, 0, (uint64_t)s, fd);
        close(fd);
    }
    union message m = {.tenant = {.head = {MESSAGE_STEWARD_TENANT, 1, 1}, .name = "acme", .state = TENANT_SERVING, .host_count = 1}};
    snprintf(m.tenant.host[0], sizeof m.tenant.host[0], "acme.example");
    say(m, -1);
    support_begin();
    return 0;
}

static int before(void **state) {
    (void)state;
    heard.acts = 0;
    heard.silent = false;
    heard.answer = (struct message_answer){.result = ACT_DONE};
    if (heard.answer_fd >= 0) close(heard.answer_fd);
    heard.answer_fd = -1;
    duties((1U << DUTY_COUNT) - 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    staff_free(house.status);
    staff_free(house.control);
    tenants_free(house.tenants);
    events_free(house.events);
    publication_free(house.publication);
    support_free(house.support);
    close(channel);
    if (heard.fd >= 0) close(heard.fd);
    return 0;
}

static int person(enum steward_socket s) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where[s], where_size[s]), 0);
    return fd;
}

/* Sends and takes what comes until there is no more; its length. *closed: the steward ended the connection. */
static size_t exchange(int fd, const char *bytes, size_t size, bool *closed) {
    size_t got = 0;
    *closed = false;
    for (int idle = 0; idle < 3;) {
        if (size) {
            ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
            if (sent > 0)
                bytes += sent, size -= (size_t)sent;
            else if (errno != EAGAIN)
                size = 0;
        }
        turn();
        ssize_t n = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (n > 0) got += (size_t)n;
        if (n == 0 || (n < 0 && errno != EAGAIN)) *closed = true;
        idle = n > 0 || size ? 0 : idle + 1;
        if (*closed) break;
    }
    text[got] = 0;
    return got;
}

/* One request on a connection of its own; the status of the answer. */
static int ask(enum steward_socket s, const char *method, const char *path, const char *body) {
    static char request[128 * 1024];
    bool closed;
    int fd = person(s), size;
    if (body)
        size = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: c\r\nContent-Length: %zu\r\n\r\n%s", method, path, strlen(body),
                        body);
    else
        size = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: c\r\n\r\n", method, path);
    assert_true(size > 0 && (size_t)size < sizeof request);
    exchange(fd, request, (size_t)size, &closed);
    close(fd);
    turn();
    return atoi(text + 9);
}

static void viewers_read(void **state) {
    (void)state;
    static const char *const paths[] = {"/v1/status", "/v1/tenants", "/v1/tenants/acme", "/v1/posture", "/metrics"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(ask(STEWARD_STATUS, "GET", paths[i], NULL), 200);
        assert_int_equal(ask(STEWARD_STATUS, "POST", paths[i], ""), 405);
    }
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/v1/tenants/bois", NULL), 404);
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/v1/tenants/..", NULL), 404);
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/", NULL), 404);
    assert_int_equal(heard.acts, 0);
}

/* Without the duty everything is refused, uid 0 or not, and the supervisor hears of it. */
static void others_do_not(void **state) {
    (void)state;
    duties(~(1U << DUTY_viewer));
    heard.answer.result = ACT_REFUSED;
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/v1/status", NULL), 403);
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/nothing", NULL), 403);
    assert_int_equal(heard.acts, 2);
    assert_int_equal(heard.act.verb, VERB_status);
    assert_int_equal(heard.who.uid, geteuid());
    assert_non_null(strstr(text, "application/problem+json"));
}

static void a_notice_that_is_not_kept_is_not_listed(void **state) {
    (void)state;
    for (uint32_t n = 901; n <= 902; n++)
        say((union message){.notice = {.head = {.type = MESSAGE_STEWARD_NOTICE}, .number = n, .kind = NOTICE_terms, .bytes = 1}}, -1);
    say_plain(MESSAGE_STEWARD_NO_NOTICE, 0, 901, -1);
    say_plain(MESSAGE_STEWARD_NO_NOTICE, 0, 900, -1);
    assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/notices", NULL), 200);
    assert_null(strstr(text, "901"));
    assert_non_null(strstr(text, "902"));
}

/* The supervisor is busy and its socket full: the answer about one tenant's lines, which all others wait behind, comes nevertheless. */
static void an_answer_about_lines_is_not_lost(void **state) {
    (void)state;
    const union message busy = {.plain = {.head = {MESSAGE_STEWARD_SUPPORT_TRACE, 1, 1}}};
    const union message own = {.own = {.head = {MESSAGE_STEWARD_OWN, 1, 7}, .from = 1, .last = 1}};
    union message m = {0};
    int fd;
    while (channel_send(house.channel, CHANNEL_STEWARD, &busy, -1) == CHANNEL_OK)
        ;
    assert_int_equal(channel_send(channel, CHANNEL_SUPERVISOR, &own, -1), CHANNEL_OK);
    event_base_loop(house.base, EVLOOP_NONBLOCK);
    event_base_loopexit(house.base, &(struct timeval){.tv_sec = 5});
    for (int turns = 0; turns < 10 && m.head.type != MESSAGE_STEWARD_OWN_LINES; turns++) {
        while (m.head.type != MESSAGE_STEWARD_OWN_LINES &&
               channel_receive(channel, CHANNEL_STEWARD, CHANNEL_SUPERVISOR, &m, &fd, NULL) == CHANNEL_OK)
            ;
        if (m.head.type != MESSAGE_STEWARD_OWN_LINES) event_base_loop(house.base, EVLOOP_ONCE);
    }
    assert_int_equal(m.head.type, MESSAGE_STEWARD_OWN_LINES);
    assert_true(m.head.tenant == 1 && m.head.generation == 7);
}

static const struct {
    const char *method, *path, *body;
    enum verb verb;
} verbs[] = {
    {"POST", "/v1/tenants", "{\"name\":\"neu\",\"hosts\":[\"neu.example\"]}", VERB_create},
    {"PATCH", "/v1/tenants/acme", "{\"title\":\"A\"}", VERB_set},
    {"POST", "/v1/tenants/acme/start", NULL, VERB_start},
    {"POST", "/v1/tenants/acme/stop", NULL, VERB_stop},
    {"POST", "/v1/tenants/acme/suspend", NULL, VERB_suspend},
    {"POST", "/v1/tenants/acme/resume", NULL, VERB_resume},
    {"POST", "/v1/tenants/acme/lock", NULL, VERB_lock},
    {"POST", "/v1/tenants/acme/enrol-code", NULL, VERB_enrol_code},
    {"POST", "/v1/tenants/acme/capsule-copy", "{\"place\":\"vault\"}", VERB_capsule_copy},
    {"POST", "/v1/tenants/acme/capsule-forget", "{\"place\":\"vault\"}", VERB_capsule_forget},
    {"POST", "/v1/tenants/acme/reset", NULL, VERB_reset},
    {"GET", "/v1/tenants/acme/csr", NULL, VERB_csr},
    {"PUT", "/v1/tenants/acme/certificate", "-----BEGIN CERTIFICATE-----", VERB_cert},
    {"POST", "/v1/tenants/acme/read", NULL, VERB_read},
    {"POST", "/v1/tenants/acme/export", NULL, VERB_export},
    {"POST", "/v1/tenants/acme/copy", NULL, VERB_copy},
    {"POST", "/v1/tenants/acme/connect", NULL, VERB_connect},
    {"POST", "/v1/tenants/acme/delete", NULL, VERB_delete},
    {"DELETE", "/v1/tenants/acme", NULL, VERB_delete},
    {"POST", "/v1/publication", NULL, VERB_publish},
    {"GET", "/v1/support", NULL, VERB_support_list},
    {"GET", "/v1/support/1", NULL, VERB_support_show},
    {"PUT", "/v1/support/1/answer", "sealed", VERB_support_answer},
    {"POST", "/v1/support/1/close", NULL, VERB_support_close},
    {"GET", "/v1/ledger", NULL, VERB_ledger},
    {"GET", "/v1/ledger/verify", NULL, VERB_ledger},
    {"POST", "/v1/tenants/acme/disclosure", "{\"ground\":\"law\",\"scope\":[\"registry\"],\"recipient\":\"A\",\"reason\":\"B\"}",
     VERB_disclosure},
    {"GET", "/v1/requests", NULL, VERB_request_list},
    {"POST", "/v1/requests/7/approve", NULL, VERB_request_approve},
    {"POST", "/v1/requests/7/withdraw", NULL, VERB_request_withdraw},
    {"GET", "/v1/undertaking", NULL, VERB_undertaking_show},
    {"POST", "/v1/undertaking", "{\"version\":1}", VERB_undertaking_sign},
    {"DELETE", "/v1/undertaking", NULL, VERB_undertaking_end},
    {"GET", "/v1/undertakings", NULL, VERB_undertaking_list},
    {"POST", "/v1/tenants/acme/transfer", "{\"to\":\"Autre SA\"}", VERB_transfer},
    {"POST", "/v1/tenants/acme/cite", "{\"use\":\"logo\",\"where\":\"A\"}", VERB_cite},
    {"POST", "/v1/notices?kind=terms&effective=2099-01-01", "Conditions", VERB_terms_publish},
    {"POST", "/v1/tenants/acme/backup-now", NULL, VERB_backup_now},
    {"POST", "/v1/tenants/acme/backup-list", NULL, VERB_backup_list},
    {"POST", "/v1/tenants/acme/backup-verify", NULL, VERB_backup_verify},
    {"POST", "/v1/tenants/acme/backup-drill", NULL, VERB_backup_drill},
    {"POST", "/v1/tenants/acme/backup-restore", "{\"destination\":\"coffre\"}", VERB_backup_restore},
    {"GET", "/v1/notices", NULL, VERB_terms_list},
    {"POST", "/v1/tenants/acme/contract-end", NULL, VERB_contract_end},
    {"POST", "/v1/tenants/acme/contract-resume", NULL, VERB_contract_resume},
    {"POST", "/v1/tenants/acme/destroy", NULL, VERB_destroy},
    {"GET", "/v1/tenants/acme/destruction-certificate", NULL, VERB_certificate},
};

/* A verb added to duties.def is tried here, or this fails. */
static void every_verb_has_its_route_here(void **state) {
    (void)state;
    for (int v = VERB_status + 1; v < VERB_COUNT; v++) {
        bool tried = false;
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
            tried = tried || verbs[i].verb == (enum verb)v;
        if (!tried) fail_msg("%s is not in the table of this test", verb_table[v].name);
    }
}

/* Every verb at every set of duties: it goes up once, with what the person holds, and is refused unless the table says so (C1, C6). */
static void every_verb_at_every_duty(void **state) {
    (void)state;
    for (uint32_t set = 0; set < 1U << DUTY_COUNT; set++) {
        duties(set);
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
            heard.acts = 0;
            heard.answer.result = ACT_DONE; /* even if the supervisor said yes */
            int status = ask(STEWARD_CONTROL, verbs[i].method, verbs[i].path, verbs[i].body);
            assert_int_equal(heard.acts, 1);
            assert_int_equal(heard.act.verb, verbs[i].verb);
            assert_int_equal(heard.who.duties, set);
            if (duty_may(set, verbs[i].verb))
                assert_int_not_equal(status, 403);
            else
                assert_int_equal(status, 403);
        }
    }
}

/* What the worker of a tenant is told of its messages, whatever it asks or sends (S7). */
static void a_worker_hears_of_its_messages(void **state) {
    (void)state;
    int sealed = memfd_create("sealed", MFD_ALLOW_SEALING), pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(ask(STEWARD_CONTROL, "PUT", "/v1/support/1/answer", "the answer"), 200);
    assert_true(traced.state == SUPPORT_ANSWERED && traced.bytes == 10 && traced.reference == 5 && traced.head.tenant == 1);
    assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/support/1", NULL), 200);
    assert_non_null(strstr(text, "sealed"));
    say((union message){.plain = {.head = {MESSAGE_STEWARD_SUPPORT_ASK, 1, 0}}}, -1);
    assert_int_equal(traced.state, SUPPORT_ALL_TOLD);
    /* Not so many bytes, more than may be, nothing that can be read without waiting. */
    say((union message){.support = {.head = {MESSAGE_STEWARD_SUPPORT, 1, 0}, .reference = 6, .bytes = 6}}, sealed);
    assert_true(traced.state == SUPPORT_REFUSED && traced.reference == 6);
    say((union message){.support = {.head = {MESSAGE_STEWARD_SUPPORT, 1, 0}, .reference = 7, .bytes = SUPPORT_SEALED_MAX + 1}}, sealed);
    assert_true(traced.state == SUPPORT_REFUSED && traced.reference == 7);
    say((union message){.support = {.head = {MESSAGE_STEWARD_SUPPORT, 1, 0}, .reference = 8, .bytes = 6}}, pipes[0]);
    assert_true(traced.state == SUPPORT_REFUSED && traced.reference == 8);
    char path[] = "/tmp/steward-test-XXXXXX";
    int disk = mkstemp(path);
    unlink(path);
    assert_int_equal(write(disk, "sealed", 6), 6);
    say((union message){.support = {.head = {MESSAGE_STEWARD_SUPPORT, 1, 0}, .reference = 9, .bytes = 6}}, disk);
    assert_true(traced.state == SUPPORT_REFUSED && traced.reference == 9); /* a file: who knows whose, and how long it takes */
    close(disk);
    assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/support/2", NULL), 404);
    close(sealed);
    close(pipes[0]);
    close(pipes[1]);
}

static void the_answer_is_the_supervisors(void **state) {
    (void)state;
    static const struct {
        enum act_result result;
        int status;
    } rows[] = {{ACT_DONE, 200},        {ACT_REFUSED, 403},      {ACT_NO_TENANT, 404}, {ACT_EXISTS, 409},     {ACT_BAD_FIELD, 422},
                {ACT_WRONG_STATE, 409}, {ACT_NOT_RECORDED, 503}, {ACT_FAILED, 503},    {ACT_FULL, 507},       {ACT_PENDING, 202},
                {ACT_UNDERTAKING, 403}, {ACT_CLOCK, 503},        {ACT_MODE, 403},      {ACT_NO_REQUEST, 404}, {ACT_ALONE, 409}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heard.answer.result = rows[i].result;
        assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants/acme/start", NULL), rows[i].status);
    }
    heard.answer = (struct message_answer){.result = ACT_FAILED, .detail = CHAIN_WRONG_KEY};
    assert_int_equal(ask(STEWARD_CONTROL, "PUT", "/v1/tenants/acme/certificate", "-----BEGIN CERTIFICATE-----"), 422);
    assert_non_null(strstr(text, "not for this tenant's key"));
}

static void create_shows_the_code(void **state) {
    (void)state;
    snprintf(heard.answer.code, sizeof heard.answer.code, "ABCDE-FGHJK-MNPQR-STVWX");
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants", "{\"name\":\"neu\",\"hosts\":[\"neu.example\"],\"quota\":1048577}"), 201);
    assert_non_null(strstr(text, "\"enrolment_code\": \"ABCDE-FGHJK-MNPQR-STVWX\""));
    assert_non_null(strstr(text, "Location: /v1/tenants/neu\r\n"));
    assert_string_equal(heard.act.name, "neu");
    assert_int_equal(heard.act.set, ACT_HOSTS | ACT_QUOTA);
    assert_int_equal(heard.act.quota_bytes, 1048576 + 4096);
    heard.acts = 0;
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants", "{\"name\":\"neu\"}"), 422);
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants", NULL), 422);
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants/acme/start", "{}"), 400);
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants/ACME/start", NULL), 404);
    assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/tenants/acme/start", NULL), 405);
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants/acme/reboot", NULL), 404);
    assert_int_equal(heard.acts, 0);
}

static void chains_travel_sealed(void **state) {
    (void)state;
    static char chain[CHAIN_MAX + 2];
    snprintf(chain, sizeof chain, "-----BEGIN CERTIFICATE-----\nx");
    assert_int_equal(ask(STEWARD_CONTROL, "PUT", "/v1/tenants/acme/certificate", chain), 200);
    assert_true(heard.fd >= 0);
    int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    assert_int_equal(fcntl(heard.fd, F_GET_SEALS) & seals, seals);
    char back[64] = {0};
    assert_int_equal(pread(heard.fd, back, sizeof back, 0), strlen(chain));
    assert_string_equal(back, chain);
    heard.acts = 0;
    assert_int_equal(ask(STEWARD_CONTROL, "PUT", "/v1/tenants/acme/certificate", "no certificate"), 422);
    memset(chain, 'x', CHAIN_MAX + 1);
    assert_int_equal(ask(STEWARD_CONTROL, "PUT", "/v1/tenants/acme/certificate", chain), 413);
    assert_int_equal(heard.acts, 0);
}

static void requests_are_encoded_anew(void **state) {
    (void)state;
    const char *const host[] = {"acme.example"};
    const uint8_t point[CSR_POINT] = {4, 1, 2}, signature[] = {0x30, 6, 2, 1, 1, 2, 1, 1};
    uint8_t der[CSR_MAX];
    size_t size = csr_encode(host, 1, point, signature, sizeof signature, der);
    for (int bent = 0; bent <= 1; bent++) {
        der[20] ^= (uint8_t)(bent * 0x20); /* a letter of the name */
        if (heard.answer_fd >= 0) close(heard.answer_fd);
        heard.answer_fd = memfd_create("csr", MFD_CLOEXEC);
        assert_int_equal(write(heard.answer_fd, der, size), size);
        heard.answer.value = size;
        assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/tenants/acme/csr", NULL), bent ? 502 : 200);
        assert_true(bent || strstr(text, "Content-Type: application/pkcs10\r\n"));
        assert_int_equal(strstr(text, "BEGIN CERTIFICATE REQUEST") == NULL, bent);
    }
    heard.answer.value = CSR_MAX + 1;
    assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/tenants/acme/csr", NULL), 502);
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    close(heard.answer_fd);
    close(pipe_fd[1]);
    heard.answer_fd = pipe_fd[0]; /* no memfd: not read at all */
    heard.answer.value = 10;
    assert_int_equal(ask(STEWARD_CONTROL, "GET", "/v1/tenants/acme/csr", NULL), 502);
}

/* ---- the server ---- */

static void connections_stay(void **state) {
    (void)state;
    bool closed;
    int fd = person(STEWARD_STATUS);
    static const char two[] = "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\nHEAD /v1/tenants HTTP/1.1\r\nHost: c\r\n\r\n";
    exchange(fd, two, sizeof two - 1, &closed);
    assert_false(closed);
    const char *second = strstr(text + 10, "HTTP/1.1 200 OK");
    assert_non_null(second);
    assert_string_equal(strstr(second, "\r\n\r\n"), "\r\n\r\n"); /* HEAD: a length and no body */
    static const char last[] = "GET /v1/status HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n";
    for (size_t i = 0; i < sizeof last - 1; i++) /* byte by byte */
        if (exchange(fd, last + i, 1, &closed)) break;
    assert_true(closed);
    assert_non_null(strstr(text, "200 OK"));
    close(fd);
}

static void bodies_come_in_chunks(void **state) {
    (void)state;
    bool closed;
    int fd = person(STEWARD_CONTROL);
    static const char chunked[] = "PATCH /v1/tenants/acme HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "7\r\n{\"title\r\n6\r\n\":\"A\"}\r\n0\r\n\r\n";
    exchange(fd, chunked, sizeof chunked - 1, &closed);
    assert_int_equal(atoi(text + 9), 200);
    assert_string_equal(heard.act.title, "A");
    static const char expect[] = "PATCH /v1/tenants/acme HTTP/1.1\r\nHost: c\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n";
    exchange(fd, expect, sizeof expect - 1, &closed);
    assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
    exchange(fd, "{\"title\":\"B\"}", 13, &closed);
    assert_int_equal(atoi(text + 9), 200);
    close(fd);
}

static void nonsense_ends_a_connection(void **state) {
    (void)state;
    static const char *const bad[] = {
        "GET /v1/status HTTP/1.1\r\n\r\n", /* no Host */
        "GET /v1/status HTTP/1.1\nHost: c\n\n",
        "GET /v1/status HTTP/1.0\r\nHost: c\r\n\r\n",
        "POST /v1/tenants HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST /v1/tenants HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/tenants HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "POST /v1/tenants HTTP/1.1\r\nHost: c\r\nContent-Length: 99999999\r\n\r\n",
        "\x16\x03\x01\x02\x05\x01\x07\x01\xfc\x03\x03\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool closed;
        int fd = person(STEWARD_CONTROL);
        exchange(fd, bad[i], strlen(bad[i]), &closed);
        if (atoi(text + 9) < 400 || atoi(text + 9) > 505 || !closed) fail_msg("%s -> %s", bad[i], text);
        close(fd);
    }
    turn();
    static char endless[64 * 1024];
    bool closed;
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "GET /", 5);
    int fd = person(STEWARD_STATUS);
    exchange(fd, endless, sizeof endless, &closed);
    assert_true(atoi(text + 9) == 414 || atoi(text + 9) == 431);
    close(fd);
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/v1/status", NULL), 200);
}

static void one_uid_does_not_take_all(void **state) {
    (void)state;
    int fd[STAFF_PER_UID_MAX];
    bool closed;
    for (int i = 0; i < STAFF_PER_UID_MAX; i++)
        fd[i] = person(STEWARD_STATUS);
    turn();
    int more = person(STEWARD_STATUS);
    exchange(more, "", 0, &closed);
    assert_true(closed);
    assert_int_equal(atoi(text + 9), 503);
    close(more);
    for (int i = 0; i < STAFF_PER_UID_MAX; i++)
        close(fd[i]);
    turn();
    assert_int_equal(ask(STEWARD_STATUS, "GET", "/v1/status", NULL), 200);
}

/* A person who leaves before the answer is forgotten; so is an answer to nobody. */
static void people_leave(void **state) {
    (void)state;
    bool closed;
    heard.silent = true;
    int fd = person(STEWARD_CONTROL);
    static const char start[] = "POST /v1/tenants/acme/start HTTP/1.1\r\nHost: c\r\n\r\n";
    assert_int_equal(exchange(fd, start, sizeof start - 1, &closed), 0);
    struct linger abort = {0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(fd);
    turn();
    union message late = {.answer = {.head = {.type = MESSAGE_STEWARD_ANSWER}, .request = heard.act.request, .result = ACT_DONE}};
    say(late, -1);
    late.answer.request = UINT64_MAX;
    say(late, memfd_create("nobody's", MFD_CLOEXEC));
    late.answer.request = 0;
    say(late, -1);
    heard.silent = false;
    assert_int_equal(ask(STEWARD_CONTROL, "POST", "/v1/tenants/acme/start", NULL), 200);
}

/* Two wait at the same time, on either socket: each gets its own answer. */
static void answers_find_who_asked(void **state) {
    (void)state;
    static const char look[] = "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n";
    static const char code[] = "POST /v1/tenants/acme/enrol-code HTTP/1.1\r\nHost: c\r\n\r\n";
    union message said = {.answer = {.head = {.type = MESSAGE_STEWARD_ANSWER}}};
    bool closed;
    heard.silent = true;
    duties(~(1U << DUTY_viewer));
    int viewer = person(STEWARD_STATUS), registrar = person(STEWARD_CONTROL);
    assert_int_equal(exchange(viewer, look, sizeof look - 1, &closed), 0);
    said.answer.request = heard.act.request;
    assert_int_equal(exchange(registrar, code, sizeof code - 1, &closed), 0);
    assert_int_equal(heard.act.verb, VERB_enrol_code);
    said.answer.result = ACT_REFUSED;
    say(said, -1);
    assert_int_equal(exchange(registrar, "", 0, &closed), 0);
    said.answer.request = heard.act.request;
    said.answer.result = ACT_DONE;
    strcpy(said.answer.code, "KWQ3-7RMA");
    say(said, -1);
    exchange(registrar, "", 0, &closed);
    assert_int_equal(atoi(text + 9), 200);
    assert_non_null(strstr(text, "KWQ3-7RMA"));
    exchange(viewer, "", 0, &closed);
    assert_int_equal(atoi(text + 9), 403);
    close(viewer);
    close(registrar);
    turn();
}

static void events_flow(void **state) {
    (void)state;
    bool closed;
    int fd = person(STEWARD_STATUS), again;
    static const char events[] = "GET /v1/events HTTP/1.1\r\nHost: c\r\n\r\n";
    exchange(fd, events, sizeof events - 1, &closed);
    assert_non_null(strstr(text, "Content-Type: text/event-stream\r\n"));
    assert_null(strstr(text, "data:"));
    say_plain(MESSAGE_STEWARD_EVENT, 1, EVENT_STARTED, -1);
    say_plain(MESSAGE_STEWARD_EVENT, 99, EVENT_STARTED, -1); /* of nobody */
    say_plain(MESSAGE_STEWARD_EVENT, 1, 12345, -1);          /* not in the table */
    exchange(fd, "", 0, &closed);
    assert_non_null(strstr(text, "event: started\ndata: {\"tenant\":\"acme\",\"event\":\"started\",\"at\":"));
    assert_null(strstr(strstr(text, "data:") + 5, "data:"));
    for (int i = 0; i < 2 * EVENTS_KEPT; i++)
        say_plain(MESSAGE_STEWARD_EVENT, 1, EVENT_DRAINED, -1);
    exchange(fd, "", 0, &closed);
    close(fd);
    static const char since[] = "GET /v1/events HTTP/1.1\r\nHost: c\r\nLast-Event-ID: 510\r\n\r\n";
    again = person(STEWARD_STATUS);
    exchange(again, since, sizeof since - 1, &closed);
    assert_null(strstr(text, "id: 510\n"));
    assert_non_null(strstr(text, "id: 511\n"));
    assert_non_null(strstr(text, "id: 513\n"));
    close(again);
    static const char old[] = "GET /v1/events HTTP/1.1\r\nHost: c\r\nLast-Event-ID: 1\r\n\r\n";
    again = person(STEWARD_STATUS);
    exchange(again, old, sizeof old - 1, &closed);
    assert_null(strstr(text, "id: 257\n")); /* gone */
    assert_non_null(strstr(text, "id: 258\n"));
    close(again);
    turn();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(viewers_read, before),
        cmocka_unit_test_setup(others_do_not, before),
        cmocka_unit_test(every_verb_has_its_route_here),
        cmocka_unit_test_setup(every_verb_at_every_duty, before),
        cmocka_unit_test_setup(a_worker_hears_of_its_messages, before),
        cmocka_unit_test_setup(an_answer_about_lines_is_not_lost, before),
        cmocka_unit_test_setup(a_notice_that_is_not_kept_is_not_listed, before),
        cmocka_unit_test_setup(the_answer_is_the_supervisors, before),
        cmocka_unit_test_setup(create_shows_the_code, before),
        cmocka_unit_test_setup(chains_travel_sealed, before),
        cmocka_unit_test_setup(requests_are_encoded_anew, before),
        cmocka_unit_test_setup(connections_stay, before),
        cmocka_unit_test_setup(bodies_come_in_chunks, before),
        cmocka_unit_test_setup(nonsense_ends_a_connection, before),
        cmocka_unit_test_setup(one_uid_does_not_take_all, before),
        cmocka_unit_test_setup(people_leave, before),
        cmocka_unit_test_setup(answers_find_who_asked, before),
        cmocka_unit_test_setup(events_flow, before),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
