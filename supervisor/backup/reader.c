#include "reader.h"

#include "../clock.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool chunk_reader_open(struct chunk_reader *r, int fd, bool hashed) {
    *r = (struct chunk_reader){.fd = fd, .patience_ms = -1, .ordered = true, .room = READER_BUFFER};
    r->buffer = malloc(r->room);
    if (hashed) r->hash = EVP_MD_CTX_new();
    if (r->buffer && (!hashed || (r->hash && EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL)))) return true;
    chunk_reader_close(r);
    errno = ENOMEM;
    return false;
}

void chunk_reader_close(struct chunk_reader *r) {
    free(r->buffer);
    EVP_MD_CTX_free(r->hash);
    r->buffer = NULL;
    r->hash = NULL;
}

/* Moves what is left to the front, with room for `size` behind the start. */
static bool make_room(struct chunk_reader *r, size_t size) {
    if (r->from > 0) memmove(r->buffer, r->buffer + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    if (size <= r->room) return true;
    uint8_t *larger = realloc(r->buffer, size);
    if (!larger) return false;
    r->buffer = larger;
    r->room = size;
    return true;
}

/* Whether a byte comes, or the end, in time. */
static bool wait_for(const struct chunk_reader *r) {
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    if (r->patience_ms < 0) return true;
    bool late = r->until && clock_ms() >= r->until; /* also when it never pauses */
    int ready = late ? 0 : poll(&p, 1, r->patience_ms);
    if (ready == 0) errno = ETIMEDOUT;
    return ready > 0 || (ready < 0 && errno == EINTR);
}

/* At least `size` bytes from `from` on. CHUNK_END: the file ends before; errno stays. */
static enum chunk_result fill(struct chunk_reader *r, size_t size) {
    if (r->to - r->from >= size) return CHUNK_NEXT;
    if (!make_room(r, size)) return CHUNK_FAILED;
    while (r->to < size && !r->ended) {
        if (!wait_for(r)) return CHUNK_FAILED;
        ssize_t got = read(r->fd, r->buffer + r->to, r->room - r->to);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return CHUNK_FAILED;
        if (got > 0 && r->hash && !EVP_DigestUpdate(r->hash, r->buffer + r->to, (size_t)got)) return CHUNK_FAILED;
        r->ended = got == 0;
        r->to += (size_t)got;
    }
    return r->to >= size ? CHUNK_NEXT : CHUNK_END;
}

enum chunk_result chunk_reader_bytes(struct chunk_reader *r, size_t size, const uint8_t **bytes) {
    enum chunk_result result = fill(r, size);
    if (result == CHUNK_END) return CHUNK_BROKEN;
    *bytes = r->buffer + r->from;
    r->from += size;
    return result;
}

enum chunk_result chunk_reader_next(struct chunk_reader *r, struct chunk *chunk) {
    size_t needs = 0;
    enum chunk_result result;
    while ((result = chunk_parse(r->buffer + r->from, r->to - r->from, chunk, &needs)) == CHUNK_MORE) {
        result = fill(r, needs);
        if (result == CHUNK_END) return r->to == r->from ? CHUNK_END : CHUNK_BROKEN;
        if (result != CHUNK_NEXT) return result;
    }
    if (result != CHUNK_NEXT || (r->ordered && r->any && memcmp(chunk->key, r->last, CHUNK_KEY) <= 0)) return CHUNK_BROKEN;
    memcpy(r->last, chunk->key, CHUNK_KEY);
    r->any = true;
    r->from += needs;
    return CHUNK_NEXT;
}

bool chunk_reader_hash(struct chunk_reader *r, uint8_t hash[BACKUP_HASH]) { return r->hash && EVP_DigestFinal_ex(r->hash, hash, NULL); }
