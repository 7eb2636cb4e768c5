/* The life of a worker: what each event does in each state, the back-off, and that no walk leaves the rules. */
#include "../../supervisor/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { T0 = 1000000 };

static struct life fresh(void) {
    struct life l;
    life_begin(&l, false, 0);
    return l;
}

static void expect(struct life *l, enum life_event e, uint64_t at, enum life_state state, enum life_action act) {
    enum life_action got = life_step(l, e, at);
    if (l->state != state || got != act)
        fail_msg("event %d: %s and action %d, expected %s and %d", e, life_state_name(l->state), got, life_state_name(state), act);
}

static struct life started(uint64_t at) {
    struct life l = fresh();
    expect(&l, LIFE_WANT, at, LIFE_WAITING, LIFE_DO_QUEUE);
    expect(&l, LIFE_ROOM, at, LIFE_STARTING, LIFE_DO_SPAWN);
    return l;
}

static struct life serving(uint64_t at) {
    struct life l = started(at);
    expect(&l, LIFE_READY, at, LIFE_SEALED, LIFE_DO_SERVE);
    expect(&l, LIFE_SAYS_SERVING, at, LIFE_SERVING, LIFE_DO_NOTHING);
    return l;
}

static void starts_once_however_many_want_it(void **state) {
    (void)state;
    struct life l = started(T0);
    for (int i = 0; i < 100; i++)
        expect(&l, LIFE_WANT, T0, LIFE_STARTING, LIFE_DO_NOTHING);
    expect(&l, LIFE_ROOM, T0, LIFE_STARTING, LIFE_DO_NOTHING);
    assert_int_equal(l.generation, 1);
    assert_int_equal(l.starts, 1);
    expect(&l, LIFE_READY, T0 + 5, LIFE_SEALED, LIFE_DO_SERVE);
    expect(&l, LIFE_WANT, T0 + 6, LIFE_SEALED, LIFE_DO_NOTHING);
}

static void not_ready_in_time_is_a_crash(void **state) {
    (void)state;
    struct life l = started(T0);
    expect(&l, LIFE_TIME, T0 + START_MS - 1, LIFE_STARTING, LIFE_DO_NOTHING);
    expect(&l, LIFE_TIME, T0 + START_MS, LIFE_KILLED, LIFE_DO_KILL);
    expect(&l, LIFE_READY, T0 + START_MS, LIFE_KILLED, LIFE_DO_NOTHING);
    expect(&l, LIFE_EXIT, T0 + START_MS + 1, LIFE_THROTTLED, LIFE_DO_NOTHING);
    assert_int_equal(l.crashes, 1);
    expect(&l, LIFE_TIME, l.deadline, LIFE_STOPPED, LIFE_DO_NOTHING); /* nobody wants it any more */
}

static void backs_off_from_2_to_60_seconds(void **state) {
    (void)state;
    static const uint64_t waits[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    struct life l = started(T0);
    uint64_t now = T0;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        expect(&l, LIFE_EXIT, now, LIFE_THROTTLED, LIFE_DO_NOTHING);
        assert_int_equal(l.deadline, now + waits[i]);
        expect(&l, LIFE_WANT, now, LIFE_THROTTLED, LIFE_DO_REFUSE);
        expect(&l, LIFE_TIME, now + waits[i] - 1, LIFE_THROTTLED, LIFE_DO_NOTHING);
        now += waits[i];
        expect(&l, LIFE_TIME, now, LIFE_WAITING, LIFE_DO_QUEUE);
        expect(&l, LIFE_ROOM, now, LIFE_STARTING, LIFE_DO_SPAWN);
    }
    assert_int_equal(l.crashes, sizeof waits / sizeof *waits);
    assert_int_equal(backoff(1000000, BACKOFF_FIRST_MS, BACKOFF_LAST_MS), BACKOFF_LAST_MS);
}

static void a_minute_of_health_forgives(void **state) {
    (void)state;
    struct life l = started(T0);
    expect(&l, LIFE_EXIT, T0, LIFE_THROTTLED, LIFE_DO_NOTHING);
    expect(&l, LIFE_ORDER, T0, LIFE_WAITING, LIFE_DO_QUEUE); /* staff does not wait */
    expect(&l, LIFE_ROOM, T0, LIFE_STARTING, LIFE_DO_SPAWN);
    expect(&l, LIFE_READY, T0, LIFE_SEALED, LIFE_DO_SERVE);
    struct life soon = l;
    expect(&soon, LIFE_EXIT, T0 + LIFE_WELL_MS - 1, LIFE_THROTTLED, LIFE_DO_NOTHING);
    assert_int_equal(soon.failures, 2);
    expect(&l, LIFE_EXIT, T0 + LIFE_WELL_MS, LIFE_THROTTLED, LIFE_DO_NOTHING);
    assert_int_equal(l.failures, 1);
    expect(&l, LIFE_TIME, l.deadline, LIFE_WAITING, LIFE_DO_QUEUE); /* it was in use: it comes back by itself */
}

