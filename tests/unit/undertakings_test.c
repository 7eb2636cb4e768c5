/* Undertakings: what is in force when, the texts, and the record that keeps them (S1). */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../policy/hex.h"
#include "../../policy/undertaking.h"
#include "../../supervisor/steward/undertaking.h"
#include "../../supervisor/undertakings.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALICE = 501, BOB = 502 };
#define DAY UNDERTAKING_DAY_MS
static const uint64_t noon = 1800000000000;
static char directory[64], path[128], error[RECORD_ERROR_MAX];
static struct undertakings *book;

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/undertakings_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/undertakings", directory);
    book = undertakings_open(directory, error);
    return book ? 0 : -1;
}

static int clean(void **state) {
    (void)state;
    undertakings_close(book);
    book = NULL;
    unlink(path);
    return rmdir(directory);
}

static bool reopen(void) {
    undertakings_close(book);
    book = undertakings_open(directory, error);
    return book;
}

/* Every state, at the edges of its time. */
static void one_is_in_force_or_not(void **state) {
    (void)state;
    const struct undertaking u = {.uid = ALICE, .version = 3, .signed_ms = noon, .until_ms = noon + DAY};
    struct undertaking ended = u;
    ended.ended = true;
    assert_int_equal(undertaking_judge(NULL, 3, noon), UNDERTAKING_MISSING);
    assert_int_equal(undertaking_judge(&u, 3, noon - 1), UNDERTAKING_FUTURE);
    assert_int_equal(undertaking_judge(&u, 3, noon), UNDERTAKING_IN_FORCE);
    assert_int_equal(undertaking_judge(&u, 3, noon + DAY - 1), UNDERTAKING_IN_FORCE);
    assert_int_equal(undertaking_judge(&u, 3, noon + DAY), UNDERTAKING_EXPIRED);
    assert_int_equal(undertaking_judge(&u, 2, noon), UNDERTAKING_OTHER_TEXT);
    assert_int_equal(undertaking_judge(&u, 4, noon), UNDERTAKING_OTHER_TEXT);
    assert_int_equal(undertaking_judge(&ended, 3, noon), UNDERTAKING_ENDED);
}

static void a_term_is_bounded(void **state) {
    (void)state;
    assert_int_equal(undertaking_until(noon, 0), noon + 365 * DAY);
    assert_int_equal(undertaking_until(noon, noon), 0);
    assert_int_equal(undertaking_until(noon, noon - 1), 0);
    assert_int_equal(undertaking_until(noon, noon + 1), noon + 1);
    assert_int_equal(undertaking_until(noon, noon + 1096 * DAY), noon + 1096 * DAY);
    assert_int_equal(undertaking_until(noon, noon + 1096 * DAY + 1), 0);
}

/* A text that was published is never changed: the hash stands in the records of those who signed it. */
static void the_texts_are_what_was_signed(void **state) {
    (void)state;
    const char *fr = undertaking_text(UNDERTAKING_VERSION, "fr"), *en = undertaking_text(UNDERTAKING_VERSION, "en");
    assert_non_null(fr);
    assert_non_null(en);
    assert_null(undertaking_text(UNDERTAKING_VERSION + 1, "fr"));
    assert_null(undertaking_text(UNDERTAKING_VERSION, "de"));
    SHA256_CTX context;
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char hex[2 * sizeof hash + 1] = "";
    SHA256_Init(&context);
    SHA256_Update(&context, (const uint8_t *)fr, strlen(fr));
    SHA256_Update(&context, (const uint8_t *)en, strlen(en));
    SHA256_Final(hash, &context);
    hex_write(hash, sizeof hash, hex);
    assert_string_equal(hex, UNDERTAKING_HASH);
}

static void signatures_are_kept(void **state) {
    (void)state;
    assert_int_equal(undertakings_judge(book, ALICE, noon), UNDERTAKING_MISSING);
    assert_true(undertakings_sign(book, ALICE, noon, noon + DAY, "Alice Martin"));
    assert_true(undertakings_sign(book, BOB, noon, noon + DAY, ""));
    assert_true(undertakings_end(book, BOB, noon + 1));
    assert_true(reopen());
    assert_int_equal(undertakings_judge(book, ALICE, noon + 1), UNDERTAKING_IN_FORCE);
    assert_int_equal(undertakings_judge(book, BOB, noon + 1), UNDERTAKING_ENDED);
    assert_true(undertakings_sign(book, BOB, noon + 2, noon + DAY, ""));
    assert_int_equal(undertakings_judge(book, BOB, noon + 2), UNDERTAKING_IN_FORCE);
    json_t *list = undertaking_items(undertakings_reader(book));
    assert_true(json_is_true(json_object_get(list, "sound")));
    const json_t *items = json_object_get(list, "items");
    assert_int_equal(json_array_size(items), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(items, 0), "name")), "Alice Martin");
    assert_string_equal(json_string_value(json_object_get(json_array_get(items, 2), "act")), "ended");
    json_decref(list);
}

