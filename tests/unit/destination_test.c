/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../supervisor/courier/credentials.h"
#include "../../supervisor/courier/destination.h"
#include "../../supervisor/courier/s3_list.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/cloison-destination-XXXXXX";
static struct destination *medium;
static int spool;

static struct destination *open_at(const char *path, uint32_t same_medium) {
    struct message_destination is = {.kind = DESTINATION_DIRECTORY, .name = "medium", .same_medium = same_medium};
    snprintf(is.path, sizeof is.path, "%s", path);
    static struct destination *opened[16]; /* a destination lives as long as its process */
    static size_t count;
    assert_true(count < sizeof opened / sizeof *opened);
    return opened[count++] = destination_open(&is, -1, spool);
}

static int make(void **state) {
    (void)state;
    if (!mkdtemp(root) || (spool = open(root, O_RDONLY | O_DIRECTORY)) < 0) return -1;
    medium = open_at(root, 1);
    return medium && destination_opened(medium) == DESTINATION_DONE ? 0 : -1;
}

static int unmake(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static int file_of(const char *text, uint8_t hash[DESTINATION_HASH]) {
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
    return fd;
}

static enum destination_result put(const char *key, const char *text, bool only_new) {
    uint8_t hash[DESTINATION_HASH];
    int fd = file_of(text, hash);
    enum destination_result result = destination_put(medium, key, fd, 0, strlen(text), hash, only_new, 0);
    close(fd);
    return result;
}

static void expect(const char *key, const char *text) {
    uint8_t hash[DESTINATION_HASH], wanted[DESTINATION_HASH];
    char back[64] = "";
    uint64_t size = 0;
    int fd = memfd_create("back", MFD_CLOEXEC);
    close(file_of(text, wanted));
    assert_int_equal(destination_get(medium, key, fd, 60, &size, hash), DESTINATION_DONE);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(hash, wanted, sizeof hash);
    assert_int_equal(pread(fd, back, sizeof back, 0), size);
    assert_string_equal(back, text);
    close(fd);
}

static size_t files_in(const char *name) {
    char command[128], line[16] = "";
    snprintf(command, sizeof command, "find %s/%s -type f | wc -l", root, name);
    FILE *f = popen(command, "r");
    assert_non_null(fgets(line, sizeof line, f));
    pclose(f);
    return strtoul(line, NULL, 10);
}

static void what_was_put_comes_back(void **state) {
    (void)state;
    uint64_t size = 0;
    assert_int_equal(put("a/b/c", "sealed", true), DESTINATION_DONE);
    expect("a/b/c", "sealed");
    assert_int_equal(put("a/b/c", "other", true), DESTINATION_EXISTS);
    expect("a/b/c", "sealed");
    assert_int_equal(put("a/b/c", "other", false), DESTINATION_DONE);
    expect("a/b/c", "other");
    assert_int_equal(destination_size(medium, "a/b/c", &size), DESTINATION_DONE);
    assert_int_equal(size, 5);
    assert_int_equal(put("empty", "", true), DESTINATION_DONE);
    expect("empty", "");
    assert_int_equal(destination_delete(medium, "a/b/c"), DESTINATION_DONE);
    assert_int_equal(destination_delete(medium, "a/b/c"), DESTINATION_ABSENT);
    assert_int_equal(destination_size(medium, "a/b/c", &size), DESTINATION_ABSENT);
    assert_int_equal(destination_size(medium, "empty/below", &size), DESTINATION_ABSENT); /* a file where a directory would be */
    assert_int_equal(files_in(".new"), 0);
}

static void a_part_of_a_file_is_put(void **state) {
    (void)state;
    uint8_t hash[DESTINATION_HASH];
    int fd = file_of("0123456789", hash);
    close(file_of("345", hash));
    assert_int_equal(destination_put(medium, "part", fd, 3, 3, hash, true, 0), DESTINATION_DONE);
    expect("part", "345");
    assert_int_equal(destination_put(medium, "longer", fd, 8, 3, hash, true, 0), DESTINATION_LOCAL); /* than the file */
    hash[0] ^= 1;
    assert_int_equal(destination_put(medium, "wrong", fd, 3, 3, hash, true, 0), DESTINATION_LOCAL);
    assert_int_equal(errno, EBADMSG);
    uint64_t size;
    assert_int_equal(destination_size(medium, "wrong", &size), DESTINATION_ABSENT);
    assert_int_equal(files_in(".new"), 0);
    close(fd);
}

static void more_than_asked_for_is_a_lie(void **state) {
    (void)state;
    uint8_t hash[DESTINATION_HASH];
    uint64_t size;
    assert_int_equal(put("long", "0123456789", false), DESTINATION_DONE);
    int fd = memfd_create("back", MFD_CLOEXEC);
    assert_int_equal(destination_get(medium, "long", fd, 9, &size, hash), DESTINATION_LIED);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    close(fd);
}

static void only_keys_are_keys(void **state) {
    (void)state;
    static const char *const keys[] = {"a", "a/b", "a.b_c-d/0", "1/2/3/4/5/6/7/8"};
    static const char *const none[] = {"",     "/", "/a",  "a/",  "a//b", ".",    "..", "a/../b",           ".new/x",
                                       "a/.b", "A", "a b", "a\\", "a\nb", "a%2f", "é",  "1/2/3/4/5/6/7/8/9"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(destination_key_is(keys[i]));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_false(destination_key_is(none[i]));
        assert_int_equal(put(none[i], "x", false), DESTINATION_LOCAL);
        assert_int_equal(destination_delete(medium, none[i]), DESTINATION_LOCAL);
    }
    char key[DESTINATION_KEY_MAX + 2];
    memset(key, 'a', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_false(destination_key_is(key));
    key[DESTINATION_KEY_MAX] = '\0';
    assert_true(destination_key_is(key));
}

static char seen[512];
static bool visit(void *most, const char *key, uint64_t size) {
    char row[DESTINATION_KEY_MAX + 32];
    snprintf(row, sizeof row, "%s=%d ", key, (int)size);
    strncat(seen, row, sizeof seen - strlen(seen) - 1);
    return --*(int *)most > 0;
}

static const char *listed(const char *prefix, int most) {
    seen[0] = '\0';
    assert_int_equal(destination_list(medium, prefix, visit, &most), DESTINATION_DONE);
    return seen;
}

static void a_list_is_in_the_order_of_the_bytes(void **state) {
    (void)state;
    static const char *const keys[] = {"l/b0", "l/b/z", "l/b-", "l/b.x", "l/a", "l/b/a/c"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(put(keys[i], "x", false), DESTINATION_DONE);
    char stranger[64];
    snprintf(stranger, sizeof stranger, "%s/l/README", root); /* what is no key is passed over */
    close(open(stranger, O_CREAT | O_WRONLY, 0600));
    snprintf(stranger, sizeof stranger, "%s/l/link", root);
    assert_int_equal(symlink("/etc/passwd", stranger), 0);
    assert_string_equal(listed("l/", 100), "l/a=1 l/b-=1 l/b.x=1 l/b/a/c=1 l/b/z=1 l/b0=1 ");
    assert_string_equal(listed("l/b/", 100), "l/b/a/c=1 l/b/z=1 ");
    assert_string_equal(listed("l/b0", 100), "l/b0=1 ");
    assert_string_equal(listed("l/", 2), "l/a=1 l/b-=1 ");
    assert_string_equal(listed("nothing", 100), "");
    int none = 1;
    assert_int_equal(destination_list(medium, "../", visit, &none), DESTINATION_DONE);
    assert_int_equal(destination_list(medium, "A", visit, &none), DESTINATION_LOCAL);
}

static void a_link_on_the_medium_leads_nowhere(void **state) {
    (void)state;
    char link[64], there[64];
    uint8_t hash[DESTINATION_HASH];
    uint64_t size;
    snprintf(link, sizeof link, "%s/out", root);
    snprintf(there, sizeof there, "%s-there", root);
    assert_int_equal(mkdir(there, 0700), 0);
    assert_int_equal(symlink(there, link), 0);
    assert_int_equal(put("out/file", "x", false), DESTINATION_REFUSED);
    assert_int_equal(rmdir(there), 0); /* still empty */
    snprintf(link, sizeof link, "%s/secret", root);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_not_equal(destination_get(medium, "secret", 1, 100000, &size, hash), DESTINATION_DONE);
}

static void a_medium_must_be_another_one_and_there(void **state) {
    (void)state;
    char path[64];
    uint64_t size;
    struct destination *same = open_at(root, 0), *gone;
    assert_int_equal(destination_opened(same), DESTINATION_REFUSED);
    assert_int_equal(destination_size(same, "a", &size), DESTINATION_REFUSED);
    snprintf(path, sizeof path, "%s/gone", root);
    gone = open_at(path, 1);
    assert_int_equal(destination_opened(gone), DESTINATION_UNREACHABLE);
    assert_int_equal(destination_directory(gone), -1);
}

static void what_a_kill_left_is_swept(void **state) {
    (void)state;
    char part[64];
    snprintf(part, sizeof part, "%s/.new/0123", root);
    close(open(part, O_CREAT | O_WRONLY, 0600));
    struct destination *again = open_at(root, 1);
    assert_int_equal(destination_opened(again), DESTINATION_DONE);
    assert_int_equal(files_in(".new"), 0);
}

static void credentials_are_read_as_aws_writes_them(void **state) {
    (void)state;
    static const char good[] =
        "# mine\n[default]\r\n aws_access_key_id=ID\r\naws_secret_access_key = se/c+r=et  \naws_access_key_id = later\n";
    static const char *const bad[] = {"",
                                      "aws_access_key_id = ID\n",
                                      "aws_secret_access_key = s\n",
                                      "aws_access_key_id = I:D\naws_secret_access_key = s\n",
                                      "aws_access_key_id =\naws_secret_access_key = s\n",
                                      "aws_access_key_id = a b\naws_secret_access_key = s\n",
                                      "xaws_access_key_id = a\naws_secret_access_key = s\n"};
    struct credentials c;
    assert_true(credentials_parse(good, sizeof good - 1, &c));
    assert_string_equal(c.id, "ID");
    assert_string_equal(c.secret, "se/c+r=et");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(credentials_parse(bad[i], strlen(bad[i]), &c));
}

static void a_page_is_read_or_refused(void **state) {
    (void)state;
    static struct s3_page page;
    static const char good[] =
        "<?xml version='1.0'?><ListBucketResult xmlns='x'><Name>Key</Name><Contents><Key>a/b</Key><Owner><Key>z</Key></Owner>"
        "<Size>7</Size></Contents><Contents><Size>1</Size><Key>Other</Key></Contents><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>t&amp;</NextContinuationToken></ListBucketResult>";
    static const char *const bad[] = {
        "",
        "<ListBucketResult>",
        "<a/>",
        "<a><ListBucketResult/></a>",
        "<!DOCTYPE a><ListBucketResult/>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>9999999999999999999</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>"};
    assert_true(s3_list_parse(good, sizeof good - 1, &page));
    assert_int_equal(page.count, 1);
    assert_int_equal(page.seen, 2);
    assert_string_equal(page.row[0].key, "a/b");
    assert_int_equal(page.row[0].size, 7);
    assert_true(page.truncated);
    assert_string_equal(page.token, "t&");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(s3_list_parse(bad[i], strlen(bad[i]), &page));
    for (size_t size = 0; size < sizeof good - 1; size++)
        assert_false(s3_list_parse(good, size, &page));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back),
        cmocka_unit_test(a_part_of_a_file_is_put),
        cmocka_unit_test(more_than_asked_for_is_a_lie),
        cmocka_unit_test(only_keys_are_keys),
        cmocka_unit_test(a_list_is_in_the_order_of_the_bytes),
        cmocka_unit_test(a_link_on_the_medium_leads_nowhere),
        cmocka_unit_test(a_medium_must_be_another_one_and_there),
        cmocka_unit_test(what_a_kill_left_is_swept),
        cmocka_unit_test(credentials_are_read_as_aws_writes_them),
        cmocka_unit_test(a_page_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
