#include "../../supervisor/router/client_hello.h"
#include "hello_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/ssl.h>

static struct maker extensions, message, records;
static char host[HOST_MAX + 1];
static size_t need;

static enum hello_result read_records(void) { return client_hello_read(records.bytes, records.size, host, &need); }

/* With whatever `extensions` holds. */
static enum hello_result read_extensions(void) {
    make_message(&message, &extensions);
    make_records(&records, &message, 16384);
    return read_records();
}

static void test_named(void **state) {
    (void)state;
    make_hello(&records, "acme.example", 0, 16384);
    assert_int_equal(read_records(), HELLO_NAMED);
    assert_string_equal(host, "acme.example");
}

static void test_upper_case(void **state) {
    (void)state;
    make_hello(&records, "AcMe.EXAMPLE", 0, 16384);
    assert_int_equal(read_records(), HELLO_NAMED);
    assert_string_equal(host, "acme.example");
}

/* Every prefix waits, and says for how many bytes; waiting for exactly these always comes to the end. */
static void test_byte_by_byte(void **state) {
    (void)state;
    static const size_t pieces[] = {1, 2, 3, 7, 100, 16384};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        make_hello(&records, "acme.example", 300, pieces[i]);
        for (size_t size = 0; size < records.size; size++) {
            assert_int_equal(client_hello_read(records.bytes, size, host, &need), HELLO_MORE);
            assert_in_range(need, size + 1, records.size);
        }
        assert_int_equal(read_records(), HELLO_NAMED);
        assert_string_equal(host, "acme.example");
    }
}

static void test_sixteen_kibibytes(void **state) {
    (void)state;
    make_hello(&records, "acme.example", 1000, 16384);
    size_t padding = 1000 + CLIENT_HELLO_MAX - records.size;
    make_hello(&records, "acme.example", padding, 16384);
    assert_int_equal(records.size, CLIENT_HELLO_MAX);
    assert_int_equal(read_records(), HELLO_NAMED);
    make_hello(&records, "acme.example", padding + 1, 16384);
    assert_int_equal(client_hello_read(records.bytes, 5, host, &need), HELLO_REFUSED);
    make_hello(&records, "acme.example", padding, 100); /* the record headers alone make it too long */
    assert_int_equal(client_hello_read(records.bytes, CLIENT_HELLO_MAX, host, &need), HELLO_REFUSED);
}

static void test_without_name(void **state) {
    (void)state;
    extensions.size = 0;
    put_extension(&extensions, 0x2a2a, 3);
    assert_int_equal(read_extensions(), HELLO_NAMELESS);
    extensions.size = 0;
    assert_int_equal(read_extensions(), HELLO_NAMELESS);
    message.size -= 2; /* no extensions at all, as TLS 1.2 has it */
    message.bytes[3] -= 2;
    make_records(&records, &message, 16384);
    assert_int_equal(read_records(), HELLO_NAMELESS);
}

static void test_two_names(void **state) {
    (void)state;
    extensions.size = 0;
    put_names(&extensions, (const char *const[]){"acme.example", "bois.example", NULL}, 0);
    assert_int_equal(read_extensions(), HELLO_REFUSED);
    extensions.size = 0;
    put_name(&extensions, "acme.example");
    put_name(&extensions, "acme.example");
    assert_int_equal(read_extensions(), HELLO_REFUSED);
    extensions.size = 0;
    put_names(&extensions, (const char *const[]){NULL}, 0);
    assert_int_equal(read_extensions(), HELLO_REFUSED);
}

