#include "certificate.h"

#include "../../policy/limits.h"
#include "../keys/keys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

_Static_assert(sizeof((struct hosts *)0)->name / sizeof(char *) == TENANT_HOSTS_MAX, "as many hosts as a tenant may have");

enum { CHAIN_LENGTH_MAX = 10, SELF_SIGNED_DAYS = 397, COMMON_NAME_MAX = 64, DAY = 86400 };

EVP_PKEY *certificate_key(void) { return EVP_EC_gen("P-256"); }

bool certificate_point(const EVP_PKEY *key, uint8_t point[65]) {
    size_t size = 0;
    return EVP_PKEY_get_octet_string_param(key, "pub", point, 65, &size) == 1 && size == 65 && point[0] == 4;
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

X509 *certificate_self_signed(EVP_PKEY *key, const struct hosts *hosts) {
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    const char *common = hosts->count && strlen(hosts->name[0]) <= COMMON_NAME_MAX ? hosts->name[0] : "cloison";
    bool good = x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && X509_gmtime_adj(X509_getm_notBefore(x), -DAY) &&
                X509_gmtime_adj(X509_getm_notAfter(x), (long)SELF_SIGNED_DAYS * DAY) &&
                X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) &&
                X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) && add_hosts(x, hosts) && add_usage(x) &&
                X509_sign(x, key, EVP_sha256()) > 0;
    if (good) return x;
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
