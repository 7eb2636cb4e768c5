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

/* SHAKE128 of nothing (FIPS 202), byte for byte: OpenSSL 3.0 squeezes only once, and a million rounds draw 313 MB. */
struct shake {
    uint64_t lane[25];
    size_t at;
};

static uint64_t turned(uint64_t lane, unsigned bits) { return bits ? lane << bits | lane >> (64 - bits) : lane; }

static void permute(uint64_t a[25]) {
    static const uint64_t constant[24] = {
        0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
        0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
        0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
        0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
    for (int round = 0; round < 24; round++) {
        uint64_t column[5], row[5];
        for (int x = 0; x < 5; x++)
            column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (int i = 0; i < 25; i++)
            a[i] ^= column[(i + 4) % 5] ^ turned(column[(i + 1) % 5], 1);
        uint64_t moved = a[1];
        for (unsigned t = 0, x = 1, y = 0; t < 24; t++) {
            unsigned next = (2 * x + 3 * y) % 5;
            x = y, y = next;
            uint64_t here = a[x + 5 * y];
            a[x + 5 * y] = turned(moved, (t + 1) * (t + 2) / 2 % 64);
            moved = here;
        }
        for (int y = 0; y < 25; y += 5) {
            memcpy(row, a + y, sizeof row);
            for (int x = 0; x < 5; x++)
                a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
        }
        a[0] ^= constant[round];
    }
}

static void draw(struct shake *s, uint8_t *out, size_t size) {
    enum { RATE = 168 };
    for (size_t i = 0; i < size; i++, s->at++) {
        if (s->at % RATE == 0) permute(s->lane);
        out[i] = (uint8_t)(s->lane[s->at % RATE / 8] >> s->at % 8 * 8);
    }
}

static size_t draw_short(struct shake *s, uint8_t *out) {
    uint8_t size;
    draw(s, &size, 1);
    draw(s, out, size);
    return size;
}

/* Inputs are drawn from SHAKE128 of nothing; the hash of all sealed outputs, without their nonces, is published. */
static void accumulate(unsigned rounds, const char *published_hash) {
    struct shake in = {.lane = {0x1f, [20] = 0x8000000000000000}};
    uint8_t hash[32], expected[32], key[32], nonce[24], plain[255], aad[255], sealed[255 + XAES_OVERHEAD], opened[255];
    EVP_MD_CTX *out = EVP_MD_CTX_new();
    assert_true(out && EVP_DigestInit_ex(out, EVP_shake128(), NULL));
    for (unsigned i = 0; i < rounds; i++) {
        draw(&in, key, sizeof key);
        draw(&in, nonce, sizeof nonce);
        size_t size = draw_short(&in, plain), aad_size = draw_short(&in, aad);
        struct xaes *x = xaes_new(key);
        assert_true(x && xaes_seal_nonce(x, nonce, aad, aad_size, plain, size, sealed));
        assert_true(xaes_open(x, aad, aad_size, sealed, size + XAES_OVERHEAD, opened));
        assert_memory_equal(opened, plain, size);
        xaes_free(x);
        assert_true(EVP_DigestUpdate(out, sealed + XAES_NONCE, size + XAES_TAG));
    }
    unhex(published_hash, expected);
    assert_true(EVP_DigestFinalXOF(out, hash, sizeof hash));
    assert_memory_equal(hash, expected, sizeof hash);
    EVP_MD_CTX_free(out);
}

static void accumulated(void **state) {
    (void)state;
    accumulate(10000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
#ifndef CLOISON_SANITIZED /* it takes seconds */
    accumulate(1000000, "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15");
#endif
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
