/* The tenant's own lines of the provider's ledger: checked, bounded, given out of one answer to all who wait, and in one call with all else
 * that the provider holds. */
#include "../../policy/channel.h"
#include "../../worker/provider/lines.h"

#include "worker_fixture.h"

#include <sys/mman.h>
#include <sys/syscall.h>

enum { TENANT = 7, ANSWER_MAX = 16 << 20 };

/* The clock of the whole program, so that minutes can pass. */
static time_t ahead;
int clock_gettime(clockid_t which, struct timespec *out) {
    int result = (int)syscall(SYS_clock_gettime, which, out);
    out->tv_sec += ahead;
    return result;
}

/* ---- a ledger ---- */

static char *book; /* lines about the tenant, the oldest first */
static size_t book_size, begins[OWN_LINES_MAX + 200];
static struct ledger_own book_end;

static void add_line(uint32_t tenant, const char *note) {
    struct ledger_line line = {.count = book_end.at + 2,
                               .time_ms = 1700000000000,
                               .has_uid = true,
                               .uid = 1000,
                               .tenant = tenant,
                               .times = 1,
                               .own_count = book_end.count + 1,
                               .own_last = book_end.at};
    strcpy(line.verb, "set");
    strcpy(line.name, "acme");
    strcpy(line.result, "done");
    strcpy(line.note, note);
    memcpy(line.own_previous, book_end.hash, LEDGER_HASH);
    begins[book_end.count] = book_size;
    size_t size = ledger_line_format(&line, book + book_size);
    assert_true(size > 0);
    book_size += size;
    book_end = (struct ledger_own){.count = line.own_count, .at = line.count};
    memcpy(book_end.hash, line.hash, LEDGER_HASH);
}

static void tell_end(void) {
    self.profile.own_count = book_end.count;
    memcpy(self.profile.own_head, book_end.hash, LEDGER_HASH);
}

static void book_of(size_t lines) {
    book_size = 0;
    book_end = (struct ledger_own){0};
    for (size_t i = 0; i < lines; i++)
        add_line(TENANT, "ordinary");
    tell_end();
}

/* The lines from that index on, up to another, as they come through the supervisor. */
static int came_up_to(size_t from, size_t to) {
    int fd = memfd_create("lines", 0);
    size_t size = (to < book_end.count ? begins[to] : book_size) - begins[from];
    assert_int_equal(write(fd, book + begins[from], size), size);
    lines_came(fd, size);
    return fd; /* a number to find the open file by, while somebody reads it */
}
static int came(size_t from) { return came_up_to(from, SIZE_MAX); }

static uint64_t last_wanted; /* COUNT; 0 = the newest */

/* How often the supervisor was asked; *from = the last time's. */
static unsigned asked_for(uint64_t *from) {
    union message m;
    int fd;
    unsigned times = 0;
    while (channel_receive(supervisor, CHANNEL_WORKER, CHANNEL_SUPERVISOR, &m, &fd, NULL) == CHANNEL_OK) {
        if (m.head.type != MESSAGE_WORKER_WANT_LEDGER) continue;
        times++;
        *from = m.own.from;
        last_wanted = m.own.last;
    }
    return times;
}

/* ---- those who ask ---- */

static struct exchange *asking[32];

static struct exchange *ask(unsigned i, const char *target) {
    struct exchange *x = asking[i] = malloc(sizeof *x);
    char allow[ALLOW_MAX];
    struct http_request_head head = {.method = HTTP_GET, .path = {target, strlen(target)}, .query = {"", 0}};
    *x = (struct exchange){.connection = &client, .head = head, .body_done = true};
    x->session = (struct session){.user = "administrator", .kind = SLOT_SESSION, .rights = RIGHT_ALL};
    x->request = (struct request){.head = &x->head, .session = &x->session, .body = (const uint8_t *)""};
    assert_int_equal(route_find(&x->request, &x->route, allow), ROUTE_FOUND);
    x->route->handle(x, &x->request);
    x->request.session = NULL; /* nobody keeps sessions here, so none has ended meanwhile */
    return x;
}
static struct exchange *ask_holdings(unsigned i) { return ask(i, "/api/v1/provider/holdings"); }

