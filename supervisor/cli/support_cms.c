#include "support_cms.h"

#include "../../policy/hex.h"

#include <jansson.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *read_key(const char *file) {
    BIO *in = BIO_new_file(file, "r");
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    return key;
}

/* {"text", "reply"}, blanks behind it. */
static bool read_message(const char *bytes, size_t size, struct support_text *out) {
    json_t *message = json_loadb(bytes, size, JSON_DISABLE_EOF_CHECK, NULL);
    const char *text = json_string_value(json_object_get(message, "text")), *reply = json_string_value(json_object_get(message, "reply"));
    bool fine =
        text && reply && strlen(reply) == 2 * SUPPORT_REPLY && hex_read(reply, SUPPORT_REPLY, out->reply) && (out->text = strdup(text));
    json_decref(message);
    return fine;
}

bool support_cms_open(const char *key_file, const void *sealed, size_t size, struct support_text *out, const char **why) {
    EVP_PKEY *key = read_key(key_file);
    BIO *der = BIO_new_mem_buf(sealed, (int)size), *plain = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = der ? d2i_CMS_bio(der, NULL) : NULL;
    char *bytes;
    bool fine = false;
    *why = !key ? "no private key can be read from that file" : !cms ? "this is no sealed message" : "it is not sealed to that key";
    if (key && cms && plain && CMS_decrypt(cms, key, NULL, NULL, plain, CMS_BINARY) == 1) {
        long opened = BIO_get_mem_data(plain, &bytes);
        fine = read_message(bytes, (size_t)opened, out);
        *why = "what it holds is no message";
        OPENSSL_cleanse(bytes, (size_t)opened);
    }
    CMS_ContentInfo_free(cms);
    BIO_free(der);
    BIO_free(plain);
    EVP_PKEY_free(key);
    return fine;
}

/* The key is the library's from the call on, if that works. */
static bool add_recipient(CMS_ContentInfo *cms, const uint8_t reply[SUPPORT_REPLY]) {
    static const char name[] = "reply";
    uint8_t *key = OPENSSL_memdup(reply, SUPPORT_REPLY), *id = OPENSSL_memdup(name, sizeof name - 1);
    if (key && id && CMS_add0_recipient_key(cms, NID_undef, key, SUPPORT_REPLY, id, sizeof name - 1, NULL, NULL, NULL)) return true;
    OPENSSL_free(key);
    OPENSSL_free(id);
    return false;
}

size_t support_cms_seal(const uint8_t reply[SUPPORT_REPLY], const char *text, uint8_t out[SUPPORT_SEALED_MAX]) {
    BIO *in = BIO_new_mem_buf(text, -1), *der = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), CMS_BINARY | CMS_PARTIAL);
    char *bytes;
    long size = 0;
    if (in && der && cms && add_recipient(cms, reply) && CMS_final(cms, in, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(der, cms) == 1)
        size = BIO_get_mem_data(der, &bytes);
    bool fits = size > 0 && size <= SUPPORT_SEALED_MAX;
    if (fits) memcpy(out, bytes, (size_t)size);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(der);
    return fits ? (size_t)size : 0;
}
