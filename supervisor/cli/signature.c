#include "signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

/* Nobody is asked for a pass phrase behind a script's back: a key that has one is refused. */
static int no_passphrase(char *out, int size, int writing, void *unused) {
    (void)out, (void)size, (void)writing, (void)unused;
    return -1;
}

/* NULL: OpenSSL hashes by itself (Ed25519). */
static const EVP_MD *digest_of(const EVP_PKEY *key) { return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256(); }

/* Anything weaker than a digest of 256 bits is no key for decades. */
static bool fits(const EVP_PKEY *key) {
    return EVP_PKEY_is_a(key, "ED25519") || (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) >= 256) ||
           (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 3072);
}

static EVP_PKEY *read_private(FILE *in) { return PEM_read_PrivateKey(in, NULL, no_passphrase, NULL); }

static EVP_PKEY *read_public(FILE *in) {
    EVP_PKEY *key = PEM_read_PUBKEY(in, NULL, no_passphrase, NULL);
    if (key) return key;
    rewind(in);
    X509 *certificate = PEM_read_X509(in, NULL, no_passphrase, NULL);
    if (certificate) key = X509_get_pubkey(certificate);
    X509_free(certificate);
    return key;
}

static EVP_PKEY *load(const char *file, EVP_PKEY *(*read)(FILE *), const char **error) {
    FILE *in = fopen(file, "re");
    *error = "the file cannot be read";
    if (!in) return NULL;
    EVP_PKEY *key = read(in);
    fclose(in);
    *error = read == read_private ? "no private key in PEM without a pass phrase" : "no public key or certificate in PEM";
    if (!key || fits(key)) return key;
    *error = "an Ed25519 key, an elliptic curve of 256 bits or more, or RSA of 3072 bits or more is wanted";
    EVP_PKEY_free(key);
    return NULL;
}

size_t signature_make(const char *key_file, const void *text, size_t size, uint8_t out[SIGNATURE_MAX], const char **error) {
    EVP_PKEY *key = load(key_file, read_private, error);
    if (!key) return 0;
    size_t made = SIGNATURE_MAX;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit(context, NULL, digest_of(key), NULL, key) != 1 ||
        EVP_DigestSign(context, out, &made, text, size) != 1) {
        *error = "OpenSSL could not sign with it";
        made = 0;
    }
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return made;
}

enum signature signature_verify(const char *key_file, const void *text, size_t size, const uint8_t *signature, size_t signature_size,
                                const char **error) {
    EVP_PKEY *key = load(key_file, read_public, error);
    if (!key) return SIGNATURE_NO_KEY;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit(context, NULL, digest_of(key), NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, signature_size, text, size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good ? SIGNATURE_GOOD : SIGNATURE_WRONG;
}