static void test_bad_names(void **state) {
    (void)state;
    static const char *const bad[] = {"", "acme example", "acme/example", "acm\xc3\xa9.example", "*.example", "acme\n.example"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        extensions.size = 0;
        put_name(&extensions, bad[i]);
        assert_int_equal(read_extensions(), HELLO_REFUSED);
    }
    extensions.size = 0;
    put_names(&extensions, (const char *const[]){"acme.example", NULL}, 1);
    assert_int_equal(read_extensions(), HELLO_REFUSED);
    char longest[HOST_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[HOST_MAX + 1] = '\0';
    extensions.size = 0;
    put_name(&extensions, longest);
    assert_int_equal(read_extensions(), HELLO_REFUSED);
    extensions.size = 0;
    put_name(&extensions, longest + 1);
    assert_int_equal(read_extensions(), HELLO_NAMED);
    assert_string_equal(host, longest + 1);
    extensions.size = 0;
    put_name(&extensions, "acme.example");
    ((uint8_t *)memchr(extensions.bytes + 9, 'm', extensions.size - 9))[0] = '\0'; /* acme with a NUL inside */
    assert_int_equal(read_extensions(), HELLO_REFUSED);
}

/* What follows the last record is not looked at; what follows the ClientHello inside its record is refused. */
static void test_trailing(void **state) {
    (void)state;
    make_hello(&records, "acme.example", 0, 16384);
    put(&records, "\x14\x03\x03\x00\x01\x01junk", 10);
    assert_int_equal(read_records(), HELLO_NAMED);
    extensions.size = 0;
    put_name(&extensions, "acme.example");
    make_message(&message, &extensions);
    put(&message, "j", 1);
    make_records(&records, &message, 16384);
    assert_int_equal(read_records(), HELLO_REFUSED);
}

/* One off in each length of the message. */
static void test_lengths(void **state) {
    (void)state;
    extensions.size = 0;
    put_name(&extensions, "acme.example");
    static const size_t at[] = {3, 38, 72, 77, 80, 84, 86, 89};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        for (int by = -1; by <= 1; by += 2) {
            make_message(&message, &extensions);
            message.bytes[at[i]] = (uint8_t)(message.bytes[at[i]] + by);
            make_records(&records, &message, 16384);
            enum hello_result result = read_records();
            if (at[i] == 3 && by > 0)
                assert_int_equal(result, HELLO_MORE);
            else
                assert_int_equal(result, HELLO_REFUSED);
        }
    }
}

static void test_not_tls(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"GET / HTTP/1.1\r\n", 16},
        {"\x80\x2e\x01\x03\x01\x00\x15", 7},
        {"\x17\x03\x03\x00\x01\x00", 6},
        {"\x16\x02\x03\x00\x01\x01", 6},
        {"\x16\x03\x01\x00\x00", 5},
        {"\x16\x03\x01\x40\x01", 5},
        {"\x16\x03\x01\x00\x01\x02", 6},
        {"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n", 32},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(client_hello_read((const uint8_t *)bad[i].bytes, bad[i].size, host, &need), HELLO_REFUSED);
}

/* What a real library sends, TLS 1.2 alone and with 1.3, with ALPN and a ticket's worth of extensions. */
static void test_openssl(void **state) {
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        assert_non_null(context);
        SSL_CTX_set_max_proto_version(context, version);
        SSL *tls = SSL_new(context);
        BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
        SSL_set_bio(tls, in, out);
        SSL_set_tlsext_host_name(tls, "Bois.LocalHost");
        SSL_set_alpn_protos(tls, (const uint8_t *)"\x02h2\x08http/1.1", 12);
        assert_int_equal(SSL_connect(tls), -1);
        records.size = (size_t)BIO_read(out, records.bytes, sizeof records.bytes);
        for (size_t size = 0; size < records.size; size++)
            assert_int_equal(client_hello_read(records.bytes, size, host, &need), HELLO_MORE);
        assert_int_equal(read_records(), HELLO_NAMED);
        assert_string_equal(host, "bois.localhost");
        SSL_free(tls);
        SSL_CTX_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),        cmocka_unit_test(test_upper_case),
        cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_sixteen_kibibytes),
        cmocka_unit_test(test_without_name), cmocka_unit_test(test_two_names),
        cmocka_unit_test(test_bad_names),    cmocka_unit_test(test_trailing),
        cmocka_unit_test(test_lengths),      cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
