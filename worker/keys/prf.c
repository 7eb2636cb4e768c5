#include "prf.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

struct prf {
    EVP_MAC_CTX *context;
};

struct prf *prf_new(const uint8_t key[KEY_BYTES]) {
    struct prf *p = calloc(1, sizeof *p);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};

    if (p && mac) p->context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds its own reference */
    if (p && p->context && EVP_MAC_init(p->context, key, KEY_BYTES, parameters) == 1) return p;
    prf_free(p);
    return NULL;
}

void prf_free(struct prf *p) {
    if (!p) return;
    EVP_MAC_CTX_free(p->context);
    free(p);
}

bool prf_run(struct prf *p, const void *data, size_t size, uint8_t out[PRF_BYTES]) {
    size_t written = 0;
    /* No key: start again under the prepared one. */
    bool fine = EVP_MAC_init(p->context, NULL, 0, NULL) == 1 && EVP_MAC_update(p->context, data, size) == 1 &&
                EVP_MAC_final(p->context, out, &written, PRF_BYTES) == 1 && written == PRF_BYTES;
    if (!fine) memset(out, 0, PRF_BYTES);
    return fine;
}
