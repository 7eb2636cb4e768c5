/*
 * What a tenant's administrator says of plans and backups, and what the supervisor hears of it: what the page shows is never older than
 * what was said, and no user makes a worker say more than it may.
 */
#include "../../worker/backup/backup.h"

#include "worker_fixture.h"

#include <sys/mman.h>

#define PLAN                                                                                                                               \
    "{\"where\":\"medium\",\"protection\":\"sealed\",\"purpose\":\"Restore\",\"duration_hours\":720,\"mechanism\":\"incremental-"          \
    "snapshot\","                                                                                                                          \
    "\"frequency_minutes\":1440,\"erasure\":\"after-duration\"}"

/* How many messages of this type the supervisor has got since it last looked; *value of the last. */
static unsigned heard(uint32_t type, uint64_t *value) {
    union message m;
    unsigned count = 0;
    while (recv(supervisor, &m, sizeof m, MSG_DONTWAIT) > 0)
        if (m.head.type == type) {
            count++;
            if (value) *value = m.plain.value;
        }
    return count;
}

static void switch_on(const char *name, bool on) {
    char path[64], body[64];
    snprintf(path, sizeof path, "/api/v1/functions/%s", name);
    snprintf(body, sizeof body, "{\"enabled\":%s,\"confirmed\":1}", on ? "true" : "false");
    assert_int_equal(call(HTTP_PUT, path, body, SLOT_SESSION), 200);
}

static int offered(void **state) {
    struct message_offer offer = {.index = 0, .count = 1, .name = "medium", .region = "eu-fr"};
    worker_fresh(state);
    backup_offer(&offer);
    switch_on("backup", true);
    heard(0, NULL);
    return 0;
}

static const struct plan_kept on = {.on = 1, .period_minutes = 1440, .keep_hours = 720, .destination = "medium", .number = 7};

static bool plan_is_shown(void) {
    assert_int_equal(call(HTTP_GET, "/api/v1/plans", "", SLOT_SESSION), 200);
    return strstr(answer, "\"backup\":{") != NULL;
}

/* C9: what is shown of a plan is what was said last */
static void what_crossed_on_the_way_takes_no_plan_back(void **state) {
    (void)state;
    struct message_plans before = {0}, after = {.answers = 1, .plan = {on}};
    assert_int_equal(call(HTTP_PUT, "/api/v1/plans/backup", PLAN, SLOT_SESSION), 200);
    assert_int_equal(call(HTTP_POST, "/api/v1/backups", "", SLOT_SESSION), 202);
    backup_plans(&before); /* sent before the supervisor had heard of either */
    assert_true(plan_is_shown());
    backup_plans(&after); /* the plan's */
    before.plan[0] = on;
    backup_plans(&before); /* not busy yet */
    assert_int_equal(call(HTTP_GET, "/api/v1/plans", "", SLOT_SESSION), 200);
    assert_non_null(strstr(answer, "\"busy\":true"));
    after.plan[0].busy = 1;
    backup_plans(&after); /* the wish's */
    before.plan[0].number = 8;
    backup_plans(&before);
    assert_true(plan_is_shown());
    assert_non_null(strstr(answer, "\"busy\":false"));
    assert_non_null(strstr(answer, "\"number\":8"));
}

static void nobody_makes_a_worker_talk_too_much(void **state) {
    (void)state;
    unsigned plans = 0, refused = 0;
    assert_int_equal(call(HTTP_PUT, "/api/v1/plans/backup", PLAN, SLOT_SESSION), 200);
    heard(0, NULL);
    for (int i = 0; i < WORDS_PER_MINUTE; i++) {
        int status = call(HTTP_PUT, "/api/v1/plans/backup", PLAN, SLOT_SESSION);
        plans += status == 200;
        refused += status == 429;
    }
    assert_true(plans < WORDS_PER_MINUTE / 2 && refused == WORDS_PER_MINUTE - plans);
    assert_int_equal(heard(MESSAGE_WORKER_PLAN, NULL), plans);
    for (int i = 0; i < WORDS_PER_MINUTE; i++)
        call(HTTP_POST, "/api/v1/backups", "", SLOT_SESSION);
    assert_true(heard(MESSAGE_WORKER_BACKUP, NULL) <= WORDS_PER_MINUTE / 2);
}

/* A function is switched as often as its administrator likes; the supervisor hears of it as often as it takes. */
static void a_switch_is_told_within_the_pace(void **state) {
    (void)state;
    uint64_t value = 2;
    for (int i = 0; i < WORDS_PER_MINUTE; i++)
        switch_on("plain_socket", i % 2 == 0);
    assert_int_equal(heard(MESSAGE_WORKER_PLAIN, &value), WORDS_PER_MINUTE / 2);
    assert_int_equal(value, 1); /* the 15th; what came after waits for the next minute */
}

static size_t rows_after(size_t bytes) {
    int fd = memfd_create("rows", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    backup_rows(BACKUP_COPY, fd);
    json_t *items = backup_rows_json();
    size_t count = json_array_size(items);
    json_decref(items);
    return count;
}

/* C1: a courier that hands in a file of any size fills no memory of a tenant's */
static void no_more_rows_than_there_can_be(void **state) {
    (void)state;
    assert_int_equal(rows_after(SNAPSHOT_ROWS_MAX * sizeof(struct snapshot_row)), SNAPSHOT_ROWS_MAX);
    assert_int_equal(rows_after(7 * sizeof(struct snapshot_row)), 7);
    assert_int_equal(rows_after((SNAPSHOT_ROWS_MAX + 1) * sizeof(struct snapshot_row)), 7); /* as if nothing had come */
    assert_int_equal(rows_after(0), 0);
}

int main(void) {
    if (!worker_start()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_crossed_on_the_way_takes_no_plan_back, offered, worker_done),
        cmocka_unit_test_setup_teardown(nobody_makes_a_worker_talk_too_much, offered, worker_done),
        cmocka_unit_test_setup_teardown(a_switch_is_told_within_the_pace, offered, worker_done),
        cmocka_unit_test_setup_teardown(no_more_rows_than_there_can_be, offered, worker_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
