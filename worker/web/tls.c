#include "tls.h"

#include "../keys/keys.h"
#include "../tenant.h"
#include "identity.h"

#include <openssl/err.h>
#include <string.h>
#include <strings.h>

enum { TICKET_KEY_LIFE = 12 * 3600, TICKET_KEY_BYTES = 80 };

static SSL_CTX *context;
static uint64_t ticket_keys_since;

bool tls_init(void) { return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) == 1; }

/* The router has chosen this tenant by the same name; a name that is not ours is refused again here (lessons 11). */
static int name_asked(SSL *ssl, int *alert, void *unused) {
    (void)unused;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (uint32_t i = 0; name && i < self.profile.host_count; i++)
        if (strcasecmp(name, self.profile.host[i]) == 0) return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int protocol_asked(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in, unsigned in_size,
                          void *unused) {
    (void)ssl, (void)unused;
    static const unsigned char http11[] = "\x08http/1.1";
    if (SSL_select_next_proto((unsigned char **)out, out_size, http11, sizeof http11 - 1, in, in_size) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *make_context(void) {
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    if (!c) return NULL;
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(c, 1); /* a record's header and body in one read */
    SSL_CTX_set_tlsext_servername_callback(c, name_asked);
    SSL_CTX_set_alpn_select_cb(c, protocol_asked, NULL);
    bool good =
        SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(c, 1) == 1 &&
        SSL_CTX_set_cipher_list(c, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305") == 1 &&
        SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1 &&
        SSL_CTX_set_session_id_context(c, (const unsigned char *)"cloison", 7) == 1;
    if (good) return c;
    SSL_CTX_free(c);
    return NULL;
}

SSL *tls_server(int fd) {
    SSL *ssl = SSL_new(context);
    if (ssl && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    ERR_clear_error();
    SSL_free(ssl);
    return NULL;
}

bool tls_identity_changed(void) { return !context || identity_use(context); }

void tls_tick(uint64_t now) {
    uint8_t keys[TICKET_KEY_BYTES];
    if (ticket_keys_since == 0) ticket_keys_since = now; /* those OpenSSL drew for the context */
    if (now - ticket_keys_since < TICKET_KEY_LIFE) return;
    random_bytes(keys, sizeof keys);
    SSL_CTX_set_tlsext_ticket_keys(context, keys, sizeof keys);
    secret_wipe(keys, sizeof keys);
    ticket_keys_since = now;
}

/* ---- shaking hands with itself ---- */

static bool step(SSL *ssl) {
    int result = SSL_do_handshake(ssl), error = SSL_get_error(ssl, result);
    return result == 1 || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool converse(SSL *client, SSL *server) {
    char byte = 'x', back = 0;
    for (int i = 0; i < 8 && !(SSL_is_init_finished(client) && SSL_is_init_finished(server)); i++)
        if (!step(client) || !step(server)) return false;
    return SSL_write(client, &byte, 1) == 1 && SSL_read(server, &back, 1) == 1 && SSL_write(server, &back, 1) == 1 &&
           SSL_read(client, &back, 1) == 1 && back == byte;
}

static bool warm_up(SSL_CTX *client_context, int version, const char *suite) {
    SSL *client = SSL_new(client_context), *server = SSL_new(context);
    BIO *one = NULL, *other = NULL;
    bool good = client && server && BIO_new_bio_pair(&one, 65536, &other, 65536) == 1;
    if (good) {
        SSL_set_bio(client, one, one);
        SSL_set_bio(server, other, other);
        SSL_set_connect_state(client);
        SSL_set_accept_state(server);
        good = SSL_set_min_proto_version(client, version) == 1 && SSL_set_max_proto_version(client, version) == 1 &&
               (version == TLS1_3_VERSION ? SSL_set_ciphersuites(client, suite) : SSL_set_cipher_list(client, suite)) == 1 &&
               SSL_set_tlsext_host_name(client, self.profile.host[0]) == 1 && converse(client, server);
    }
    SSL_free(client);
    SSL_free(server);
    ERR_clear_error();
    return good;
}

bool tls_start(void) {
    static const struct {
        int version;
        const char *suite;
    } ways[] = {{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
                {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},  {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
                {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"}, {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"}};
    context = tls_init() ? make_context() : NULL;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    bool good = context && client && identity_use(context);
    for (size_t i = 0; good && i < sizeof ways / sizeof *ways; i++)
        good = warm_up(client, ways[i].version, ways[i].suite);
    SSL_CTX_free(client);
    return good;
}
