/* TLS 1.2 and 1.3 for one tenant: one context, own ticket keys, no renegotiation, no compression, no early data, ALPN http/1.1. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

/* algorithms_open(), and what TLS adds to it: before the arena is mapped. Harmless when repeated. */
bool tls_init(void);

/* Makes the context; identity_begin() puts the tenant's identity into it. */
bool tls_start(void);

/* A server's end on the socket, which stays the caller's. NULL: out of memory. */
SSL *tls_server(int fd);

/* identity_use() anew: for connections made from now on. */
bool tls_identity_changed(void);

/* Draws new ticket keys when the present ones are old; now: seconds. Tickets under the old ones are then worth nothing. */
void tls_tick(uint64_t now);
