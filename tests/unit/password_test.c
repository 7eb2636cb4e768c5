/* The password KDF: its parameters are OWASP's, its result needs Argon2id's and the password, its memory is not the arena's and is gone
 * afterwards. */
#include "../../worker/keys/password.h"
#include "../../worker/memory/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <argon2.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is given back is looked at: it is wiped. */
static size_t given_back;
int munmap(void *p, size_t size) {
    if (size >= PASSWORD_MEMORY_KIB * 1024UL) {
        assert_true(*(const uint8_t *)p == 0 && memcmp(p, (const uint8_t *)p + 1, size - 1) == 0);
        given_back += size;
    }
    return (int)syscall(SYS_munmap, p, size);
}

static const uint8_t salt[32] = "0123456789abcdef0123456789abcde";

static void assert_hex(const uint8_t key[KEY_BYTES], const char *expected) {
    char hex[2 * KEY_BYTES + 1];
    for (int i = 0; i < KEY_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", key[i]);
    assert_string_equal(hex, expected);
}

/* HKDF-SHA256, by Python's hmac, over what the reference implementation's command gives: argon2 SALT -id -v 13 -t 2 -k 19456 -p 1 -l 32. */
static void known_answer(void **state) {
    (void)state;
    static const char expected[] = "6cb2b9c1fdf2d683cc9bfeb0a6ae3ae8e429b1e33295c0ff694f5ac32d32f8a5";
    uint8_t key[KEY_BYTES];
    assert_int_equal(password_stretch("correct horse battery", (const uint8_t *)"0123456789abcdef0123456789abcdef", key), 0);
    assert_hex(key, expected);
}

/* Of RFC 9106, 5.3. Passwords go through Argon2id and nothing else, so that scrypt's vectors have nothing to be held against; the RFC's has
 * parameters of its own, hence it tries the library that password_stretch() calls. */
static void published(void **state) {
    (void)state;
    uint8_t out[KEY_BYTES], password[32], nonce[16], secret[8], more[12];
    memset(password, 1, sizeof password);
    memset(nonce, 2, sizeof nonce);
    memset(secret, 3, sizeof secret);
    memset(more, 4, sizeof more);
    argon2_context context = {
        .out = out,
        .outlen = sizeof out,
        .pwd = password,
        .pwdlen = sizeof password,
        .salt = nonce,
        .saltlen = sizeof nonce,
        .secret = secret,
        .secretlen = sizeof secret,
        .ad = more,
        .adlen = sizeof more,
        .t_cost = 3,
        .m_cost = 32,
        .lanes = 4,
        .threads = 1,
        .version = ARGON2_VERSION_13,
        .flags = ARGON2_DEFAULT_FLAGS,
    };
    assert_int_equal(argon2id_ctx(&context), ARGON2_OK);
    assert_hex(out, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

static void everything_counts(void **state) {
    (void)state;
    uint8_t a[KEY_BYTES], b[KEY_BYTES], c[KEY_BYTES], other[32];
    memcpy(other, salt, sizeof other);
    other[31] ^= 1;
    assert_int_equal(password_stretch("a password", salt, a), 0);
    assert_int_equal(password_stretch("a passwore", salt, b), 0);
    assert_int_equal(password_stretch("a password", other, c), 0);
    assert_memory_not_equal(a, b, KEY_BYTES);
    assert_memory_not_equal(a, c, KEY_BYTES);
}

static void floor_is_owasps(void **state) {
    (void)state;
    uint8_t ours[KEY_BYTES], theirs[KEY_BYTES];
    assert_int_equal(password_stretch("twelve bytes", salt, ours), 0);
    assert_int_equal(argon2id_hash_raw(2, 19456, 1, "twelve bytes", 12, salt, sizeof salt, theirs, sizeof theirs), ARGON2_OK);
    assert_memory_not_equal(ours, theirs, KEY_BYTES); /* that is what the KDF's pages tell */
    hkdf((const uint8_t *)"twelve bytes", 12, theirs, sizeof theirs, "cloison password v1", theirs, sizeof theirs);
    assert_memory_equal(ours, theirs, KEY_BYTES);
}

static long resident_kib(void) {
    long kib = -1;
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

static void memory_is_given_back(void **state) {
    (void)state;
    uint8_t key[KEY_BYTES];
    long before = resident_kib();
    assert_int_equal(password_stretch("a password", salt, key), 0);
    given_back = 0;
    password_tidy();
    assert_true(given_back >= PASSWORD_MEMORY_KIB * 1024UL);
    assert_true(resident_kib() < before + 4096);
    password_tidy();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),       cmocka_unit_test(known_answer),         cmocka_unit_test(everything_counts),
        cmocka_unit_test(floor_is_owasps), cmocka_unit_test(memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
