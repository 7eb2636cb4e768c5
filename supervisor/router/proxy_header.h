/* The PROXY protocol's header, versions 1 and 2, that a proxy in front puts before the client's first byte (H3). Pure: no I/O, no
 * allocation. Whether a listener takes one, and from whom, is listener.h's. */
#pragma once

#include "../../policy/limits.h"

#include <stddef.h>
#include <stdint.h>

enum { PROXY_V1_MAX = 107 /* bytes of a version 1 line with its CRLF */ };

enum proxy_result {
    PROXY_COMPLETE,
    PROXY_MORE,    /* give the same bytes again with more behind them */
    PROXY_REFUSED, /* not such a header, or longer than PROXY_HEADER_MAX: close */
};

enum proxy_kind {
    PROXY_SOURCE = 1, /* address and port are the client's */
    PROXY_UNKNOWN,    /* the proxy does not know or cannot say it (v1 UNKNOWN, v2 AF_UNSPEC or AF_UNIX): the peer's own address stands */
    PROXY_LOCAL,      /* v2 LOCAL: the proxy's own connection, a health check; the peer's own address stands */
};

struct proxy_header {
    size_t size; /* bytes of the header: exactly these are consumed, the next one is the client's */
    enum proxy_kind kind;
    uint16_t port;       /* PROXY_SOURCE only */
    uint8_t address[16]; /* PROXY_SOURCE only: IPv6, or IPv4 as ::ffff:a.b.c.d */
};

/* Reads the header at the start of bytes. On PROXY_MORE *need (> size) is how many bytes there must be before another call can complete.
 * Of a version 2 header's TLVs only the shape is checked. */
enum proxy_result proxy_header_read(const uint8_t *bytes, size_t size, struct proxy_header *out, size_t *need);
