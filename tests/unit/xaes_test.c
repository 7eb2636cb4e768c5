/* XAES-256-GCM against the vectors of its specification (C2SP), the accumulated ones too, and every kind of damage. */
#include "../../worker/keys/xaes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

static void unhex(const char *hex, uint8_t *out) {
    for (size_t i = 0; hex[2 * i]; i++) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

static void published(void **state) {
    (void)state;
    static const struct {
        uint8_t key;
        const char *aad, *sealed;
    } vectors[] = {
        {0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
        {0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
    };
    static const char nonce[] = "ABCDEFGHIJKLMNOPQRSTUVWX", plain[] = "XAES-256-GCM";
    enum { SIZE = sizeof plain - 1 };
    for (size_t i = 0; i < 2; i++) {
        uint8_t key[KEY_BYTES], sealed[SIZE + XAES_OVERHEAD], expected[SIZE + XAES_TAG], opened[SIZE];
        memset(key, vectors[i].key, sizeof key);
        unhex(vectors[i].sealed, expected);
        struct xaes *x = xaes_new(key);
        assert_non_null(x);
        assert_true(xaes_seal_nonce(x, (const uint8_t *)nonce, vectors[i].aad, strlen(vectors[i].aad), plain, SIZE, sealed));
        assert_memory_equal(sealed, nonce, XAES_NONCE);
        assert_memory_equal(sealed + XAES_NONCE, expected, sizeof expected);
        assert_true(xaes_open(x, vectors[i].aad, strlen(vectors[i].aad), sealed, sizeof sealed, opened));
        assert_memory_equal(opened, plain, SIZE);
        xaes_free(x);
    }
}

/* Inputs are drawn from SHAKE128 of nothing; the hash of all sealed outputs, without their nonces, is published for 10,000 rounds. */
static void accumulated(void **state) {
    (void)state;
    enum { ROUNDS = 10000, LONGEST = 32 + 24 + 1 + 255 + 1 + 255 };
    uint8_t *drawn = malloc((size_t)ROUNDS * LONGEST), *p = drawn, hash[32], expected[32];
    uint8_t sealed[255 + XAES_OVERHEAD], opened[255];
    EVP_MD_CTX *in = EVP_MD_CTX_new(), *out = EVP_MD_CTX_new();
    assert_true(drawn && in && out && EVP_DigestInit_ex(in, EVP_shake128(), NULL) && EVP_DigestInit_ex(out, EVP_shake128(), NULL));
    assert_true(EVP_DigestFinalXOF(in, drawn, (size_t)ROUNDS * LONGEST));
    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t *key = p, *nonce = p + 32, *plain = p + 57;
        size_t size = p[56], aad_size = plain[size];
        const uint8_t *aad = plain + size + 1;
        p += 57 + size + 1 + aad_size;
        struct xaes *x = xaes_new(key);
        assert_true(x && xaes_seal_nonce(x, nonce, aad, aad_size, plain, size, sealed));
        assert_true(xaes_open(x, aad, aad_size, sealed, size + XAES_OVERHEAD, opened));
        assert_memory_equal(opened, plain, size);
        xaes_free(x);
        assert_true(EVP_DigestUpdate(out, sealed + XAES_NONCE, size + XAES_TAG));
    }
    unhex("e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939", expected);
    assert_true(EVP_DigestFinalXOF(out, hash, sizeof hash));
    assert_memory_equal(hash, expected, sizeof hash);
    EVP_MD_CTX_free(in);
    EVP_MD_CTX_free(out);
    free(drawn);
}

static void any_change_is_refused(void **state) {
    (void)state;
    static const char plain[] = "a record of somebody's", aad[] = "place";
    uint8_t key[KEY_BYTES], sealed[sizeof plain + XAES_OVERHEAD], opened[sizeof plain];
    static const uint8_t wiped[sizeof plain];
    random_bytes(key, sizeof key);
    struct xaes *x = xaes_new(key);
    assert_true(xaes_seal(x, aad, sizeof aad, plain, sizeof plain, sealed));
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(opened, 0xee, sizeof opened);
        assert_false(xaes_open(x, aad, sizeof aad, sealed, sizeof sealed, opened));
        assert_memory_equal(opened, wiped, sizeof opened);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_false(xaes_open(x, aad, sizeof aad - 1, sealed, sizeof sealed, opened));
    assert_false(xaes_open(x, "plaCe", sizeof aad, sealed, sizeof sealed, opened));
    assert_false(xaes_open(x, aad, sizeof aad, sealed, sizeof sealed - 1, opened));
    for (size_t size = 0; size < XAES_OVERHEAD; size++)
        assert_false(xaes_open(x, aad, sizeof aad, sealed, size, opened));
    assert_true(xaes_open(x, aad, sizeof aad, sealed, sizeof sealed, opened));
    assert_memory_equal(opened, plain, sizeof plain);
    xaes_free(x);
    key[0] ^= 1;
    x = xaes_new(key);
    assert_false(xaes_open(x, aad, sizeof aad, sealed, sizeof sealed, opened));
    xaes_free(x);
    xaes_free(NULL);
}

static void nonces_differ(void **state) {
    (void)state;
    static const uint8_t key[KEY_BYTES];
    uint8_t a[XAES_OVERHEAD], b[XAES_OVERHEAD];
    struct xaes *x = xaes_new(key);
    assert_true(xaes_seal(x, NULL, 0, NULL, 0, a) && xaes_seal(x, NULL, 0, NULL, 0, b));
    assert_memory_not_equal(a, b, XAES_NONCE);
    assert_true(xaes_open(x, NULL, 0, a, sizeof a, NULL));
    xaes_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),
        cmocka_unit_test(accumulated),
        cmocka_unit_test(any_change_is_refused),
        cmocka_unit_test(nonces_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