/* What could not be read again is not written: one such line would stop every later start. */
static void what_is_no_line_is_not_written(void **state) {
    (void)state;
    char long_name[TENANT_TITLE_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"a\tb", "a\nb", "\xff", long_name};
    assert_true(undertakings_sign(book, ALICE, noon, noon + DAY, "Alice"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_false(undertakings_sign(book, ALICE, noon + 1, noon + 2 * DAY, names[i]));
        assert_int_equal(errno, EINVAL);
    }
    assert_false(undertakings_end(book, BOB, noon)); /* who never signed */
    assert_int_equal(undertakings_of(book, ALICE)->until_ms, noon + DAY);
    assert_true(reopen());
    assert_true(undertakings_sign(book, BOB, noon, noon + DAY, "Bob"));
    assert_int_equal(undertakings_judge(book, ALICE, noon), UNDERTAKING_IN_FORCE);
}

/* A person that signs again and again writes so many lines a day, and nobody else waits for it. */
static void nobody_signs_without_end(void **state) {
    (void)state;
    for (int i = 0; i < RECORD_DAY_MAX; i++)
        assert_true(undertakings_sign(book, ALICE, noon, noon + DAY, "Alice"));
    assert_false(undertakings_sign(book, ALICE, noon, noon + DAY, "Alice"));
    assert_int_equal(errno, EDQUOT);
    assert_true(reopen());
    assert_false(undertakings_sign(book, ALICE, noon, noon + DAY, "Alice"));
    assert_true(undertakings_sign(book, BOB, noon, noon + DAY, "Bob"));
    assert_true(undertakings_end(book, ALICE, noon));
    assert_true(undertakings_sign(book, ALICE, noon + DAY, noon + 2 * DAY, "Alice"));
}

/* What a start reads has a bound: it is not grown over, and from half of it on nobody signs anew. */
static void a_record_can_be_opened_again(void **state) {
    (void)state;
    char name[TENANT_TITLE_MAX + 1] = "", fields[RECORD_LINE_MAX], text[RECORD_LINE_MAX];
    const struct undertaking u = {.uid = ALICE, .version = UNDERTAKING_VERSION, .until_ms = noon + DAY};
    struct record_line line = {.time_ms = noon, .uid = ALICE, .word = "signed"};
    struct ledger_chain chain = {0};
    memset(name, 'x', sizeof name - 1);
    assert_true(undertaking_fields(&u, name, fields, sizeof fields));
    undertakings_close(book);
    FILE *file = fopen(path, "w"); /* as it was left by many */
    for (size_t bytes = 0, size, used; bytes + sizeof "ended" * 40 < RECORD_BYTES_MAX; bytes += size) {
        size = record_line_format(&chain, &line, fields, text);
        assert_int_equal(fwrite(text, 1, size, file), size);
        assert_int_equal(record_next(&chain, text, size, &used, &line), LEDGER_LINE);
    }
    fclose(file);
    assert_non_null(book = undertakings_open(directory, error));
    assert_false(undertakings_sign(book, BOB, noon, noon + DAY, name));
    assert_int_equal(errno, EFBIG);
    for (int i = 0; i < 4 && undertakings_end(book, ALICE, noon); i++) {
    }
    assert_int_equal(errno, EFBIG);
    assert_true(reopen());
}

static size_t read_file(char *out, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, out, room);
    close(fd);
    return (size_t)size;
}

