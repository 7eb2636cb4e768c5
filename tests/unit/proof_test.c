/* What a worker must show before it is believed, and what the machine's files mean. */
#include "../../supervisor/posture.h"
#include "../../supervisor/proof.h"
#include "../../supervisor/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char good[] =
    "Name:\tcloison-worker\nState:\tS (sleeping)\nPid:\t12\nPPid:\t7\nUid:\t2000000001\t2000000001\t2000000001\t2000000001\n"
    "Gid:\t1\t1\t1\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
    "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n";
static const struct proof_demand demand = {.parent = 7, .uid = 2000000001, .filters = 1, .bounding = 0};

static const char *lacks(const char *from, const char *to) {
    static char text[sizeof good + 64];
    struct proof p;
    const char *at = strstr(good, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return proof_parse(text, &p) ? proof_lacks(&p, &demand) : "unreadable";
}

static void a_jailed_child_suffices(void **state) {
    (void)state;
    assert_null(lacks("Name", "Name"));
    assert_null(lacks("Seccomp_filters:\t2\n", ""));  /* an old kernel does not count */
    assert_null(lacks("Seccomp:\t2", "Seccomp:\t3")); /* its own filter is ending it: what it dies of is told by its status */
}

static void anything_less_does_not(void **state) {
    (void)state;
    assert_non_null(lacks("PPid:\t7", "PPid:\t8"));
    assert_non_null(lacks("Uid:\t2000000001", "Uid:\t0"));
    assert_non_null(lacks("2000000001\nGid", "0\nGid")); /* the file system uid alone */
    assert_non_null(lacks("Seccomp:\t2", "Seccomp:\t0"));
    assert_non_null(lacks("Seccomp_filters:\t2", "Seccomp_filters:\t1")); /* only ours, inherited */
    assert_non_null(lacks("NoNewPrivs:\t1", "NoNewPrivs:\t0"));
    assert_non_null(lacks("CapInh:\t0000", "CapInh:\t0001"));
    assert_non_null(lacks("CapPrm:\t0000", "CapPrm:\t8000"));
    assert_non_null(lacks("CapEff:\t0000", "CapEff:\t0001"));
    assert_non_null(lacks("CapBnd:\t0000", "CapBnd:\t0001"));
    assert_non_null(lacks("CapAmb:\t0000", "CapAmb:\t0001"));
    assert_non_null(lacks("State:\tS", "State:\tZ"));
    static const char *const lines[] = {"PPid", "Uid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "State"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char from[32], to[32];
        snprintf(from, sizeof from, "\n%s:", lines[i]);
        snprintf(to, sizeof to, "\nx%s:", lines[i]);
        assert_string_equal(lacks(from, to), "unreadable");
    }
}

static void this_process_can_be_read(void **state) {
    (void)state;
    struct proof p;
    assert_true(proof_read(getpid(), &p));
    assert_int_equal(p.parent, getppid());
    assert_int_equal(p.uid, getuid());
    assert_false(p.dead);
    assert_false(proof_read(-1, &p));
}

static void every_required_layer_is_required(void **state) {
    (void)state;
    uint8_t layer[64];
    memset(layer, LAYER_ON, sizeof layer);
    assert_int_equal(proof_missing(layer, 0, SECRET_MEMORY_REQUIRED), LAYER_COUNT);
    for (int i = 0; i < LAYER_secret_memory; i++) {
        for (int s = LAYER_UNKNOWN; s <= LAYER_UNAVAILABLE; s++) {
            layer[i] = (uint8_t)s;
            bool fine = s == LAYER_ON || (i == LAYER_mdwe && s != LAYER_OFF);
            assert_int_equal(proof_missing(layer, 0, SECRET_MEMORY_REQUIRED), fine ? LAYER_COUNT : i);
            assert_int_equal(proof_missing(layer, 1ULL << i, SECRET_MEMORY_REQUIRED), LAYER_COUNT);
        }
        layer[i] = LAYER_ON;
    }
}

static void tolerated_layers(void **state) {
    (void)state;
    uint8_t layer[64];
    memset(layer, LAYER_ON, sizeof layer);
    layer[LAYER_cgroup_limits] = LAYER_UNAVAILABLE;
    assert_int_equal(proof_missing(layer, 0, SECRET_MEMORY_REQUIRED), LAYER_COUNT);
    layer[LAYER_cgroup_limits] = LAYER_OFF;
    assert_int_equal(proof_missing(layer, 0, SECRET_MEMORY_REQUIRED), LAYER_cgroup_limits);
    layer[LAYER_cgroup_limits] = LAYER_ON;
    layer[LAYER_secret_memory] = LAYER_UNAVAILABLE;
    assert_int_equal(proof_missing(layer, 0, SECRET_MEMORY_REQUIRED), LAYER_secret_memory);
    assert_int_equal(proof_missing(layer, 0, SECRET_MEMORY_BEST_EFFORT), LAYER_COUNT);
    assert_string_equal(layer_name(LAYER_landlock), "landlock");
}

static void the_machine_in_words(void **state) {
    (void)state;
    assert_int_equal(posture_yama("0\n"), LAYER_OFF);
    assert_int_equal(posture_yama("3\n"), LAYER_ON);
    assert_int_equal(posture_yama(NULL), LAYER_UNAVAILABLE);
    assert_int_equal(posture_lockdown("none integrity [confidentiality]\n"), LAYER_ON);
    assert_int_equal(posture_lockdown("none [integrity] confidentiality\n"), LAYER_OFF);
    assert_int_equal(posture_no_swap("Filename\t\t\t\tType\n"), LAYER_ON);
    assert_int_equal(posture_no_swap("Filename\t\t\t\tType\n/dev/sda2 partition\n"), LAYER_OFF);
    assert_int_equal(posture_no_core_pattern("core\n"), LAYER_ON);
    assert_int_equal(posture_no_core_pattern("|/usr/lib/systemd/systemd-coredump\n"), LAYER_OFF);
    assert_int_equal(posture_no_hibernation("[disabled]\n"), LAYER_ON);
    assert_int_equal(posture_no_hibernation("[platform] shutdown reboot suspend\n"), LAYER_OFF);
    assert_int_equal(posture_no_hibernation(NULL), LAYER_ON);
    assert_int_equal(posture_no_ksm("0\n"), LAYER_ON);
    assert_int_equal(posture_no_ksm("1\n"), LAYER_OFF);
    assert_int_equal(posture_no_ksm(NULL), LAYER_ON);
}

static void idle_sealed_ones_go_first(void **state) {
    (void)state;
    assert_int_equal(room_rank(true, ROOM_IDLE_MS - 1), 0);
    assert_true(room_rank(true, ROOM_IDLE_MS) > room_rank(false, 100000000));
    assert_true(room_rank(false, 5000) > room_rank(false, 4000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jailed_child_suffices),   cmocka_unit_test(anything_less_does_not),
        cmocka_unit_test(this_process_can_be_read),  cmocka_unit_test(every_required_layer_is_required),
        cmocka_unit_test(tolerated_layers),          cmocka_unit_test(the_machine_in_words),
        cmocka_unit_test(idle_sealed_ones_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
