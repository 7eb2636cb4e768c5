/*
 * Chunks, pure: what a snapshot, a pack and a restore are made of (C7). A chunk is one sealed value of a tenant's store with its blind key;
 * so it is cut by content, a change touches no other chunk, and the value's own first bytes (its version and random nonce) tell whether it
 * is the same as before. In a stream or a pack: key, size (4 bytes, little endian), value; keys strictly rise, but in a stream that is
 * restored from, whose chunks come pack by pack.
 *
 * Nothing is compressed: sealed bytes do not shrink, and what would be compressed before it is sealed would tell its content by its size
 * wherever a stranger's text lies beside a secret one; sizes are padded on purpose.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHUNK_KEY = 17,               /* as the store's LMDB keys */
    CHUNK_HEAD = CHUNK_KEY + 4,   /* before each value */
    CHUNK_MAX = 4 << 20,          /* bytes of a value: the store's largest, padded and sealed, is below */
    CHUNK_TAG = 24,               /* first bytes of a value, zeros behind a shorter one */
    STREAM_HEAD = 32,             /* magic, commit, key */
    STREAM_END = CHUNK_HEAD + 16, /* a chunk of key 0xff…: count and bytes */
};

struct chunk {
    uint8_t key[CHUNK_KEY];
    uint32_t size;
    const uint8_t *value; /* in the bytes that were parsed */
};

enum chunk_result {
    CHUNK_NEXT,   /* *chunk is the next one */
    CHUNK_MORE,   /* more bytes are needed */
    CHUNK_BROKEN, /* not what is described here */
    CHUNK_END,    /* reader.h: the file ends behind the last chunk */
    CHUNK_FAILED, /* reader.h: errno */
};

/* The chunk that begins at bytes[0]. NEXT: it is CHUNK_HEAD + chunk->size bytes long, and its value points there. MORE: *needs is how many
 * bytes are needed to say more. Its key is not compared with another. */
enum chunk_result chunk_parse(const uint8_t *bytes, size_t size, struct chunk *chunk, size_t *needs);

/* The head of a chunk as it is written. */
void chunk_head(const uint8_t key[CHUNK_KEY], uint32_t size, uint8_t head[CHUNK_HEAD]);
void chunk_tag(const struct chunk *chunk, uint8_t tag[CHUNK_TAG]);

/* A worker's snapshot as it comes through the pipe: head, chunks, end. */
struct stream_head {
    uint64_t commit;      /* the store's commit counter, as it stands in clear beside the sealed state; 0 = an empty store */
    uint64_t key_created; /* Unix seconds: which master key of the tenant's; 0 = unknown */
};
void stream_head_write(const struct stream_head *head, uint8_t out[STREAM_HEAD]);
bool stream_head_read(const uint8_t in[STREAM_HEAD], struct stream_head *head);
void stream_end_write(uint64_t chunks, uint64_t bytes, uint8_t out[STREAM_END]);
/* Whether the chunk is the end, and of so many chunks and bytes of values. */
bool stream_is_end(const struct chunk *chunk);
bool stream_end_fits(const struct chunk *chunk, uint64_t chunks, uint64_t bytes);

/* Little endian. */
static inline void backup_put(uint8_t *out, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}
static inline uint64_t backup_get(const uint8_t *in, int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)in[i] << (8 * i);
    return v;
}
