/* The certification request: what OpenSSL reads of it, and that no byte of it is free. */
#include "../../policy/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const char *const two[] = {"acme.localhost", "www.acme.example"};

struct made {
    EVP_PKEY *key;
    uint8_t point[CSR_POINT];
    uint8_t der[CSR_MAX];
    size_t size;
};

/* A request as the worker makes it: our info, OpenSSL's signature. */
static void make(struct made *m, const char *const host[], size_t count) {
    m->key = EVP_EC_gen("P-256");
    assert_non_null(m->key);
    size_t got = 0;
    assert_int_equal(EVP_PKEY_get_octet_string_param(m->key, "encoded-pub-key", m->point, sizeof m->point, &got), 1);
    assert_int_equal(got, CSR_POINT);
    uint8_t info[CSR_MAX], signature[CSR_SIGNATURE_MAX];
    size_t info_size = csr_info_encode(host, count, m->point, info), signature_size = sizeof signature;
    assert_true(info_size > 0);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, m->key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &signature_size, info, info_size), 1);
    EVP_MD_CTX_free(ctx);
    m->size = csr_encode(host, count, m->point, signature, signature_size, m->der);
    assert_true(m->size > info_size);
}

static void openssl_reads_it(void **state) {
    (void)state;
    struct made m;
    make(&m, two, 2);
    const uint8_t *p = m.der;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)m.size);
    assert_non_null(request);
    assert_ptr_equal(p, m.der + m.size);
    assert_int_equal(X509_REQ_verify(request, m.key), 1);
    assert_int_equal(X509_REQ_get_version(request), 0);
    char cn[100];
    X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request), NID_commonName, cn, sizeof cn);
    assert_string_equal(cn, two[0]);

    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 2);
    for (int i = 0; i < 2; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        assert_int_equal(name->type, GEN_DNS);
        assert_int_equal(ASN1_STRING_length(name->d.dNSName), strlen(two[i]));
        assert_memory_equal(ASN1_STRING_get0_data(name->d.dNSName), two[i], strlen(two[i]));
    }
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    EVP_PKEY_free(m.key);
}

static void the_check_takes_its_own(void **state) {
    (void)state;
    char label[8][HOST_MAX + 1];
    const char *many[8];
    for (int i = 0; i < 8; i++) { /* 8 hosts of 253 bytes: 62 + 62 + 62 + 61 letters and dots */
        memset(label[i], 'a' + i, HOST_MAX);
        label[i][62] = label[i][125] = label[i][188] = '.';
        label[i][HOST_MAX - 1] = 'z';
        label[i][HOST_MAX] = 0;
        label[i][HOST_MAX - 2] = '.';
        many[i] = label[i];
    }
    for (size_t count = 1; count <= 8; count++) {
        struct made m;
        uint8_t out[CSR_MAX];
        make(&m, many, count);
        assert_int_equal(csr_check(many, count, m.der, m.size, out), m.size);
        assert_memory_equal(out, m.der, m.size);
        EVP_PKEY_free(m.key);
    }
    for (int i = 0; i < 200; i++) { /* signatures of 70, 71 and 72 bytes */
        struct made m;
        uint8_t out[CSR_MAX];
        make(&m, two, (size_t)(i & 1) + 1);
        assert_int_equal(csr_check(two, (size_t)(i & 1) + 1, m.der, m.size, out), m.size);
        EVP_PKEY_free(m.key);
    }
}

/* Every bit flipped: what is still taken differs in the point or in the signature's integers only. */
static void no_other_byte_is_free(void **state) {
    (void)state;
    struct made m;
    make(&m, two, 2);
    size_t point = (size_t)((uint8_t *)memmem(m.der, m.size, m.point, CSR_POINT) - m.der), signature = m.size - 72;
    size_t taken = 0;
    for (size_t bit = 0; bit < m.size * 8; bit++) {
        uint8_t out[CSR_MAX], bent[CSR_MAX];
        memcpy(bent, m.der, m.size);
        bent[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!csr_check(two, 2, bent, m.size, out)) continue;
        taken++;
        assert_memory_equal(out, bent, m.size);
        size_t at = bit / 8;
        assert_true((at > point && at < point + CSR_POINT) || at >= signature);
    }
    assert_true(taken > 900); /* 512 bits of the point, about 500 of the signature */
    EVP_PKEY_free(m.key);
}