static void stops_by_a_drain_then_by_force(void **state) {
    (void)state;
    struct life l = serving(T0);
    expect(&l, LIFE_STOP, T0 + 1, LIFE_DRAINING, LIFE_DO_DRAIN);
    struct life forced = l, again = l;
    expect(&l, LIFE_EXIT, T0 + 2, LIFE_STOPPED, LIFE_DO_NOTHING);
    assert_int_equal(l.crashes, 0);
    expect(&forced, LIFE_TIME, T0 + 1 + DRAIN_MS, LIFE_KILLED, LIFE_DO_KILL);
    expect(&forced, LIFE_EXIT, T0 + 2 + DRAIN_MS, LIFE_STOPPED, LIFE_DO_NOTHING);
    assert_int_equal(forced.crashes, 0);
    expect(&again, LIFE_WANT, T0 + 2, LIFE_DRAINING, LIFE_DO_NOTHING); /* a connection came meanwhile */
    expect(&again, LIFE_EXIT, T0 + 3, LIFE_WAITING, LIFE_DO_QUEUE);
    expect(&again, LIFE_ROOM, T0 + 3, LIFE_STARTING, LIFE_DO_SPAWN);
    assert_int_equal(again.generation, 2);
}

static void suspended_stays_so(void **state) {
    (void)state;
    struct life l = serving(T0);
    expect(&l, LIFE_SUSPEND, T0, LIFE_DRAINING, LIFE_DO_DRAIN);
    assert_int_equal(life_reason(&l), NO_WORKER_SUSPENDED);
    expect(&l, LIFE_WANT, T0, LIFE_DRAINING, LIFE_DO_NOTHING);
    expect(&l, LIFE_EXIT, T0, LIFE_SUSPENDED, LIFE_DO_NOTHING);
    expect(&l, LIFE_WANT, T0, LIFE_SUSPENDED, LIFE_DO_REFUSE);
    expect(&l, LIFE_ORDER, T0, LIFE_SUSPENDED, LIFE_DO_REFUSE);
    expect(&l, LIFE_RESUME, T0, LIFE_STOPPED, LIFE_DO_NOTHING);
    expect(&l, LIFE_WANT, T0, LIFE_WAITING, LIFE_DO_QUEUE);
    expect(&l, LIFE_SUSPEND, T0, LIFE_SUSPENDED, LIFE_DO_UNQUEUE);
    struct life crashed = started(T0);
    expect(&crashed, LIFE_EXIT, T0, LIFE_THROTTLED, LIFE_DO_NOTHING);
    expect(&crashed, LIFE_SUSPEND, T0, LIFE_SUSPENDED, LIFE_DO_NOTHING);
}

static void a_liar_is_killed_and_backs_off(void **state) {
    (void)state;
    struct life l = serving(T0);
    expect(&l, LIFE_FAIL, T0, LIFE_KILLED, LIFE_DO_KILL);
    assert_int_equal(life_reason(&l), NO_WORKER_THROTTLED);
    expect(&l, LIFE_FAIL, T0, LIFE_KILLED, LIFE_DO_NOTHING);
    expect(&l, LIFE_EXIT, T0, LIFE_THROTTLED, LIFE_DO_NOTHING);
    assert_int_equal(l.crashes, 1);
}

static void does_not_wait_for_room_for_ever(void **state) {
    (void)state;
    struct life l = fresh();
    expect(&l, LIFE_WANT, T0, LIFE_WAITING, LIFE_DO_QUEUE);
    expect(&l, LIFE_TIME, T0 + HELD_MS, LIFE_STOPPED, LIFE_DO_UNQUEUE);
}

/* A process is there exactly between a spawn and its exit; at most one; queued exactly while waiting. */
static void no_walk_leaves_the_rules(void **state) {
    (void)state;
    uint64_t random = 42, now = T0;
    struct life l = fresh();
    bool process = false, queued = false;
    for (int i = 0; i < 1000000; i++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        enum life_event e = (enum life_event)((random >> 33) % LIFE_EVENTS);
        now += (random >> 50) % 3000;
        if (e == LIFE_EXIT && !process) continue; /* nothing there that could */
        if (e == LIFE_ROOM && !queued) continue;
        uint64_t generation = l.generation;
        enum life_action act = life_step(&l, e, now);
        if (e == LIFE_EXIT) process = false;
        if (act == LIFE_DO_SPAWN) {
            assert_false(process);
            assert_int_equal(l.generation, generation + 1);
            process = true;
            queued = false;
        } else {
            assert_int_equal(l.generation, generation);
        }
        if (act == LIFE_DO_QUEUE) queued = true;
        if (act == LIFE_DO_UNQUEUE) queued = false;
        if (act == LIFE_DO_KILL || act == LIFE_DO_DRAIN) assert_true(process);
        assert_int_equal(process, life_alive(&l));
        assert_int_equal(queued, l.state == LIFE_WAITING);
        assert_int_equal(life_ready(&l), life_reason(&l) == 0);
        if (l.state == LIFE_SUSPENDED) assert_true(l.suspended);
        if (!process) assert_int_equal(l.suspended, l.state == LIFE_SUSPENDED);
        if (l.state == LIFE_STARTING || l.state == LIFE_DRAINING || l.state == LIFE_THROTTLED || l.state == LIFE_WAITING)
            assert_int_not_equal(l.deadline, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_once_however_many_want_it), cmocka_unit_test(not_ready_in_time_is_a_crash),
        cmocka_unit_test(backs_off_from_2_to_60_seconds),   cmocka_unit_test(a_minute_of_health_forgives),
        cmocka_unit_test(stops_by_a_drain_then_by_force),   cmocka_unit_test(suspended_stays_so),
        cmocka_unit_test(a_liar_is_killed_and_backs_off),   cmocka_unit_test(does_not_wait_for_room_for_ever),
        cmocka_unit_test(no_walk_leaves_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
