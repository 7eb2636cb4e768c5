/*
 * Who this tenant is to its clients: an EC P-256 key that is made here and never leaves, and the certificate chain for it. Until a chain is
 * installed, a self-signed certificate for the tenant's hosts. Kept in the file "identity", which is not sealed under the tenant's key,
 * since it is needed before anybody has presented one.
 */
#pragma once

#include "../../policy/messages.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Takes over fd, the open identity file (closed on failure), and reads its bytes. 0, or -1 with errno (EBADMSG: the file is damaged). */
int identity_open(int fd);
/* Takes key and chain out of them, or makes a key, and gives both to TLS. Behind the wall: whoever had taken over this tenant's last worker
 * wrote what OpenSSL parses here. Needs self.profile and tls_start(). 0, or -1 with errno. */
int identity_begin(void);

/* The certification request for the tenant's hosts (policy/csr.h). Returns its DER size, 0 on failure. */
size_t identity_csr(uint8_t *der, size_t room);

/* Takes a PEM chain, the leaf first: it must be for our key, cover every host and be valid now. Kept on the disk and used for new
 * connections when CHAIN_INSTALLED comes back; otherwise the one before it stands. */
enum chain_result identity_install(const char *pem, size_t size);

/* Makes a new self-signed certificate when none is installed: after the hosts changed. */
void identity_hosts_changed(void);

/* Puts key and chain into a context. Connections made from it before keep theirs. false: OpenSSL failed. */
bool identity_use(SSL_CTX *context);
