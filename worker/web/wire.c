#include "wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <unistd.h>

static enum wire_result tls_result(struct connection *c, int result) {
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        c->may_read = false;
        return WIRE_LATER;
    case SSL_ERROR_WANT_WRITE:
        c->write_blocked = true;
        return WIRE_LATER;
    case SSL_ERROR_ZERO_RETURN:
        return WIRE_ENDED;
    default:
        return WIRE_FAILED;
    }
}

enum wire_result wire_read(struct connection *c, char *into, size_t room, size_t *got) {
    if (c->ssl) {
        ERR_clear_error();
        int n = SSL_read(c->ssl, into, (int)room);
        if (n <= 0) return tls_result(c, n);
        *got = (size_t)n;
        return WIRE_DONE;
    }
    ssize_t n = read(c->fd, into, room);
    if (n == 0) return WIRE_ENDED;
    if (n < 0) {
        c->may_read = false;
        return errno == EAGAIN || errno == EINTR ? WIRE_LATER : WIRE_FAILED;
    }
    *got = (size_t)n;
    return WIRE_DONE;
}

enum wire_result wire_write(struct connection *c, const void *bytes, size_t size, size_t *gone) {
    if (c->ssl) {
        ERR_clear_error();
        int n = SSL_write(c->ssl, bytes, (int)size);
        if (n > 0) {
            *gone = (size_t)n;
            return WIRE_DONE;
        }
        enum wire_result result = tls_result(c, n);
        return result == WIRE_LATER && !c->write_blocked ? WIRE_FAILED : result; /* without renegotiation no write waits for a read */
    }
    ssize_t n = write(c->fd, bytes, size);
    if (n < 0) {
        c->write_blocked = errno == EAGAIN || errno == EINTR;
        return c->write_blocked ? WIRE_LATER : WIRE_FAILED;
    }
    *gone = (size_t)n;
    return WIRE_DONE;
}

bool wire_has_more(const struct connection *c) { return c->ssl && SSL_has_pending(c->ssl); }

enum wire_result wire_handshake(struct connection *c) {
    ERR_clear_error();
    int result = SSL_do_handshake(c->ssl);
    enum wire_result wire = result == 1 ? WIRE_DONE : tls_result(c, result);
    ERR_clear_error();
    return wire;
}

void wire_goodbye(struct connection *c) {
    if (!c->ssl) return;
    ERR_clear_error();
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    c->ssl = NULL;
}