static void write_file(const char *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* S1: a record of undertakings that was changed does not open */
/* Every byte, every line left out, two exchanged: it does not open, so that nobody has a duty. What a crash leaves is cut off. */
static void a_changed_record_does_not_open(void **state) {
    (void)state;
    static char whole[8192], changed[8192];
    for (int i = 0; i < 4; i++)
        assert_true(undertakings_sign(book, ALICE + (uint32_t)i, noon, noon + DAY, "N"));
    size_t size = read_file(whole, sizeof whole), line = size / 4;
    assert_int_equal(size % 4, 0);
    for (size_t i = 0; i < size - 1; i += 7) {
        memcpy(changed, whole, size);
        changed[i] ^= 1;
        write_file(changed, size);
        if (reopen()) fail_msg("byte %zu", i);
        assert_non_null(strstr(error, "is damaged"));
    }
    memcpy(changed, whole, line);
    memcpy(changed + line, whole + 2 * line, 2 * line);
    write_file(changed, 3 * line);
    assert_false(reopen());
    memcpy(changed, whole, size);
    memcpy(changed + line, whole + 2 * line, line);
    memcpy(changed + 2 * line, whole + line, line);
    write_file(changed, size);
    assert_false(reopen());
    write_file(whole, size - 10);
    assert_true(reopen());
    assert_int_equal(undertakings_judge(book, ALICE + 2, noon), UNDERTAKING_IN_FORCE);
    assert_int_equal(undertakings_judge(book, ALICE + 3, noon), UNDERTAKING_MISSING);
    assert_true(undertakings_sign(book, ALICE + 3, noon, noon + DAY, "N"));
    assert_true(reopen());
    assert_int_equal(undertakings_judge(book, ALICE + 3, noon), UNDERTAKING_IN_FORCE);
}

/* A line of another record, whole and of the right number, does not follow. */
static void a_line_of_another_record_does_not_follow(void **state) {
    (void)state;
    static char one[4096], other[4096];
    assert_true(undertakings_sign(book, ALICE, noon, noon + DAY, "N"));
    assert_true(undertakings_sign(book, BOB, noon, noon + DAY, "N"));
    size_t size = read_file(one, sizeof one), line = size / 2;
    unlink(path);
    assert_true(reopen());
    assert_true(undertakings_sign(book, BOB, noon, noon + DAY, "N"));
    assert_true(undertakings_sign(book, BOB, noon, noon + DAY, "N"));
    assert_int_equal(read_file(other, sizeof other), size);
    memcpy(one + line, other + line, line);
    write_file(one, size);
    assert_false(reopen());
    assert_non_null(strstr(error, "line 2"));
}

/* In a mount namespace of its own, on a file system of two pages. */
static int on_a_full_disk(void) {
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return 77;
    if (mount("tmpfs", directory, "tmpfs", 0, "size=8k") < 0) return 77;
    struct undertakings *u = undertakings_open(directory, error);
    if (!u) return 1;
    uint32_t uid = 1000;
    while (uid < 2000 && undertakings_sign(u, uid, noon, noon + DAY, "N"))
        uid++;
    if (uid == 1000 || uid == 2000 || errno != ENOSPC) return 2;
    if (undertakings_judge(u, uid, noon) != UNDERTAKING_MISSING || undertakings_judge(u, uid - 1, noon) != UNDERTAKING_IN_FORCE) return 3;
    undertakings_close(u);
    if (!(u = undertakings_open(directory, error))) return 4;
    if (undertakings_judge(u, uid, noon) != UNDERTAKING_MISSING || undertakings_judge(u, uid - 1, noon) != UNDERTAKING_IN_FORCE) return 5;
    undertakings_close(u);
    return 0;
}

static void a_full_disk_takes_no_signature(void **state) {
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(on_a_full_disk());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_int_equal(status, 0);
}

static void bodies_are_read_strictly(void **state) {
    (void)state;
    static const struct {
        const char *body, *field; /* field NULL: fine; "": the body as a whole */
    } rows[] = {
        {"{\"version\":1}", NULL},
        {"{\"version\":1,\"until\":\"2028-02-29\",\"name\":\"Alice\"}", NULL},
        {"{\"version\":\"1\"}", "version"},
        {"{}", "version"},
        {"[]", ""},
        {"{\"version\":1,\"version\":1}", ""},
        {"{\"version\":1,\"until\":\"2027-02-29\"}", "until"},
        {"{\"version\":1,\"until\":\"2027-2-9\"}", "until"},
        {"{\"version\":1,\"until\":\"2027- 2- 9\"}", "until"},
        {"{\"version\":1,\"name\":\"\"}", "name"},
        {"{\"version\":1,\"name\":\"a\\tb\"}", "name"},
        {"{\"version\":1,\"uid\":0}", "uid"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_act act = {0};
        struct act_problem problem = {0};
        bool fine = undertaking_read_body(rows[i].body, strlen(rows[i].body), &act, &problem);
        if (fine != !rows[i].field) fail_msg("%s", rows[i].body);
        if (!fine) assert_string_equal(problem.field, rows[i].field);
    }
    uint64_t ms;
    assert_true(undertaking_day("1970-01-02", &ms));
    assert_int_equal(ms, DAY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_in_force_or_not),
        cmocka_unit_test(a_term_is_bounded),
        cmocka_unit_test(the_texts_are_what_was_signed),
        cmocka_unit_test_setup_teardown(signatures_are_kept, make, clean),
        cmocka_unit_test_setup_teardown(what_is_no_line_is_not_written, make, clean),
        cmocka_unit_test_setup_teardown(nobody_signs_without_end, make, clean),
        cmocka_unit_test_setup_teardown(a_record_can_be_opened_again, make, clean),
        cmocka_unit_test_setup_teardown(a_changed_record_does_not_open, make, clean),
        cmocka_unit_test_setup_teardown(a_line_of_another_record_does_not_follow, make, clean),
        cmocka_unit_test_setup_teardown(a_full_disk_takes_no_signature, make, clean),
        cmocka_unit_test(bodies_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
