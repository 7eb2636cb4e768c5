/* SHA-256 (FIPS 180-4), HMAC (RFC 4231) and HKDF (RFC 5869) against their published vectors; the keyring's keys differ by label. */
#include "../../worker/keys/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

static size_t unhex(const char *hex, uint8_t *out) {
    size_t n = 0;
    for (; hex[2 * n]; n++) {
        char byte[3] = {hex[2 * n], hex[2 * n + 1], 0};
        out[n] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return n;
}

static void assert_hex(const uint8_t *bytes, const char *hex) {
    uint8_t expected[128];
    size_t n = unhex(hex, expected);
    assert_memory_equal(bytes, expected, n);
}

static void hashes(void **state) {
    (void)state;
    uint8_t out[32];
    sha256("", 0, out);
    assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256("abc", 3, out);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, out);
    assert_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void macs(void **state) {
    (void)state;
    uint8_t key[131], out[32];
    memset(key, 0x0b, 20);
    hmac_sha256(key, 20, "Hi There", 8, out);
    assert_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, out);
    assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    uint8_t data[50];
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    hmac_sha256(key, 20, data, sizeof data, out);
    assert_hex(out, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (uint8_t i = 0; i < 25; i++)
        key[i] = (uint8_t)(i + 1);
    memset(data, 0xcd, sizeof data);
    hmac_sha256(key, 25, data, sizeof data, out);
    assert_hex(out, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    memset(key, 0xaa, sizeof key);
    static const char long_data[] =
        "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed "
        "before being used by the HMAC algorithm.";
    hmac_sha256(key, sizeof key, long_data, sizeof long_data - 1, out);
    assert_hex(out, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    hmac_sha256(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
    assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* The three cases of RFC 5869 for SHA-256: their infos have no zero byte, so that a label can spell them. */
static void derives(void **state) {
    (void)state;
    uint8_t key[80], salt[80], out[255 * 32], again[33];
    char info[81] = "";
    memset(key, 0x0b, 22);
    for (uint8_t i = 0; i < 10; i++)
        info[i] = (char)(0xf0 + i);
    for (uint8_t i = 0; i < 13; i++)
        salt[i] = i;
    hkdf(key, 22, salt, 13, info, out, 42);
    assert_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    hkdf(key, 22, NULL, 0, "", out, 42);
    assert_hex(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    for (uint8_t i = 0; i < 80; i++) {
        key[i] = i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (char)(0xb0 + i);
    }
    hkdf(key, 80, salt, 80, info, out, 82);
    assert_hex(
        out,
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87");
    hkdf(key, sizeof key, (const uint8_t *)"salt", 4, "label", out, sizeof out);
    hkdf(key, sizeof key, (const uint8_t *)"salt", 4, "label", again, sizeof again);
    assert_memory_equal(out, again, sizeof again);
    hkdf(key, sizeof key, (const uint8_t *)"salt", 4, "labek", again, sizeof again);
    assert_memory_not_equal(out, again, sizeof again);
}

static void compares(void **state) {
    (void)state;
    assert_true(secret_equal("abc", "abc", 3));
    assert_false(secret_equal("abc", "abd", 3));
    char secret[4] = "xyz";
    secret_wipe(secret, sizeof secret);
    assert_memory_equal(secret, "\0\0\0\0", 4);
}

static void randomness(void **state) {
    (void)state;
    static uint8_t a[1000], b[1000];
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    random_bytes(a, 0);
}

static void rings(void **state) {
    (void)state;
    static const uint8_t tmk[KEY_BYTES], other_tmk[KEY_BYTES] = {1};
    struct keyring *a = keyring_new(tmk), *b = keyring_new(tmk), *c = keyring_new(other_tmk);
    assert_true(a && b && c);
    assert_memory_equal(a->index_prf, b->index_prf, KEY_BYTES);
    assert_memory_equal(a->check_mac, b->check_mac, KEY_BYTES);
    assert_memory_not_equal(a->index_prf, a->check_mac, KEY_BYTES);
    assert_memory_not_equal(a->index_prf, c->index_prf, KEY_BYTES);
    uint8_t sealed[4 + XAES_OVERHEAD], opened[4];
    assert_true(xaes_seal(a->records, NULL, 0, "data", 4, sealed));
    assert_true(xaes_open(b->records, NULL, 0, sealed, sizeof sealed, opened));
    assert_false(xaes_open(c->records, NULL, 0, sealed, sizeof sealed, opened));
    keyring_free(a);
    keyring_free(b);
    keyring_free(c);
    keyring_free(NULL);
}

static void *hash_there(void *out) {
    if (keys_prepare()) sha256("abc", 3, out);
    return NULL;
}

static void other_threads(void **state) {
    (void)state;
    pthread_t thread;
    uint8_t out[32] = {0};
    assert_int_equal(pthread_create(&thread, NULL, hash_there, out), 0);
    pthread_join(thread, NULL);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void) {
    if (!keys_prepare()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),     cmocka_unit_test(macs),  cmocka_unit_test(derives),       cmocka_unit_test(compares),
        cmocka_unit_test(randomness), cmocka_unit_test(rings), cmocka_unit_test(other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