static char *text;
/* What was answered, all of it, ends the exchange; its status, 0 = not yet, -1 = broken off. */
static int answered(struct exchange *x, json_t **json) {
    int more = 0;
    if (!x->responded) return 0;
    assert_int_equal(exchange_commit(), STORE_OK);
    if (client.held_count) assert_int_equal(evbuffer_add_buffer(client.out, client.held), 0);
    client.held_count = 0;
    while (x->more && (more = x->more(x->stream, client.out)) > 0)
        ;
    client.exchange = x;
    exchange_abandon(&client);
    ssize_t size = evbuffer_remove(client.out, text, ANSWER_MAX - 1);
    assert_true(size > 0);
    text[size] = '\0';
    if (json) *json = json_loads(strstr(text, "\r\n\r\n") + 4, 0, NULL);
    return more < 0 ? -1 : atoi(text + strlen("HTTP/1.1 "));
}

static json_t *part(json_t *all, const char *name) {
    json_t *value = json_object_get(all, name);
    assert_non_null(value);
    return value;
}

/* Asks, is answered by lines from that index on, and returns the ledger in the holdings. */
static json_t *holdings_of(size_t from, json_t **all) {
    struct exchange *x = ask_holdings(0);
    uint64_t first = 0;
    assert_int_equal(asked_for(&first), 1);
    assert_int_equal(first, 1);
    assert_int_equal(answered(x, NULL), 0);
    came(from);
    assert_int_equal(answered(x, all), 200);
    return part(*all, "ledger");
}

static int fresh(void **state) {
    uint64_t from;
    worker_fresh(state);
    while (asked_for(&from))
        ;
    ahead += 61; /* what was asked for by the test before is long ago */
    return 0;
}

/* ---- tests ---- */

