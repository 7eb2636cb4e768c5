#include "identity.h"

#include "../../policy/csr.h"
#include "../rotation/twofile.h"
#include "../tenant.h"
#include "certificate.h"
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_DER_MAX = 256 };

/* What the file holds. */
struct record {
    uint32_t key_size;
    uint32_t chain_size;      /* 0: none installed */
    uint8_t key[KEY_DER_MAX]; /* RFC 5915 DER */
    char chain[];             /* PEM */
};

static struct twofile file = {.fd = -1};
static struct record *found; /* from identity_open() to identity_begin() */
static size_t found_size;    /* 0: the file was empty */
static EVP_PKEY *key;
static X509 *leaf;
static STACK_OF(X509) * rest; /* of the chain; NULL: self-signed */
static bool installed;

static struct hosts own_hosts(void) {
    struct hosts hosts = {.count = self.profile.host_count};
    for (size_t i = 0; i < hosts.count; i++)
        hosts.name[i] = self.profile.host[i];
    return hosts;
}

static void replace(X509 *new_leaf, STACK_OF(X509) * new_rest, bool from_ca) {
    X509_free(leaf);
    sk_X509_pop_free(rest, X509_free);
    leaf = new_leaf;
    rest = new_rest;
    installed = from_ca;
    gauge(COUNTER_cert_expires, from_ca ? certificate_expires(leaf) : 0);
}

static bool sign_self(void) {
    struct hosts hosts = own_hosts();
    X509 *x = certificate_self_signed(key, &hosts);
    if (x) replace(x, NULL, false);
    return x != NULL;
}

static int save(const char *chain, size_t size) {
    struct record *r = calloc(1, sizeof *r + size);
    unsigned char *p = r ? r->key : NULL;
    int key_size = r ? i2d_PrivateKey(key, NULL) : -1, result = -1;
    errno = ENOMEM;
    if (key_size > 0 && key_size <= KEY_DER_MAX && i2d_PrivateKey(key, &p) == key_size) {
        r->key_size = (uint32_t)key_size;
        r->chain_size = (uint32_t)size;
        if (size) memcpy(r->chain, chain, size);
        result = twofile_write(&file, r, sizeof *r + size);
    }
    int error = errno;
    if (r) secret_wipe(r, sizeof *r);
    free(r);
    errno = error;
    return result;
}

static bool load(const struct record *r, size_t size) {
    if (size < sizeof *r || r->key_size > KEY_DER_MAX || r->chain_size != size - sizeof *r) return false;
    key = certificate_key_read(r->key, r->key_size);
    if (!key) return false;
    if (r->chain_size == 0) return sign_self();
    X509 *x;
    STACK_OF(X509) * others;
    /* An installed chain is presented even when it has ended or a host came since: staff see its end, clients judge. */
    if (!certificate_chain_read(r->chain, r->chain_size, &x, &others)) return false;
    replace(x, others, true);
    return X509_check_private_key(leaf, key) == 1;
}

static void forget_found(void) {
    int error = errno;
    if (found) secret_wipe(found, sizeof *found);
    free(found);
    found = NULL;
    errno = error;
}

int identity_open(int fd) {
    size_t room = sizeof(struct record) + CHAIN_MAX;
    found = malloc(room);
    if (found && twofile_open(&file, fd, "CLOISID1", room, found, &found_size) == 0) return 0;
    if (!found) close(fd);
    forget_found();
    return -1;
}

int identity_begin(void) {
    bool good;
    if (found_size) {
        errno = EBADMSG;
        good = load(found, found_size);
    } else {
        errno = ENOMEM;
        key = certificate_key();
        good = key && sign_self() && save(NULL, 0) == 0;
    }
    if (good && file.damaged) good = twofile_write(&file, found, found_size) == 0; /* two whole copies again */
    good = good && tls_identity_changed();
    forget_found();
    return good ? 0 : -1;
}

size_t identity_csr(uint8_t *der, size_t room) {
    struct hosts hosts = own_hosts();
    uint8_t point[CSR_POINT], info[CSR_MAX], signature[CSR_SIGNATURE_MAX];
    size_t info_size, signature_size = sizeof signature, size = 0;
    if (room < CSR_MAX || !certificate_point(key, point)) return 0;
    info_size = csr_info_encode(hosts.name, hosts.count, point, info);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (info_size && md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(md, signature, &signature_size, info, info_size) == 1)
        size = csr_encode(hosts.name, hosts.count, point, signature, signature_size, der);
    EVP_MD_CTX_free(md);
    return size;
}

enum chain_result identity_install(const char *pem, size_t size) {
    struct hosts hosts = own_hosts();
    X509 *x;
    STACK_OF(X509) * others;
    if (!certificate_chain_read(pem, size, &x, &others)) return CHAIN_UNREADABLE;
    enum chain_result result = CHAIN_INSTALLED;
    if (X509_check_private_key(x, key) != 1)
        result = CHAIN_WRONG_KEY;
    else if (!certificate_covers(x, &hosts))
        result = CHAIN_WRONG_HOSTS;
    else if (!certificate_valid_now(x))
        result = CHAIN_NOT_VALID_NOW;
    else if (save(pem, size) < 0)
        result = CHAIN_NOT_STORED;
    ERR_clear_error();
    if (result == CHAIN_INSTALLED) {
        replace(x, others, true);
        if (tls_identity_changed()) return result;
        return CHAIN_NOT_STORED; /* it is, and will be used from the next start on; now there is no memory for it */
    }
    X509_free(x);
    sk_X509_pop_free(others, X509_free);
    return result;
}

void identity_hosts_changed(void) {
    if (!installed && sign_self()) tls_identity_changed();
}

bool identity_use(SSL_CTX *context) { return SSL_CTX_use_cert_and_key(context, leaf, key, rest, 1) == 1; }
