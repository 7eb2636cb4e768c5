/*
 * The end of a tenant, step by step (S14): reset.c and leaving.c are the real ones, registry and ledger are played, with a disk that holds
 * what was synced and a power cut that takes the rest. Whatever the step, the certificate of one that is gone has its lines.
 */
#include "../../supervisor/backups.h"
#include "../../supervisor/clock.h"
#include "../../supervisor/copies.h"
#include "../../supervisor/leaving.h"
#include "../../supervisor/ledger.h"
#include "../../supervisor/loading.h"
#include "../../supervisor/log.h"
#include "../../supervisor/plans.h"
#include "../../supervisor/reset.h"
#include "../../supervisor/supervisor.h"
#include "../../supervisor/tell.h"
#include "../../supervisor/tenant.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct supervisor house;
static struct registry_tenant entry; /* on the disk with every update */
static struct tenant tenant;
static char lines[64][2 * NOTE_MAX];
static size_t told, synced;
static uint64_t gaps;
static int full_at, broken_at, steps; /* the n-th line that finds no room, the n-th sync that fails; 0 = none */

/* ---- what is played ---- */

void ledger_event(struct ledger *l, uint64_t ms, const char *word, struct ledger_tenant about, const char *result) {
    (void)l, (void)ms, (void)result;
    if (full_at && --full_at == 0) {
        gaps++;
        return;
    }
    snprintf(lines[told++], sizeof *lines, "%s %s", word, about.note ? about.note : "");
}
uint64_t ledger_gaps(const struct ledger *l) { return (void)l, gaps; }
bool ledger_holds(struct ledger *l, uint64_t since) {
    (void)l;
    if (broken_at && --broken_at == 0) return errno = EIO, false;
    synced = told;
    return errno = ENOSPC, gaps == since;
}
void ledger_head(struct ledger *l, uint64_t *count, uint8_t hash[LEDGER_HASH]) {
    (void)l, (void)hash;
    *count = synced = told;
}

static bool holds(const char *what) {
    for (size_t i = 0; i < synced; i++)
        if (strncmp(lines[i], what, strlen(what)) == 0) return true;
    return false;
}

/* After a power cut here, what would a certificate lack? */
static void check(void) {
    if (entry.resetting || entry.contract.gone_ms) assert_true(holds("destruction"));
    if (entry.contract.returned_ms) assert_true(holds("handed_back"));
    if (entry.place_count < 1) assert_true(holds("destroyed copy of the key capsule at safe:"));
    if (!entry.contract.gone_ms) return;
    assert_true(holds("destroyed key capsule and TLS key in its directory:"));
    assert_true(holds("remains archive at vault"));
    assert_true(holds("gone"));
}

enum registry_result registry_update(struct registry *r, const struct registry_tenant *wanted) {
    (void)r;
    entry = *wanted;
    check();
    steps++;
    return REGISTRY_DONE;
}
enum copy_result copies_destroy(struct tenant *t, int i) { return (void)t, (void)i, COPY_DONE; }
enum copy_result copies_forget(struct tenant *t, int i) {
    struct registry_tenant wanted = entry;
    (void)t, (void)i;
    wanted.place_count--;
    return registry_update(NULL, &wanted) == REGISTRY_DONE ? COPY_DONE : COPY_NOT_WRITTEN;
}
bool backups_leave(const struct tenant *t) { return leaving_record(t, "remains", "archive at vault"); }
bool loading_clear(struct tenant *t) { return (void)t, true; }
bool tenant_empty_directory(const struct tenant *t, pid_t *child) {
    (void)t;
    *child = 7;
    return true;
}
struct ledger_tenant supervisor_about(const struct registry_tenant *e) {
    return (struct ledger_tenant){e->number, e->name};
}
bool registry_new_code(char code[ENROL_CODE_TEXT], uint8_t hash[ENROL_CODE_HASH]) { return (void)code, (void)hash, false; }
void tenant_event(struct tenant *t, enum life_event event) { (void)t, (void)event; }
void tenant_profile_changed(struct tenant *t) { (void)t; }
void tenant_open_plain(struct tenant *t) { (void)t; }
const struct errand *errand_asked(struct tenant *t, enum verb verb) { return (void)t, (void)verb, NULL; }
bool errand_answered(struct tenant *t, enum verb verb, const struct answer *a) { return (void)t, (void)verb, (void)a, false; }
void tell_hosts(struct supervisor *h, const struct registry_tenant *was, const struct registry_tenant *is) { (void)h, (void)was, (void)is; }
void tell_event(struct tenant *t, enum tenant_event event) { (void)t, (void)event; }
void tell_tenant(struct tenant *t) { (void)t; }
uint64_t plans_counted(const struct plans *p) { return (void)p, 0; }
void log_say(const char *format, ...) { (void)format; }
void log_errno(const char *format, ...) { (void)format; }

/* ---- the tests ---- */

static int fresh(void **state) {
    (void)state;
    entry = (struct registry_tenant){.number = 1, .name = "acme", .enrolled = true, .place_count = 1, .place = {"safe"}};
    entry.contract.end_ms = 1;
    entry.contract.term_ms = UINT64_MAX / 2;
    tenant = (struct tenant){.house = &house, .entry = &entry};
    told = synced = 0;
    gaps = 0;
    full_at = broken_at = steps = 0;
    return 0;
}

/* The word is said, and time goes by. */
static void lives_to_its_end(void) {
    leaving_heard(&tenant, LEAVING_DESTROY);
    for (int i = 0; i < 20 && !entry.contract.gone_ms; i++) {
        uint64_t now = clock_ms() + 20000 * (uint64_t)(i + 1);
        leaving_tick(&tenant, now);
        reset_step(&tenant, now);
        if (tenant.emptier) reset_child(&tenant, tenant.emptier, 0);
    }
}

static void every_line_is_on_the_disk_before_its_mark(void **state) {
    (void)state;
    lives_to_its_end();
    assert_true(entry.contract.gone_ms && !entry.resetting);
    assert_int_equal(steps, 4); /* handed back, begun, the place, gone */
    assert_int_equal(told, 6);
    assert_int_equal(synced, told);
}

/* Each line once finds no room, each sync fails once: nothing is skipped, and it comes to its end all the same. */
static void a_line_that_is_lost_is_told_again(void **state) {
    for (int n = 1; n <= 6; n++)
        for (int broken = 0; broken < 2; broken++) {
            fresh(state);
            *(broken ? &broken_at : &full_at) = n;
            lives_to_its_end();
            assert_int_equal(full_at + broken_at, 0);
            assert_true(entry.contract.gone_ms && !entry.resetting);
        }
}

/* The disk takes nothing when the tenant says it is to be destroyed; then they agree to go on, and a year later the contract ends. */
static void a_word_that_was_not_kept_ends_with_its_contract(void **state) {
    (void)state;
    const struct contract_dates dates = entry.contract;
    full_at = 2; /* it has its data: kept; its destruction: not */
    leaving_heard(&tenant, LEAVING_DESTROY);
    assert_true(tenant.leaving_at && !entry.resetting);
    entry.contract = (struct contract_dates){0};
    leaving_tick(&tenant, tenant.leaving_at);
    entry.contract = dates;
    leaving_tick(&tenant, UINT64_MAX);
    assert_false(entry.resetting);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(every_line_is_on_the_disk_before_its_mark, fresh),
                                       cmocka_unit_test_setup(a_word_that_was_not_kept_ends_with_its_contract, fresh),
                                       cmocka_unit_test(a_line_that_is_lost_is_told_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
