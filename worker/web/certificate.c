#include "certificate.h"

#include "../../policy/limits.h"
#include "../keys/keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

_Static_assert(sizeof((struct hosts *)0)->name / sizeof(char *) == TENANT_HOSTS_MAX, "as many hosts as a tenant may have");

enum { SCALAR = 32, POINT = 65, CHAIN_LENGTH_MAX = 10, SELF_SIGNED_DAYS = 397, COMMON_NAME_MAX = 64, DAY = 86400 };

EVP_PKEY *certificate_key(void) { return EVP_EC_gen("P-256"); }

/* RFC 5915 of a P-256 key: version, the private key, the curve's name, the public key. Every one has this form and length. */
static const uint8_t key_head[] = {0x30, 0x77, 2, 1, 1, 4, 32},
                     key_middle[] = {0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 0xa1, 0x44, 3, 0x42, 0};
enum { KEY_DER = sizeof key_head + SCALAR + sizeof key_middle + POINT };

EVP_PKEY *certificate_key_read(const uint8_t *der, size_t size) {
    const uint8_t *scalar = der + sizeof key_head, *middle = scalar + SCALAR, *point = middle + sizeof key_middle;
    if (size != KEY_DER || memcmp(der, key_head, sizeof key_head) != 0 || memcmp(middle, key_middle, sizeof key_middle) != 0) return NULL;
    char group[] = "P-256";
    uint8_t native[SCALAR], public[POINT];
    memcpy(public, point, POINT);
    for (size_t i = 0; i < SCALAR; i++)
        native[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? SCALAR - 1 - i : i] = scalar[i];
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                               OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, SCALAR),
                               OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, POINT), OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1) key = NULL;
    EVP_PKEY_CTX_free(context);
    secret_wipe(native, sizeof native);
    return key;
}

bool certificate_point(const EVP_PKEY *key, uint8_t point[POINT]) {
    size_t size = 0;
    return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, POINT, &size) == 1 && size == POINT && point[0] == 4;
}

static bool add_extension(X509 *x, int nid, void *value, bool critical) {
    return X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_REPLACE) == 1;
}

static bool add_hosts(X509 *x, const struct hosts *hosts) {
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool good = names != NULL;
    for (size_t i = 0; good && i < hosts->count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        good = name && text && ASN1_STRING_set(text, hosts->name[i], -1) == 1;
        if (good) {
            GENERAL_NAME_set0_value(name, GEN_DNS, text);
            text = NULL;
            good = sk_GENERAL_NAME_push(names, name) > 0;
        }
        if (!good) GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(text);
    }
    good = good && add_extension(x, NID_subject_alt_name, names, false);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return good;
}

/* Not a CA, for signatures in a TLS server's handshake. */
static bool add_usage(X509 *x) {
    BASIC_CONSTRAINTS *basic = BASIC_CONSTRAINTS_new();
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    EXTENDED_KEY_USAGE *extended = sk_ASN1_OBJECT_new_null();
    bool good = basic && usage && extended && add_extension(x, NID_basic_constraints, basic, true) &&
                ASN1_BIT_STRING_set_bit(usage, 0, 1) == 1 && add_extension(x, NID_key_usage, usage, true) &&
                sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_server_auth)) > 0 && add_extension(x, NID_ext_key_usage, extended, false);
    BASIC_CONSTRAINTS_free(basic);
    ASN1_BIT_STRING_free(usage);
    sk_ASN1_OBJECT_free(extended);
    return good;
}

static bool set_serial(X509 *x) {
    uint8_t random[16];
    random_bytes(random, sizeof random);
    random[0] = (random[0] & 0x3f) | 0x40; /* positive, never zero, RFC 5280's 20 octets at most */
    BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
    bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    return good;
}