/* S10: what the provider holds has every line of the ledger about the tenant, checked, in one call */
static void every_line_is_in_it(void **state) {
    (void)state;
    json_t *all;
    book_of(1000);
    json_t *ledger = holdings_of(0, &all), *items = part(ledger, "items");
    assert_int_equal(json_array_size(items), 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(json_integer_value(part(json_array_get(items, i), "line")), i + 1);
    assert_true(json_is_true(part(ledger, "consistent")) && json_is_true(part(ledger, "complete")));
    assert_int_equal(json_integer_value(part(ledger, "own")), 1000);
    assert_string_equal(json_string_value(part(part(all, "registry"), "modules")), "crm,export");
    assert_string_equal(json_string_value(part(part(all, "registry"), "contact")), "dpo@acme.example");
    json_decref(all);
}

static void a_cut_is_told(void **state) {
    (void)state;
    json_t *all;
    book_of(OWN_LINES_MAX + 10);
    json_t *ledger = holdings_of(10, &all);
    assert_true(json_is_true(part(ledger, "consistent")) && json_is_false(part(ledger, "complete")));
    assert_int_equal(json_integer_value(part(ledger, "first")), 11);
    assert_int_equal(json_array_size(part(ledger, "items")), OWN_LINES_MAX);
    json_decref(all);
}

/* Nothing but the bound may cut: who leaves out the first lines is found, and told once. */
static void a_beginning_that_is_left_out_is_found(void **state) {
    (void)state;
    json_t *all;
    book_of(30);
    uint64_t told = lines_of("ledger_contradicted");
    json_t *ledger = holdings_of(10, &all);
    assert_true(json_is_false(part(ledger, "consistent")) && json_is_false(part(ledger, "complete")));
    assert_int_equal(lines_of("ledger_contradicted"), told + 1);
    json_decref(all);
}

static void is_told(const char *name, bool value, size_t from) {
    json_t *all, *ledger = holdings_of(from, &all);
    assert_int_equal(json_boolean_value(part(ledger, name)), value);
    json_decref(all);
}

/* The end that was sealed, in a ledger of another history and more lines than are given at once: the newest say nothing about it. */
static void rewrite(size_t seen) {
    book_of(seen);
    is_told("consistent", true, 0);
    book_of(0);
    for (size_t i = 0; i < OWN_LINES_MAX + 60; i++)
        add_line(TENANT, "forged");
    tell_end();
    ahead += 61;
}

/* The older lines are asked for: from what was seen up to that index. */
static void bridged(size_t seen, size_t to) {
    uint64_t from = 0;
    assert_int_equal(asked_for(&from), 1);
    assert_int_equal(from, seen);
    assert_int_equal(last_wanted, 2 * to); /* as add_line() counts */
    came_up_to(seen - 1, to);
}

/* S11: so many new lines that they do not reach back to what was sealed are not taken for its continuation */
static void what_is_written_anew_is_found_behind_the_bound(void **state) {
    (void)state;
    json_t *all;
    rewrite(50);
    uint64_t told = lines_of("ledger_contradicted");
    json_t *ledger = holdings_of(60, &all);
    assert_true(json_is_false(part(ledger, "consistent")) && json_is_false(part(ledger, "verified")));
    json_decref(all);
    assert_int_equal(lines_of("ledger_contradicted"), told);
    bridged(50, 60);
    assert_int_equal(lines_of("ledger_contradicted"), told + 1);
    ahead += 61;
    ledger = holdings_of(60, &all);
    assert_true(json_is_false(part(ledger, "consistent")));
    json_decref(all);
}

static void an_unsealing_finds_it_by_itself(void **state) {
    (void)state;
    uint64_t from = 0;
    rewrite(50);
    uint64_t told = lines_of("ledger_contradicted");
    lines_unsealed();
    assert_int_equal(asked_for(&from), 1);
    assert_int_equal(from, 50);
    came(60);
    bridged(50, 60);
    assert_int_equal(lines_of("ledger_contradicted"), told + 1);
}

/* What goes on from the sealed end as it should, and yet does not end where the lines above begin. */
static void a_bridge_has_no_gap(void **state) {
    for (size_t missing = 0; missing < 2; missing++) {
        uint64_t from = 0;
        worker_done(state);
        fresh(state);
        book_of(50);
        struct ledger_own seen = book_end;
        is_told("consistent", true, 0);
        for (size_t i = 0; i < OWN_LINES_MAX + 100; i++)
            add_line(TENANT, "ordinary");
        tell_end();
        ahead += 61;
        uint64_t told = lines_of("ledger_contradicted");
        is_told("consistent", false, 150);
        assert_int_equal(asked_for(&from), 1);
        book_size = begins[50];
        book_end = seen;
        while (book_end.count < 150 - missing)
            add_line(TENANT, "forged");
        came(49);
        assert_int_equal(lines_of("ledger_contradicted"), told + 1);
    }
}

/* Who was away for so long sees the new lines, and soon that they go on from what was sealed. */
static void an_honest_gap_is_bridged(void **state) {
    (void)state;
    json_t *all;
    book_of(50);
    is_told("verified", true, 0);
    for (size_t i = 0; i < OWN_LINES_MAX + 100; i++)
        add_line(TENANT, "ordinary");
    tell_end();
    ahead += 61;
    uint64_t told = lines_of("ledger_contradicted"), from;
    is_told("verified", false, 150);
    bridged(50, 150);
    assert_int_equal(asked_for(&from), 0);
    ahead += 61;
    json_t *ledger = holdings_of(150, &all);
    assert_true(json_is_true(part(ledger, "verified")) && json_is_true(part(ledger, "consistent")));
    json_decref(all);
    assert_int_equal(lines_of("ledger_contradicted"), told);
}

/* S11: lines that are not there any more, down to none at all, are an alarm; what cannot be had now is asked for again */
static void what_is_gone_is_no_excuse(void **state) {
    (void)state;
    uint64_t from;
    book_of(50);
    is_told("consistent", true, 0);
    add_line(TENANT, "ordinary");
    tell_end();
    ahead += 61;
    uint64_t told = lines_of("ledger_contradicted");
    lines_unsealed();
    assert_int_equal(asked_for(&from), 1);
    lines_came(-1, 0);
    assert_int_equal(lines_of("ledger_contradicted"), told);
    ahead += 61;
    event_base_loop(self.base, EVLOOP_NONBLOCK);
    assert_int_equal(asked_for(&from), 1);
    lines_came(memfd_create("none", 0), 0);
    assert_int_equal(lines_of("ledger_contradicted"), told + 1);
}

static void lines_of_another_tenant_are_not_shown(void **state) {
    (void)state;
    json_t *all;
    book_of(5);
    add_line(TENANT + 1, "SECRET OF ANOTHER");
    tell_end();
    json_t *ledger = holdings_of(0, &all);
    assert_true(json_is_false(part(ledger, "consistent")));
    assert_int_equal(json_array_size(part(ledger, "items")), 5);
    assert_null(strstr(text, "SECRET"));
    json_decref(all);
}

/* The lines are checked again while they are sent: the provider, which made the file, could change it meanwhile. */
static void what_changes_while_it_is_read_breaks_off(void **state) {
    (void)state;
    book_of(20);
    struct exchange *x = ask_holdings(0);
    int fd = came(0);
    assert_int_equal(pwrite(fd, "X", 1, (off_t)(begins[10] + 4)), 1);
    assert_int_equal(answered(x, NULL), -1);
}

/* A line that is added while the steward reads is no contradiction. */
static void what_is_added_meanwhile_is_asked_for(void **state) {
    (void)state;
    uint64_t from;
    book_of(10);
    struct exchange *x = ask_holdings(0);
    assert_int_equal(asked_for(&from), 1);
    int early = memfd_create("early", 0);
    assert_int_equal(write(early, book, book_size), book_size);
    size_t size = book_size;
    add_line(TENANT, "disclosed");
    tell_end();
    uint64_t told = lines_of("ledger_contradicted");
    lines_came(early, size);
    assert_int_equal(lines_of("ledger_contradicted"), told);
    assert_int_equal(answered(x, NULL), 0);
    assert_int_equal(asked_for(&from), 1);
    came(0);
    assert_int_equal(answered(x, NULL), 200);
    assert_non_null(strstr(text, "disclosed"));
}

static void all_who_wait_share_one_answer(void **state) {
    (void)state;
    uint64_t from;
    book_of(10);
    for (unsigned i = 0; i < 17; i++)
        ask_holdings(i);
    assert_int_equal(asked_for(&from), 1);
    assert_int_equal(answered(asking[16], NULL), 503); /* so many may wait */
    came(0);
    for (unsigned i = 0; i < 16; i++) {
        assert_true(asking[i]->responded);
        answered(asking[i], NULL);
    }
    assert_int_equal(asked_for(&from), 0);
}

/* However many users ask, and however often, the supervisor is asked less often than it allows; they are served with the last answer. */
static void a_flood_of_users_does_not_reach_the_supervisor(void **state) {
    (void)state;
    uint64_t from;
    unsigned times = 0;
    book_of(10);
    for (unsigned i = 0; i < 100; i++) {
        struct exchange *x = ask(0, i % 2 ? "/api/v1/provider/ledger" : "/api/v1/provider/disclosures");
        unsigned now = asked_for(&from);
        if (now) came(0);
        times += now;
        assert_int_equal(answered(x, NULL), 200);
    }
    assert_int_equal(times, OWN_LINES_PER_MINUTE / 2);
    add_line(TENANT, "later");
    tell_end(); /* what is known to be old is not given any more */
    assert_int_equal(answered(ask_holdings(0), NULL), 503);
    assert_non_null(strstr(text, "Retry-After: "));
    ahead += 61;
    ask_holdings(0);
    assert_int_equal(asked_for(&from), 1);
    came(0);
    assert_int_equal(answered(asking[0], NULL), 200);
}

int main(void) {
    book = malloc((OWN_LINES_MAX + 200) * (size_t)400);
    text = malloc(ANSWER_MAX);
    if (!book || !text || !worker_start()) return 1;
    self.profile.head.tenant = TENANT;
    strcpy(self.profile.modules, "crm,export");
    strcpy(self.profile.contact, "dpo@acme.example");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_line_is_in_it, fresh, worker_done),
        cmocka_unit_test_setup_teardown(a_cut_is_told, fresh, worker_done),
        cmocka_unit_test_setup_teardown(a_beginning_that_is_left_out_is_found, fresh, worker_done),
        cmocka_unit_test_setup_teardown(what_is_written_anew_is_found_behind_the_bound, fresh, worker_done),
        cmocka_unit_test_setup_teardown(an_unsealing_finds_it_by_itself, fresh, worker_done),
        cmocka_unit_test_setup_teardown(a_bridge_has_no_gap, fresh, worker_done),
        cmocka_unit_test_setup_teardown(an_honest_gap_is_bridged, fresh, worker_done),
        cmocka_unit_test_setup_teardown(what_is_gone_is_no_excuse, fresh, worker_done),
        cmocka_unit_test_setup_teardown(lines_of_another_tenant_are_not_shown, fresh, worker_done),
        cmocka_unit_test_setup_teardown(what_changes_while_it_is_read_breaks_off, fresh, worker_done),
        cmocka_unit_test_setup_teardown(what_is_added_meanwhile_is_asked_for, fresh, worker_done),
        cmocka_unit_test_setup_teardown(all_who_wait_share_one_answer, fresh, worker_done),
        cmocka_unit_test_setup_teardown(a_flood_of_users_does_not_reach_the_supervisor, fresh, worker_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
