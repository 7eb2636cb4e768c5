/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../supervisor/registry.h"

#include <fcntl.h>
#include <sha256.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BASE = 2000000000, COUNT = 65536 };
static char directory[64], path[128], error[REGISTRY_ERROR_MAX];
static struct registry *registry;

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/registry_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/registry", directory);
    registry = registry_open(directory, BASE, COUNT, error);
    return registry ? 0 : -1;
}

static int clean(void **state) {
    (void)state;
    static const char *const names[] = {"registry", "registry.new", "ledger"};
    registry_close(registry);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

static void reopen(void) {
    registry_close(registry);
    registry = registry_open(directory, BASE, COUNT, error);
    if (!registry) fail_msg("%s", error);
}

static struct registry_tenant tenant(const char *name, const char *host) {
    struct registry_tenant t = {.host_count = 1, .quota_bytes = 1 << 30, .created_ms = 1700000000000, .region = "fr"};
    snprintf(t.name, sizeof t.name, "%s", name);
    snprintf(t.host[0], sizeof t.host[0], "%s", host);
    return t;
}

static const struct registry_tenant *create(const char *name, const char *host) {
    const struct registry_tenant *made = NULL;
    struct registry_tenant t = tenant(name, host);
    assert_int_equal(registry_create(registry, &t, &made), REGISTRY_DONE);
    return made;
}

/* C10: name and modules are what was entered */
static void what_is_entered_is_there_after_a_restart(void **state) {
    (void)state;
    struct registry_tenant t = tenant("acme", "acme.example");
    const struct registry_tenant *made;
    strcpy(t.title, "Société Générale d'Acier = \"100 %\", élan");
    strcpy(t.modules, "crm,documents");
    strcpy(t.host[t.host_count++], "crm.acme.example");
    t.has_code = true;
    memset(t.code_hash, 0xab, sizeof t.code_hash);
    assert_int_equal(registry_create(registry, &t, &made), REGISTRY_DONE);
    struct registry_tenant kept = *made;
    assert_int_equal(kept.number, 1);
    assert_int_equal(kept.uid, BASE + 1);
    create("bois", "bois.example");
    reopen();
    assert_int_equal(registry_count(registry), 2);
    const struct registry_tenant *found = registry_by_name(registry, "acme");
    assert_non_null(found);
    assert_ptr_equal(found, registry_at(registry, 0));
    assert_ptr_equal(found, registry_by_number(registry, 1));
    assert_ptr_equal(found, registry_by_host(registry, "crm.acme.example"));
    assert_memory_equal(found, &kept, sizeof kept);
    assert_null(registry_by_name(registry, "nemo"));
    assert_null(registry_by_number(registry, 3));
    assert_null(registry_by_host(registry, "acme"));
}

static void assert_file(bool has, const char *text) {
    char bytes[8192];
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    bytes[fread(bytes, 1, sizeof bytes - 1, f)] = '\0';
    fclose(f);
    assert_int_equal(strstr(bytes, text) != NULL, has);
}

/* S8: a bound outlives a restart, also one that allows nothing */
static void a_bound_is_kept(void **state) {
    (void)state;
    struct registry_tenant t = *create("acme", "acme.example");
    assert_file(false, "regions=");
    t.bound.bounded = true;
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    reopen();
    assert_true(registry_by_number(registry, 1)->bound.bounded);
    strcpy(t.bound.names, "eu-fr,eu-de");
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    assert_file(true, "\tregions=eu-fr,eu-de\t");
    reopen();
    assert_string_equal(registry_by_number(registry, 1)->bound.names, "eu-fr,eu-de");
    strcpy(t.bound.names, "eu-fr,,eu-de");
    assert_int_equal(registry_update(registry, &t), REGISTRY_BAD_FIELD);
    t.bound = (struct region_bound){0};
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    assert_file(false, "regions=");
}

/* What came later is in the file only where it says something, so that an older file is read as it is. */
static void places_and_a_reset_are_kept(void **state) {
    (void)state;
    struct registry_tenant t = *create("acme", "acme.example");
    create("bois", "bois.example");
    assert_file(false, "places=");
    assert_file(false, "resetting=");
    strcpy(t.place[t.place_count++], "vault");
    strcpy(t.place[t.place_count++], "second");
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    reopen();
    const struct registry_tenant *kept = registry_by_number(registry, 1);
    assert_int_equal(kept->place_count, 2);
    assert_string_equal(kept->place[1], "second");
    assert_false(kept->resetting);
    t.resetting = true;
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    reopen();
    assert_true(registry_by_number(registry, 1)->resetting);
    assert_int_equal(registry_by_number(registry, 1)->place_count, 2);
    t.place_count = 0;
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    reopen();
    assert_true(registry_by_number(registry, 1)->resetting);
    assert_file(false, "places=");
    static const char *const bad[] = {"../x", "", "Vault", "a,b", "a\tb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t.place_count = 1;
        strcpy(t.place[0], bad[i]);
        assert_int_equal(registry_update(registry, &t), REGISTRY_BAD_FIELD);
    }
    t.place_count = 2;
    strcpy(t.place[0], "vault");
    strcpy(t.place[1], "vault");
    assert_int_equal(registry_update(registry, &t), REGISTRY_BAD_FIELD);
    t.place_count = COPIES_MAX + 1;
    assert_int_equal(registry_update(registry, &t), REGISTRY_BAD_FIELD);
}

static void names_and_hosts_are_unique(void **state) {
    (void)state;
    const struct registry_tenant *made;
    create("acme", "acme.example");
    struct registry_tenant t = tenant("acme", "other.example");
    assert_int_equal(registry_create(registry, &t, &made), REGISTRY_NAME_TAKEN);
    t = tenant("bois", "acme.example");
    assert_int_equal(registry_create(registry, &t, &made), REGISTRY_HOST_TAKEN);
    t = tenant("bois", "bois.example");
    strcpy(t.host[t.host_count++], "bois.example");
    assert_int_equal(registry_create(registry, &t, &made), REGISTRY_BAD_FIELD);
    struct registry_tenant changed = *create("bois", "bois.example");
    assert_int_equal(changed.number, 2);
    strcpy(changed.host[0], "acme.example");
    assert_int_equal(registry_update(registry, &changed), REGISTRY_HOST_TAKEN);
    assert_string_equal(registry_by_number(registry, 2)->host[0], "bois.example");
}

static void numbers_are_never_reused(void **state) {
    (void)state;
    create("a", "a.example");
    create("b", "b.example");
    assert_int_equal(registry_remove(registry, 2), REGISTRY_DONE);
    assert_int_equal(registry_remove(registry, 2), REGISTRY_NO_TENANT);
    reopen();
    assert_int_equal(create("b", "b.example")->number, 3);
    assert_int_equal(registry_remove(registry, 1), REGISTRY_DONE);
    assert_int_equal(registry_remove(registry, 3), REGISTRY_DONE);
    reopen();
    assert_int_equal(registry_count(registry), 0);
    assert_int_equal(create("a", "a.example")->number, 4);
}

static void the_uid_range_ends(void **state) {
    (void)state;
    const struct registry_tenant *made;
    registry_close(registry);
    registry = registry_open(directory, BASE, 3, error);
    create("a", "a.example");
    create("b", "b.example");
    struct registry_tenant t = tenant("c", "c.example");
    assert_int_equal(registry_create(registry, &t, &made), REGISTRY_FULL);
    assert_null(registry_open(directory, BASE, 2, error));
    assert_non_null(strstr(error, "uid_count is smaller"));
    assert_null(registry_open(directory, BASE + 1, 3, error));
    assert_non_null(strstr(error, "another uid_base"));
}

static void a_change_is_whole(void **state) {
    (void)state;
    struct registry_tenant t = *create("acme", "acme.example");
    const struct registry_tenant *kept = registry_by_number(registry, 1);
    t.suspended = t.plain = true;
    t.has_code = true;
    memset(t.code_hash, 1, sizeof t.code_hash);
    t.chain_ms = 5;
    strcpy(t.name, "renamed");
    t.uid = 0;
    t.created_ms = 0;
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    assert_ptr_equal(kept, registry_by_number(registry, 1));
    assert_string_equal(kept->name, "acme");
    assert_int_equal(kept->uid, BASE + 1);
    assert_true(kept->suspended && kept->plain && kept->has_code && !kept->enrolled && kept->created_ms && kept->chain_ms == 5);
    t.enrolled = true;
    assert_int_equal(registry_update(registry, &t), REGISTRY_DONE);
    assert_false(kept->has_code);
    assert_int_equal(kept->code_hash[0], 0);
    struct registry_tenant before = *kept;
    reopen();
    assert_memory_equal(registry_by_number(registry, 1), &before, sizeof before);
    t.number = 9;
    assert_int_equal(registry_update(registry, &t), REGISTRY_NO_TENANT);
}

static void bad_fields_are_named(void **state) {
    (void)state;
    struct registry_tenant t = tenant("acme", "acme.example");
    assert_int_equal(registry_bad_field(&t), 0);
    strcpy(t.title, "a\tb");
    assert_int_equal(registry_bad_field(&t), ACT_TITLE);
    t = tenant("Acme", "acme.example");
    assert_int_equal(registry_bad_field(&t), UINT32_MAX);
    t = tenant("acme", "acme");
    assert_int_equal(registry_bad_field(&t), ACT_HOSTS);
    t = tenant("acme", "acme.example");
    t.host_count = 0;
    assert_int_equal(registry_bad_field(&t), ACT_HOSTS);
    t.host_count = TENANT_HOSTS_MAX + 1;
    assert_int_equal(registry_bad_field(&t), ACT_HOSTS);
    t = tenant("acme", "acme.example");
    t.quota_bytes = 4095;
    assert_int_equal(registry_bad_field(&t), ACT_QUOTA);
    t = tenant("acme", "acme.example");
    memset(t.name, 'a', sizeof t.name);
    assert_int_equal(registry_bad_field(&t), UINT32_MAX);
    t = tenant("acme", "acme.example");
    strcpy(t.modules, "a,,b");
    assert_int_equal(registry_bad_field(&t), ACT_MODULES);
    strcpy(t.modules, "");
    t.region[0] = '\0';
    assert_int_equal(registry_bad_field(&t), ACT_REGION);
}

static size_t read_all(char *text, size_t room) {
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, text, room);
    close(fd);
    assert_true(size > 0 && (size_t)size < room);
    return (size_t)size;
}

