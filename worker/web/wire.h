/* A connection's socket, with TLS or without: bytes in and out, without blocking. Keeps may_read and write_blocked. */
#pragma once

#include "connection.h"

enum wire_result {
    WIRE_DONE,
    WIRE_LATER,  /* when the socket is ready */
    WIRE_ENDED,  /* the client sends no more */
    WIRE_FAILED, /* of no further use */
};

enum wire_result wire_handshake(struct connection *c); /* the server's end of it */
enum wire_result wire_read(struct connection *c, char *into, size_t room, size_t *got);
enum wire_result wire_write(struct connection *c, const void *bytes, size_t size, size_t *gone);

/* Whether bytes have been taken from the socket that wire_read() has not given out. */
bool wire_has_more(const struct connection *c);

/* Tells a TLS client that nothing follows, as far as the socket takes it, and forgets the TLS state. */
void wire_goodbye(struct connection *c);
