/* TLS 1.2 and 1.3 for one tenant: one context, own ticket keys, no renegotiation, no compression, no early data, ALPN http/1.1. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

/* Initialises OpenSSL without reading a configuration file and has it make its tables of algorithms. Harmless when repeated; before
 * anything else of OpenSSL is used, and before the arena is mapped: the tables are public, and pages of secret memory dear. */
bool tls_init(void);

/* Makes the context with the tenant's identity. After identity_open(). */
bool tls_start(void);

/* A server's end on the socket, which stays the caller's. NULL: out of memory. */
SSL *tls_server(int fd);

/* identity_use() anew: for connections made from now on. */
bool tls_identity_changed(void);

/* Draws new ticket keys when the present ones are old; now: seconds. Tickets under the old ones are then worth nothing. */
void tls_tick(uint64_t now);
