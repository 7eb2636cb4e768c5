/* Messages to the support duty: sealed so that its key alone opens them, answers opened only whole and under the message's own key. */
#include "../../worker/keys/algorithms.h"
#include "../../worker/keys/support_seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 16384 };
static const char text[] = "Bonjour, la page ne s'affiche plus.";

struct person {
    EVP_PKEY *key;
    char pem[4096];
    size_t size;
};

/* begin, end: seconds from now. */
static void make(struct person *p, EVP_PKEY *key, long begin, long end) {
    X509 *x = X509_new();
    p->key = key;
    X509_gmtime_adj(X509_getm_notBefore(x), begin);
    X509_gmtime_adj(X509_getm_notAfter(x), end);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"support", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0);
    BIO *out = BIO_new(BIO_s_mem());
    char *bytes;
    PEM_write_bio_X509(out, x);
    p->size = (size_t)BIO_get_mem_data(out, &bytes);
    assert_true(p->size < sizeof p->pem);
    memcpy(p->pem, bytes, p->size);
    BIO_free(out);
    X509_free(x);
}

/* As the command does it. -1: it does not open. */
static long opened_by(EVP_PKEY *key, const uint8_t *sealed, size_t size, char *out) {
    BIO *der = BIO_new_mem_buf(sealed, (int)size), *plain = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = d2i_CMS_bio(der, NULL);
    char *bytes;
    long got = -1;
    if (cms && CMS_decrypt(cms, key, NULL, NULL, plain, CMS_BINARY) == 1) {
        got = BIO_get_mem_data(plain, &bytes);
        memcpy(out, bytes, (size_t)got);
    }
    CMS_ContentInfo_free(cms);
    BIO_free(der);
    BIO_free(plain);
    return got;
}

static void the_support_key_alone_opens_it(void **state) {
    (void)state; /* S7 */
    static uint8_t sealed[ROOM], again[ROOM];
    static char plain[ROOM];
    struct person support, other;
    make(&support, EVP_EC_gen("P-256"), -60, 3600);
    make(&other, EVP_EC_gen("P-256"), -60, 3600);
    struct support_key *key = support_key_read(support.pem, support.size);
    assert_non_null(key);
    size_t size = support_seal(key, text, sizeof text, sealed, sizeof sealed);
    assert_true(size > sizeof text);
    assert_null(memmem(sealed, size, "page", 4));
    assert_int_equal(opened_by(support.key, sealed, size, plain), sizeof text);
    assert_memory_equal(plain, text, sizeof text);
    assert_int_equal(opened_by(other.key, sealed, size, plain), -1);
    size_t twice = support_seal(key, text, sizeof text, again, sizeof again);
    assert_false(twice == size && memcmp(again, sealed, size) == 0); /* another key each time */
    assert_int_equal(support_seal(key, text, sizeof text, again, sizeof text), 0);
    assert_non_null(memmem(sealed, size, "\x2b\x81\x04\x01\x0b\x01", 6)); /* dhSinglePass-stdDH-sha256kdf, not SHA-1 */
    support_key_free(key);
    EVP_PKEY_free(support.key);
    EVP_PKEY_free(other.key);
}

static void a_certificate_is_of_a_curve_and_in_its_time(void **state) {
    (void)state;
    uint8_t sealed[4096];
    struct person p;
    EVP_PKEY *ec = EVP_EC_gen("P-384"), *small = EVP_EC_gen("P-192"), *rsa = EVP_RSA_gen(2048),
             *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *const wrong[] = {small, rsa, ed};
    for (size_t i = 0; i < 3; i++) {
        make(&p, wrong[i], -60, 3600);
        assert_null(support_key_read(p.pem, p.size));
    }
    static const long times[][2] = {{-3600, -60}, {60, 3600}};
    for (size_t i = 0; i < 2; i++) {
        make(&p, ec, times[i][0], times[i][1]);
        struct support_key *key = support_key_read(p.pem, p.size);
        assert_non_null(key);
        assert_int_equal(support_seal(key, text, sizeof text, sealed, sizeof sealed), 0);
        support_key_free(key);
    }
    make(&p, ec, -60, 3600);
    for (size_t less = 0; less < p.size - 1; less += 7)
        assert_null(support_key_read(p.pem, less));
    for (size_t i = 0; i < 3; i++)
        EVP_PKEY_free(wrong[i]);
    EVP_PKEY_free(ec);
}

/* As the command answers. */
static size_t answer(const uint8_t key[KEY_BYTES], const EVP_CIPHER *cipher, uint8_t *out) {
    static uint8_t id[] = "reply";
    BIO *in = BIO_new_mem_buf(text, sizeof text), *der = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_BINARY | CMS_PARTIAL);
    uint8_t *own = OPENSSL_memdup(key, KEY_BYTES), *own_id = OPENSSL_memdup(id, sizeof id - 1);
    assert_non_null(CMS_add0_recipient_key(cms, NID_undef, own, KEY_BYTES, own_id, sizeof id - 1, NULL, NULL, NULL));
    assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
    assert_int_equal(i2d_CMS_bio(der, cms), 1);
    char *bytes;
    long size = BIO_get_mem_data(der, &bytes);
    memcpy(out, bytes, (size_t)size);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(der);
    return (size_t)size;
}

static void an_answer_opens_whole_or_not_at_all(void **state) {
    (void)state;
    static uint8_t sealed[ROOM];
    char plain[256];
    uint8_t key[KEY_BYTES] = {1}, other[KEY_BYTES] = {2};
    size_t size = answer(key, EVP_aes_256_gcm(), sealed);
    assert_int_equal(support_open(key, sealed, size, plain, sizeof plain), sizeof text);
    assert_memory_equal(plain, text, sizeof text);
    assert_int_equal(support_open(other, sealed, size, plain, sizeof plain), -1);
    assert_int_equal(support_open(key, sealed, size, plain, sizeof text - 1), -1);
    for (size_t less = 0; less < size; less++)
        assert_int_equal(support_open(key, sealed, less, plain, sizeof plain), -1);
    for (size_t at = 0; at < size; at++) {
        sealed[at] ^= 1;
        /* Some bits have no meaning, as the version's or the name of the key; then it says what it said. */
        long got = support_open(key, sealed, size, plain, sizeof plain);
        assert_true(got == -1 || (got == sizeof text && memcmp(plain, text, sizeof text) == 0));
        sealed[at] ^= 1;
    }
    size = answer(key, EVP_aes_256_cbc(), sealed); /* nobody vouches for its bytes */
    assert_int_equal(support_open(key, sealed, size, plain, sizeof plain), -1);
}

int main(void) {
    EVP_add_cipher(EVP_aes_256_cbc()); /* for the answer that must not be taken */
    algorithms_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_support_key_alone_opens_it),
        cmocka_unit_test(a_certificate_is_of_a_curve_and_in_its_time),
        cmocka_unit_test(an_answer_opens_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