/* X509_set_pubkey() would take the key through OpenSSL's tables of encoders and back: longer than all else here. */
static bool set_point(X509 *x, const EVP_PKEY *key) {
    uint8_t *point = OPENSSL_malloc(POINT);
    if (point && certificate_point(key, point) &&
        X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x), OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                               OBJ_nid2obj(NID_X9_62_prime256v1), point, POINT) == 1)
        return true;
    OPENSSL_free(point);
    return false;
}

/* As a client reads it: only then is its public key a key to OpenSSL. */
static X509 *read_again(X509 *x) {
    unsigned char *der = NULL;
    int size = i2d_X509(x, &der);
    const unsigned char *p = der;
    X509 *again = size > 0 ? d2i_X509(NULL, &p, size) : NULL;
    OPENSSL_free(der);
    X509_free(x);
    return again;
}

X509 *certificate_self_signed(EVP_PKEY *key, const struct hosts *hosts) {
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    const char *common = hosts->count && strlen(hosts->name[0]) <= COMMON_NAME_MAX ? hosts->name[0] : "cloison";
    bool good = x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && X509_gmtime_adj(X509_getm_notBefore(x), -DAY) &&
                X509_gmtime_adj(X509_getm_notAfter(x), (long)SELF_SIGNED_DAYS * DAY) &&
                X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) &&
                X509_set_issuer_name(x, name) && set_point(x, key) && add_hosts(x, hosts) && add_usage(x) &&
                X509_sign(x, key, EVP_sha256()) > 0;
    if (good) return read_again(x);
    X509_free(x);
    return NULL;
}

/* Everything but BEGIN CERTIFICATE blocks is refused: no private key, no comment that another reader would see. */
static bool only_certificates(const char *pem, size_t size) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const char *p = pem, *stop = pem + size;
    while (p < stop) {
        if (*p == '\n' || *p == '\r' || *p == ' ' || *p == '\t') {
            p++;
            continue;
        }
        if ((size_t)(stop - p) < sizeof begin - 1 || memcmp(p, begin, sizeof begin - 1) != 0) return false;
        p += sizeof begin - 1;
        p = memmem(p, (size_t)(stop - p), end, sizeof end - 1);
        if (!p) return false;
        p += sizeof end - 1;
    }
    return true;
}

static int no_password(char *buffer, int size, int writing, void *unused) {
    (void)buffer, (void)size, (void)writing, (void)unused;
    return -1;
}

bool certificate_chain_read(const char *pem, size_t size, X509 **leaf, STACK_OF(X509) * *rest) {
    *leaf = NULL;
    *rest = NULL;
    if (size == 0 || size > CHAIN_MAX || !only_certificates(pem, size)) return false;
    BIO *in = BIO_new_mem_buf(pem, (int)size);
    *rest = sk_X509_new_null();
    bool good = in && *rest;
    for (int i = 0; good; i++) {
        X509 *x = PEM_read_bio_X509(in, NULL, no_password, NULL);
        if (!x) {
            good = i > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            break;
        }
        if (i == 0)
            *leaf = x;
        else if (i == CHAIN_LENGTH_MAX || sk_X509_push(*rest, x) <= 0) {
            X509_free(x);
            good = false;
        }
    }
    ERR_clear_error();
    BIO_free(in);
    if (good) return true;
    X509_free(*leaf);
    sk_X509_pop_free(*rest, X509_free);
    *leaf = NULL;
    *rest = NULL;
    return false;
}

bool certificate_covers(X509 *leaf, const struct hosts *hosts) {
    for (size_t i = 0; i < hosts->count; i++)
        if (X509_check_host(leaf, hosts->name[i], 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1) return false;
    return hosts->count > 0;
}

bool certificate_valid_now(const X509 *leaf) {
    return X509_cmp_current_time(X509_get0_notBefore(leaf)) < 0 && X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0;
}

uint64_t certificate_expires(const X509 *leaf) {
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) != 1) return 0;
    time_t t = timegm(&end);
    return t > 0 ? (uint64_t)t : 0;
}
