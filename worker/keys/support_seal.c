#include "support_seal.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

struct support_key {
    X509 *certificate;
};

enum { BITS_MIN = 256, FLAGS = CMS_BINARY | CMS_PARTIAL };

struct support_key *support_key_read(const void *pem, size_t size) {
    BIO *in = BIO_new_mem_buf(pem, (int)size);
    struct support_key *key = calloc(1, sizeof *key);
    X509 *certificate = in && key ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    EVP_PKEY *public = certificate ? X509_get0_pubkey(certificate) : NULL;
    BIO_free(in);
    ERR_clear_error();
    if (public && EVP_PKEY_get_base_id(public) == EVP_PKEY_EC && EVP_PKEY_get_bits(public) >= BITS_MIN) {
        key->certificate = certificate;
        return key;
    }
    X509_free(certificate);
    free(key);
    return NULL;
}

void support_key_free(struct support_key *key) {
    if (!key) return;
    X509_free(key->certificate);
    free(key);
}

bool support_key_in_time(const struct support_key *key) {
    return X509_cmp_current_time(X509_get0_notBefore(key->certificate)) < 0 &&
           X509_cmp_current_time(X509_get0_notAfter(key->certificate)) > 0;
}

/* ECDH over the certificate's curve; the derivation by SHA-256, since the library's own choice is SHA-1. */
static bool add_recipient(CMS_ContentInfo *cms, X509 *certificate) {
    CMS_RecipientInfo *recipient = CMS_add1_recipient_cert(cms, certificate, FLAGS | CMS_KEY_PARAM);
    EVP_PKEY_CTX *context = recipient ? CMS_RecipientInfo_get0_pkey_ctx(recipient) : NULL;
    return context && EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) > 0;
}

/* What a memory BIO holds, copied out; 0 = more than room. */
static size_t take(BIO *from, uint8_t *out, size_t room) {
    char *bytes;
    long size = BIO_get_mem_data(from, &bytes);
    if (size <= 0 || (size_t)size > room) return 0;
    memcpy(out, bytes, (size_t)size);
    return (size_t)size;
}

/* S7: what a user writes to the support opens with the support duty's offline key and nothing else at the provider */
size_t support_seal(const struct support_key *key, const void *plain, size_t size, uint8_t *out, size_t room) {
    if (!support_key_in_time(key)) return 0;
    BIO *in = BIO_new_mem_buf(plain, (int)size), *der = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), FLAGS);
    size_t written = 0;
    if (in && der && cms && add_recipient(cms, key->certificate) && CMS_final(cms, in, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(der, cms) == 1)
        written = take(der, out, room);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(der);
    ERR_clear_error();
    return written;
}

/* Only what is authenticated as a whole: any other type could be altered on its way. */
static bool is_authenticated(const CMS_ContentInfo *cms) { return OBJ_obj2nid(CMS_get0_type(cms)) == NID_id_smime_ct_authEnvelopedData; }

long support_open(const uint8_t key[KEY_BYTES], const uint8_t *sealed, size_t size, void *out, size_t room) {
    BIO *der = BIO_new_mem_buf(sealed, (int)size), *plain = BIO_new(BIO_s_secmem());
    CMS_ContentInfo *cms = der ? d2i_CMS_bio(der, NULL) : NULL;
    long opened = -1;
    uint8_t copy[KEY_BYTES];
    memcpy(copy, key, sizeof copy);
    if (cms && plain && is_authenticated(cms) && CMS_decrypt_set1_key(cms, copy, sizeof copy, NULL, 0) == 1 &&
        CMS_decrypt(cms, NULL, NULL, NULL, plain, CMS_BINARY) == 1)
        opened = (long)take(plain, out, room);
    if (opened == 0) opened = -1;
    secret_wipe(copy, sizeof copy);
    CMS_ContentInfo_free(cms);
    BIO_free(der);
    BIO_free(plain);
    ERR_clear_error();
    return opened;
}