static void refuses(void **state) {
    (void)state;
    struct made m;
    make(&m, two, 2);
    uint8_t out[CSR_MAX], longer[CSR_MAX + 1];
    const char *const swapped[] = {"www.acme.example", "acme.localhost"};
    const char *const foreign[] = {"acme.localhost", "www.bois.example"};
    assert_int_equal(csr_check(two, 1, m.der, m.size, out), 0);
    assert_int_equal(csr_check(swapped, 2, m.der, m.size, out), 0);
    assert_int_equal(csr_check(foreign, 2, m.der, m.size, out), 0);
    for (size_t size = 0; size < m.size; size++)
        assert_int_equal(csr_check(two, 2, m.der, size, out), 0);
    memcpy(longer, m.der, m.size);
    longer[m.size] = 0;
    assert_int_equal(csr_check(two, 2, longer, m.size + 1, out), 0);
    assert_int_equal(csr_check(two, 2, longer, sizeof longer, out), 0);
    assert_int_equal(csr_check(two, 0, m.der, m.size, out), 0);
    assert_int_equal(csr_check(two, 9, m.der, m.size, out), 0);

    const char *const bad[] = {"Acme.localhost"};
    assert_int_equal(csr_info_encode(bad, 1, m.point, out), 0);
    m.point[0] = 2;
    assert_int_equal(csr_info_encode(two, 2, m.point, out), 0);
    EVP_PKEY_free(m.key);
}

/* A first host longer than a CN may be leaves the subject empty. */
static void long_first_host(void **state) {
    (void)state;
    const char *const host[] = {"a-rather-long-name-of-a-branch-office.of-a-rather-long-company-name.example"};
    struct made m;
    make(&m, host, 1);
    const uint8_t *p = m.der;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)m.size);
    assert_non_null(request);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 0);
    X509_REQ_free(request);
    EVP_PKEY_free(m.key);
}

static void signatures(void **state) {
    (void)state;
    static const struct {
        const char *why;
        bool fits;
        size_t size;
        uint8_t bytes[16];
    } row[] = {
        {"smallest", true, 8, {0x30, 6, 2, 1, 1, 2, 1, 1}},
        {"high bit, padded", true, 9, {0x30, 7, 2, 2, 0, 0x80, 2, 1, 1}},
        {"negative", false, 8, {0x30, 6, 2, 1, 0x80, 2, 1, 1}},
        {"zero", false, 8, {0x30, 6, 2, 1, 0, 2, 1, 1}},
        {"padded twice", false, 9, {0x30, 7, 2, 2, 0, 1, 2, 1, 1}},
        {"empty integer", false, 8, {0x30, 6, 2, 0, 2, 2, 1, 1}},
        {"something behind", false, 9, {0x30, 7, 2, 1, 1, 2, 1, 1, 0}},
        {"behind the sequence", false, 9, {0x30, 6, 2, 1, 1, 2, 1, 1, 0}},
        {"long form of the length", false, 9, {0x30, 0x81, 6, 2, 1, 1, 2, 1, 1}},
        {"one integer", false, 8, {0x30, 6, 2, 4, 1, 1, 1, 1}},
        {"another tag", false, 8, {0x30, 6, 2, 1, 1, 4, 1, 1}},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (csr_signature_fits(row[i].bytes, row[i].size) != row[i].fits) fail_msg("%s", row[i].why);
    }
    /* r = the order itself is one too much; the order less one is fine. */
    uint8_t edge[] = {0x30, 38,   2,    33,   0,    0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff,
                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e,
                      0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51, 2,    1,    1};
    assert_false(csr_signature_fits(edge, sizeof edge));
    edge[36] = 0x50;
    assert_true(csr_signature_fits(edge, sizeof edge));
}

static void pem(void **state) {
    (void)state;
    struct made m;
    make(&m, two, 2);
    char ours[CSR_PEM_MAX];
    size_t size = csr_pem(m.der, m.size, ours);
    assert_int_equal(size, strlen(ours));
    const uint8_t *p = m.der;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)m.size);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509_REQ(bio, request), 1);
    char *theirs;
    long theirs_size = BIO_get_mem_data(bio, &theirs);
    assert_int_equal(theirs_size, size);
    assert_memory_equal(ours, theirs, size);
    BIO_free(bio);
    X509_REQ_free(request);
    EVP_PKEY_free(m.key);

    uint8_t der[CSR_MAX];
    memset(der, 0x5a, sizeof der);
    for (size_t n = 1; n <= sizeof der; n += n < 200 ? 1 : 97)
        assert_true(csr_pem(der, n, ours) < CSR_PEM_MAX);
    assert_true(csr_pem(der, sizeof der, ours) < CSR_PEM_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_reads_it),
        cmocka_unit_test(the_check_takes_its_own),
        cmocka_unit_test(no_other_byte_is_free),
        cmocka_unit_test(refuses),
        cmocka_unit_test(long_first_host),
        cmocka_unit_test(signatures),
        cmocka_unit_test(pem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
