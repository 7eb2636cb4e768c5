/*
 * How many connections one source has in the router's hands and how fast it brings new ones: a table of fixed size, counted per IPv4
 * address and per IPv6 /64. The clock is passed in; no address ever leaves this table (S2).
 *
 * Which row gives way when the table is full: never one with open connections; among the others the one whose bucket is fullest, that is,
 * the one whose memory is worth least. A fresh source is such a row, so an attacker with many addresses pushes out his own fresh rows, and
 * to push out a penalised one he must first penalise every other row it could lie beside, in sets chosen by a key he does not know.
 */
/* S2: an address is in a table in memory that forgets, and in no log */
#pragma once

#include <stdint.h>

enum {
    SOURCES_ROWS = 65536,
    SOURCES_BURST_SECONDS = 4, /* what a source may bring at once: that many seconds of its rate */
    SOURCES_PENALTY = 4,       /* connections a useless one counts as, besides itself */
};

struct sources;
struct source; /* one row; the pointer holds while the connection that entered has not left */

enum sources_verdict { SOURCES_ADMITTED, SOURCES_TOO_MANY, SOURCES_TOO_FAST };

/* key: 16 random bytes. NULL when there is no memory. Free with sources_free (NULL is fine). */
struct sources *sources_new(const uint8_t key[16]);
void sources_free(struct sources *sources);

/* open: connections at once; rate: new ones a second. 0 = no such limit. */
void sources_limit(struct sources *sources, uint32_t open, uint32_t rate);

/* A connection from address (IPv6, or IPv4 mapped) comes in. On SOURCES_ADMITTED *out must be given to sources_leave once. All rows that
 * could be its own having open connections counts as SOURCES_TOO_MANY. */
enum sources_verdict sources_enter(struct sources *sources, const uint8_t address[16], uint64_t now_ms, struct source **out);
void sources_leave(struct sources *sources, struct source *source);

/* It was of no use to anybody (no ClientHello, no such host): takes SOURCES_PENALTY from the bucket. */
void sources_penalise(struct sources *sources, struct source *source, uint64_t now_ms);
