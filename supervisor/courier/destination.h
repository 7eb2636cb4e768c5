/*
 * A place outside this machine's own disk that keeps sealed files under keys (C7, C8). One interface, two kinds: a directory on another
 * medium and an S3-compatible store. Every call blocks, in the destination's own lane; it is bounded in time and size and tries again by
 * itself where that can help. Nothing that comes back is believed: sizes and hashes are checked, and LIED says that they did not agree.
 *
 * A key is 1 to DESTINATION_KEY_MAX bytes of a-z, 0-9, '.', '_', '-' in at most DESTINATION_DEPTH components between single '/', none of
 * which begins with a dot.
 */
#pragma once

#include "../../policy/messages.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DESTINATION_KEY_MAX = 200,
    DESTINATION_DEPTH = 8,
    DESTINATION_HASH = 32, /* SHA-256 */
};

enum destination_result {
    DESTINATION_DONE,
    DESTINATION_EXISTS,      /* put of what is there already: nothing changed */
    DESTINATION_ABSENT,      /* get, size, delete of what is not there */
    DESTINATION_REFUSED,     /* credentials, rights, a medium that must be another one: trying again does not help */
    DESTINATION_FULL,        /* no room */
    DESTINATION_LIED,        /* what came back is not what was said or asked */
    DESTINATION_UNREACHABLE, /* not there, or failing, after all tries */
    DESTINATION_LOCAL,       /* our own end: the file given, or memory; errno */
    DESTINATION_UNLOCKED,    /* it was to lock what it keeps, and does not */
    DESTINATION_LOCKED,      /* delete: its lock has not run out */
};
const char *destination_result_name(enum destination_result result);

struct destination;

/* Before the wall: opens what it needs. credentials: fd of the file or -1; the caller closes it. spool: fd of a directory on the medium
 * that it may not share. Always a destination (NULL: no memory): one that cannot be opened answers every call with the reason. */
struct destination *destination_open(const struct message_destination *is, int credentials, int spool);

/* For the wall: the directory it works beneath, or -1; the host it connects to ("" = none) and its port. */
int destination_directory(const struct destination *destination);
uint16_t destination_port(const struct destination *destination);
/* DONE, or why it could not be opened. */
enum destination_result destination_opened(const struct destination *destination);

bool destination_key_is(const char *key);

/* Whether it is to lock what it keeps, itself (object lock). */
bool destination_locks(const struct destination *destination);

/* Puts `size` bytes of `fd` from `offset`, whose SHA-256 is given: on the medium, whole or not at all, when it says DONE. only_new: EXISTS
 * when there is something under that key; otherwise that is replaced. until_ms: where the destination locks, nobody can delete it
 * before that Unix time, or it is UNLOCKED; 0 = not locked. */
enum destination_result destination_put(struct destination *destination, const char *key, int fd, uint64_t offset, uint64_t size,
                                        const uint8_t sha256[DESTINATION_HASH], bool only_new, uint64_t until_ms);

/* Where it locks: what lies under the key is locked at least so long. Elsewhere DONE. */
enum destination_result destination_hold(struct destination *destination, const char *key, uint64_t until_ms);

/* Writes what lies under the key to fd, at its position, at most `most` bytes (LIED when there are more). On DONE *size and sha256 are of
 * the bytes written; otherwise fd may hold a part. */
enum destination_result destination_get(struct destination *destination, const char *key, int fd, uint64_t most, uint64_t *size,
                                        uint8_t sha256[DESTINATION_HASH]);

enum destination_result destination_size(struct destination *destination, const char *key, uint64_t *size);

/* Visits every key that begins with prefix ("" = all), in the order of their bytes; false from visit ends it with DONE. What is no key is
 * passed over. The destination must not be used from within visit. */
typedef bool destination_visit(void *context, const char *key, uint64_t size);
enum destination_result destination_list(struct destination *destination, const char *prefix, destination_visit *visit, void *context);

/* A store that does not say whether there was something answers DONE. */
enum destination_result destination_delete(struct destination *destination, const char *key);