static void write_all(const char *text, size_t size) {
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static void every_damaged_byte_is_found_at_its_line(void **state) {
    (void)state;
    static char text[16384], changed[16384];
    create("acme", "acme.example");
    create("bois", "bois.example");
    size_t size = read_all(text, sizeof text), line = 1;
    for (size_t i = 0; i < size; i++) {
        memcpy(changed, text, size);
        changed[i] ^= 1;
        write_all(changed, size);
        assert_null(registry_open(directory, BASE, COUNT, error));
        char want[160];
        snprintf(want, sizeof want, "%s/registry:%zu: ", directory, line);
        if (strncmp(error, want, strlen(want)) != 0) fail_msg("byte %zu: %s, wanted %s", i, error, want);
        if (text[i] == '\n') line++;
    }
    assert_int_equal(line, 5);
    for (size_t cut = 0; cut < size; cut++) {
        write_all(text, cut);
        assert_null(registry_open(directory, BASE, COUNT, error));
    }
    write_all(text, size);
    reopen();
    /* A line left out, with the rest sound in itself. */
    char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
    memmove(second, third, size - (size_t)(third - text));
    write_all(text, size - (size_t)(third - second));
    assert_null(registry_open(directory, BASE, COUNT, error));
    assert_non_null(strstr(error, "registry:2: damaged"));
    write_all("cloison-registry\tversion=2\twhatever\n", 36);
    assert_null(registry_open(directory, BASE, COUNT, error));
    assert_non_null(strstr(error, "registry:1: a format version"));
}

static void a_lost_registry_is_not_begun_anew(void **state) {
    (void)state;
    char ledger[128];
    snprintf(ledger, sizeof ledger, "%s/ledger", directory);
    FILE *file = fopen(ledger, "w");
    fputs("x", file);
    fclose(file);
    unlink(path);
    assert_null(registry_open(directory, BASE, COUNT, error));
    assert_non_null(strstr(error, "put it back"));
    assert_int_equal(access(path, F_OK), -1);
}

/* A child changes the registry until it is killed: what is on the disk is always one of the states it went through. */
static void a_kill_leaves_a_valid_registry(void **state) {
    (void)state;
    create("acme", "acme.example");
    for (int round = 0; round < 40; round++) {
        int acknowledged[2];
        assert_int_equal(pipe(acknowledged), 0);
        pid_t child = fork();
        if (child == 0) {
            struct registry_tenant t = *registry_by_number(registry, 1);
            for (uint32_t i = 0;; i++) {
                t.quota_bytes += 4096;
                if (registry_update(registry, &t) != REGISTRY_DONE || write(acknowledged[1], &t.quota_bytes, 8) != 8) _exit(1);
            }
        }
        close(acknowledged[1]);
        usleep((useconds_t)(rand() % 4000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        uint64_t last = registry_by_number(registry, 1)->quota_bytes, n;
        while (read(acknowledged[0], &n, sizeof n) == sizeof n)
            last = n;
        close(acknowledged[0]);
        reopen();
        n = registry_by_number(registry, 1)->quota_bytes;
        assert_true(n == last || n == last + 4096);
    }
}

static void a_write_that_fails_changes_nothing(void **state) {
    (void)state;
    const struct registry_tenant *made;
    create("acme", "acme.example");
    struct rlimit none = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &all);
    none.rlim_max = all.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    struct registry_tenant t = tenant("bois", "bois.example"), changed = *registry_by_number(registry, 1);
    changed.suspended = true;
    enum registry_result created = registry_create(registry, &t, &made), updated = registry_update(registry, &changed);
    enum registry_result removed = registry_remove(registry, 1);
    setrlimit(RLIMIT_FSIZE, &all);
    assert_int_equal(created, REGISTRY_NOT_WRITTEN);
    assert_int_equal(updated, REGISTRY_NOT_WRITTEN);
    assert_int_equal(removed, REGISTRY_NOT_WRITTEN);
    assert_int_equal(registry_count(registry), 1);
    assert_false(registry_by_number(registry, 1)->suspended);
    reopen();
    assert_false(registry_by_number(registry, 1)->suspended);
    assert_int_equal(create("bois", "bois.example")->number, 2);
}

static void codes_are_random_and_hashed_as_said(void **state) {
    (void)state;
    char code[ENROL_CODE_TEXT], other[ENROL_CODE_TEXT], plain[ENROL_CODE_CHARS + 1];
    uint8_t hash[ENROL_CODE_HASH], again[ENROL_CODE_HASH];
    assert_true(registry_new_code(code, hash));
    assert_true(registry_new_code(other, again));
    assert_string_not_equal(code, other);
    assert_int_equal(strlen(code), 23);
    assert_int_equal(code[5], '-');
    assert_int_equal(code[17], '-');
    assert_true(enrol_code_normalise(code, plain));
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, (const uint8_t *)plain, 20);
    SHA256_Final(again, &context);
    assert_memory_equal(hash, again, sizeof hash);
    assert_true(enrol_code_normalise("oIl2e-fghjk mnpqr-stvwx", plain));
    assert_string_equal(plain, "0112EFGHJKMNPQRSTVWX");
    assert_false(enrol_code_normalise("01234-56789-ABCDE-FGHJ", plain));
    assert_false(enrol_code_normalise("01234-56789-ABCDE-FGHJKM", plain));
    assert_false(enrol_code_normalise("01234-56789-ABCDE-FGHJU", plain));
    assert_false(enrol_code_normalise("01234-56789-ABCDE-FGHJ\xc3", plain));
    assert_string_equal(plain, "");
    assert_false(enrol_code_normalise("", plain));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_entered_is_there_after_a_restart, make, clean),
        cmocka_unit_test_setup_teardown(a_bound_is_kept, make, clean),
        cmocka_unit_test_setup_teardown(places_and_a_reset_are_kept, make, clean),
        cmocka_unit_test_setup_teardown(names_and_hosts_are_unique, make, clean),
        cmocka_unit_test_setup_teardown(numbers_are_never_reused, make, clean),
        cmocka_unit_test_setup_teardown(the_uid_range_ends, make, clean),
        cmocka_unit_test_setup_teardown(a_change_is_whole, make, clean),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test_setup_teardown(every_damaged_byte_is_found_at_its_line, make, clean),
        cmocka_unit_test_setup_teardown(a_lost_registry_is_not_begun_anew, make, clean),
        cmocka_unit_test_setup_teardown(a_kill_leaves_a_valid_registry, make, clean),
        cmocka_unit_test_setup_teardown(a_write_that_fails_changes_nothing, make, clean),
        cmocka_unit_test(codes_are_random_and_hashed_as_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
