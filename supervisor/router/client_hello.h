/* Which host a TLS ClientHello asks for (RFC 8446, RFC 6066). Pure: no I/O, no allocation; nothing else of it is looked at, and whether
 * it is a ClientHello a server would take is the worker's business (S4). */
#pragma once

#include "../../policy/limits.h"

#include <stddef.h>
#include <stdint.h>

enum hello_result {
    HELLO_NAMED,    /* whole, and names one host */
    HELLO_MORE,     /* give the same bytes again with more behind them */
    HELLO_NAMELESS, /* whole, but without server_name: close, there is no default tenant */
    HELLO_REFUSED,  /* not a ClientHello, malformed, several names, or not whole within CLIENT_HELLO_MAX bytes: close */
};

/*
 * Reads the ClientHello at the start of bytes, over any number of TLS records. On HELLO_NAMED host is the name in lower case, made of
 * [a-z0-9.-_] only. On HELLO_MORE *need (> size, <= CLIENT_HELLO_MAX) is how many bytes there must be before another call can tell
 * anything else. Bytes after the record in which the ClientHello ends are not looked at; more bytes in that record are refused.
 */
enum hello_result client_hello_read(const uint8_t *bytes, size_t size, char host[HOST_MAX + 1], size_t *need);
