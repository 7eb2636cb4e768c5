#include "algorithms.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <string.h>

/* The ciphers in use. Of the 130 others OpenSSL would make tables in every worker. */
static const char *const ciphers[] = {
    "AES-256-GCM",       /* XAES, TLS */
    "AES-256-ECB",       /* XAES's derivation of keys, the random generator */
    "AES-256-CTR",       /* the random generator */
    "AES-128-GCM",       /* TLS */
    "ChaCha20-Poly1305", /* TLS */
    "AES-256-CBC",       /* session tickets */
    "AES-256-WRAP",      /* the key of a message to the support */
};
enum { CIPHERS = sizeof ciphers / sizeof *ciphers, DISPATCHES = 16 };

/* libcrypto.a's name for its default provider; no header has it, and libcrypto.so keeps it to itself: there the provider stays whole. */
extern OSSL_provider_init_fn ossl_default_provider_init __attribute__((weak));

static OSSL_FUNC_provider_query_operation_fn *query_whole;
static OSSL_ALGORITHM few[CIPHERS + 1];

/* `names` are several, the first one first, with colons between them. */
static bool is_used(const char *names) {
    size_t size = strcspn(names, ":");
    for (size_t i = 0; i < CIPHERS; i++)
        if (strlen(ciphers[i]) == size && memcmp(ciphers[i], names, size) == 0) return true;
    return false;
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache) {
    const OSSL_ALGORITHM *all = query_whole(provider, operation, no_cache);
    size_t n = 0;
    if (operation != OSSL_OP_CIPHER || !all) return all;
    for (; all->algorithm_names && n < CIPHERS; all++)
        if (is_used(all->algorithm_names)) few[n++] = *all;
    few[n] = (OSSL_ALGORITHM){0};
    return few;
}

/* The default provider, but for what it says it has. */
static int provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider) {
    static OSSL_DISPATCH ours[DISPATCHES];
    const OSSL_DISPATCH *theirs;
    size_t n = 0;
    if (!ossl_default_provider_init(core, in, &theirs, provider)) return 0;
    for (; theirs->function_id && n + 1 < DISPATCHES; theirs++) {
        ours[n] = *theirs;
        if (theirs->function_id == OSSL_FUNC_PROVIDER_QUERY_OPERATION) {
            query_whole = OSSL_FUNC_provider_query_operation(theirs);
            ours[n].function = (void (*)(void))query;
        }
        n++;
    }
    *out = ours;
    return query_whole != NULL;
}

/* Fetching one algorithm of a kind makes the table of all of that kind. */
static bool make_tables(void) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_MD *digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_RAND *generator = EVP_RAND_fetch(NULL, "CTR-DRBG", NULL);
    EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(NULL, "EC", NULL);
    EVP_KEYEXCH *exchange = EVP_KEYEXCH_fetch(NULL, "X25519", NULL);
    EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, "ECDSA", NULL);
    OSSL_DECODER *decoder = OSSL_DECODER_fetch(NULL, "EC", NULL);
    bool good = cipher && digest && kdf && mac && generator && keys && exchange && signature && decoder;
    EVP_CIPHER_free(cipher);
    EVP_MD_free(digest);
    EVP_KDF_free(kdf);
    EVP_MAC_free(mac);
    EVP_RAND_free(generator);
    EVP_KEYMGMT_free(keys);
    EVP_KEYEXCH_free(exchange);
    EVP_SIGNATURE_free(signature);
    OSSL_DECODER_free(decoder);
    return good;
}

/* No text leaves a worker, so it needs none of the errors'; ciphers but two are only fetched, never looked up by the older way. Digests
 * are: a certificate's signature names one. */
static bool init(void) {
    if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ADD_ALL_CIPHERS, NULL))
        return false;
    if (ossl_default_provider_init && (!OSSL_PROVIDER_add_builtin(NULL, "cloison", provider_init) || !OSSL_PROVIDER_load(NULL, "cloison")))
        return false;
    /* CMS knows its two ciphers by their numbers, and those come from the older tables. */
    return EVP_add_cipher(EVP_aes_256_gcm()) == 1 && EVP_add_cipher(EVP_aes_256_wrap()) == 1 && make_tables();
}

bool algorithms_open(void) {
    static bool done;
    if (!done) done = init();
    return done;
}
