/* DHKEM(X25519, HKDF-SHA256) against the published vectors of RFC 9180, appendix A.1.1 and A.2.1. */
#include "../../worker/keys/kem.h"

#include "../../policy/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct vector {
    const char *ephemeral, *sent, *private, *public, *shared;
} vectors[] = {
    {"52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736", "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
     "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8", "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
     "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"},
    {"f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600", "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
     "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb", "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
     "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7"},
};

static void assert_hex(const uint8_t *bytes, const char *expected) {
    char text[2 * 32 + 1] = "";
    hex_write(bytes, 32, text);
    assert_string_equal(text, expected);
}

static void bytes_of(const char *hex, uint8_t out[32]) {
    for (size_t i = 0; i < 32; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1]};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static void published(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        uint8_t ephemeral[32], private[32], public[32], sent[32], shared[32], again[32];
        bytes_of(v->ephemeral, ephemeral);
        bytes_of(v->private, private);
        assert_true(kem_public(private, public));
        assert_hex(public, v->public);
        assert_true(kem_encapsulate(public, ephemeral, sent, shared));
        assert_hex(sent, v->sent);
        assert_hex(shared, v->shared);
        assert_true(kem_decapsulate(private, public, sent, again));
        assert_hex(again, v->shared);
    }
}

/* Both public values are bound in, and a point of small order gives nothing. */
static void refuses(void **state) {
    (void)state;
    const struct vector *v = &vectors[0];
    uint8_t ephemeral[32], private[32], public[32], sent[32], shared[32], zero[32] = {0}, out[32], one[32] = {1};
    bytes_of(v->ephemeral, ephemeral);
    bytes_of(v->private, private);
    assert_true(kem_public(private, public));
    assert_true(kem_encapsulate(public, ephemeral, sent, shared));
    public[0] ^= 1;
    assert_true(kem_decapsulate(private, public, sent, out));
    assert_memory_not_equal(out, shared, sizeof out);
    memset(out, 7, sizeof out);
    assert_false(kem_decapsulate(private, public, zero, out));
    assert_memory_equal(out, zero, sizeof out);
    assert_false(kem_decapsulate(private, public, one, out));
    memset(sent, 7, sizeof sent);
    assert_false(kem_encapsulate(zero, ephemeral, sent, shared));
    assert_memory_equal(sent, zero, sizeof sent);
    assert_memory_equal(shared, zero, sizeof shared);
}

int main(void) {
    if (!keys_prepare()) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(published), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
