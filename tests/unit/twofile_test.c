/* A record in two copies: whatever moment a write stops at, the new one or the one before it is there. */
#include "../../worker/rotation/twofile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 5000 };
static const char magic[8] = "TESTREC1";
static char record[ROOM], image[65536];
static size_t size;

static int new_file(void) {
    int fd = memfd_create("twofile", 0);
    assert_true(fd >= 0);
    return fd;
}

static size_t file_read(int fd, char *into) {
    ssize_t n = pread(fd, into, sizeof image, 0);
    assert_true(n >= 0);
    return (size_t)n;
}

static int file_with(const char *bytes, size_t n) {
    int fd = new_file();
    assert_int_equal(pwrite(fd, bytes, n, 0), n);
    return fd;
}

static void open_as(struct twofile *f, int fd, const char *expected) {
    assert_int_equal(twofile_open(f, fd, magic, ROOM, record, &size), 0);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(record, expected, size);
}

static void keeps_the_last(void **state) {
    (void)state;
    struct twofile f;
    int fd = new_file(), again;
    open_as(&f, fd, "");
    assert_int_equal(f.version, 0);
    again = dup(fd);
    static const char *const words[] = {"one", "two, longer", "3", "", "five"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_int_equal(twofile_write(&f, words[i], strlen(words[i])), 0);
        struct twofile other;
        open_as(&other, dup(again), words[i]);
        assert_int_equal(other.version, i + 1);
        assert_false(other.damaged);
        twofile_close(&other);
    }
    assert_int_equal(twofile_write(&f, image, ROOM + 1), -1);
    assert_int_equal(errno, EMSGSIZE);
    twofile_close(&f);
    close(again);
}

/* Every byte at which a write could stop. */
static void survives_a_cut(void **state) {
    (void)state;
    static const char *const words[] = {"", "first", "second one", "third"};
    static char before[sizeof image];
    struct twofile f, other;
    int fd = new_file();
    open_as(&f, fd, "");
    for (size_t w = 1; w < 4; w++) {
        size_t length = file_read(fd, before);
        assert_int_equal(twofile_write(&f, words[w], strlen(words[w])), 0);
        assert_int_equal(file_read(fd, image), length);
        size_t changed = 0;
        for (size_t i = 0; i < length; i++) {
            if (before[i] == image[i]) continue;
            changed++;
            before[i] = image[i]; /* the write has come as far as this */
            int cut = file_with(before, length);
            assert_int_equal(twofile_open(&other, cut, magic, ROOM, record, &size), 0);
            bool is_old = size == strlen(words[w - 1]) && memcmp(record, words[w - 1], size) == 0;
            bool is_new = size == strlen(words[w]) && memcmp(record, words[w], size) == 0;
            assert_true(is_old || is_new);
            twofile_close(&other);
        }
        assert_true(changed > 30);
    }
    twofile_close(&f);
}

static void finds_damage(void **state) {
    (void)state;
    struct twofile f, other;
    int fd = new_file();
    open_as(&f, fd, "");
    assert_int_equal(twofile_write(&f, "old", 3), 0);
    assert_int_equal(twofile_write(&f, "new", 3), 0);
    size_t length = file_read(fd, image);
    for (size_t i = 0; i < 59; i++) { /* of one copy: the other is used */
        for (size_t copy = 0; copy < 2; copy++) {
            char *p = image + copy * length / 2 + i;
            *p ^= 0x10;
            int broken = file_with(image, length);
            assert_int_equal(twofile_open(&other, broken, magic, ROOM, record, &size), 0);
            assert_memory_equal(record, copy == f.copy ? "old" : "new", 3);
            assert_true(other.damaged);
            twofile_close(&other);
            *p ^= 0x10;
        }
    }
    image[57] ^= 1; /* of both */
    image[length / 2 + 57] ^= 1;
    assert_int_equal(twofile_open(&other, file_with(image, length), magic, ROOM, record, &size), -1);
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(twofile_open(&other, dup(fd), "OTHERREC", ROOM, record, &size), -1);
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(twofile_open(&other, file_with(image, length + 1), magic, ROOM, record, &size), -1);
    assert_int_equal(errno, EPROTO);
    twofile_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_the_last), cmocka_unit_test(survives_a_cut), cmocka_unit_test(finds_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
