/*
 * The bytes of one version of a document, in sealed chunks (S14). A chunk's id is the content's id, the chunk's position and the content's
 * size; the store binds what it seals to the id. So a chunk that was moved, swapped, or taken from another version or another size does not
 * open, and one that is missing or short is found missing: the document's record says how many there are.
 *
 * A content's size is known before its first byte. Chunks are quiet (store_pending): nobody sees them before a document tells of them.
 */
#pragma once

#include "../store/store.h"

enum {
    CONTENT_ID = 8,
    CONTENT_TEXT = 2 * CONTENT_ID,  /* as hexadecimal digits */
    CONTENT_CHUNK = 63 * 2048 - 20, /* with the record's head just what Padmé leaves as it is, and sealed 32 pages of the file */
};
#define CONTENT_MAX (2ULL << 30)

struct content {
    uint8_t id[CONTENT_ID]; /* random */
    uint64_t size;          /* at most CONTENT_MAX */
};

static inline uint32_t content_chunks(const struct content *c) { return (uint32_t)((c->size + CONTENT_CHUNK - 1) / CONTENT_CHUNK); }
/* Bytes of the n-th chunk. */
size_t content_chunk_size(const struct content *c, uint32_t n);

/* Writes a chunk, or (an upload that waits for more) its beginning. */
enum store_result content_put(const struct content *c, uint32_t n, const void *bytes, size_t size);
/* The whole chunk, valid until the next call on the store. STORE_BROKEN: it is missing or short, too. */
enum store_result content_get(const struct content *c, uint32_t n, const uint8_t **bytes, size_t *size);
/* Its first `size` bytes, as content_put wrote them. */
enum store_result content_begun(const struct content *c, uint32_t n, size_t size, const uint8_t **bytes);
/* STORE_MISSING is fine. */
enum store_result content_delete(const struct content *c, uint32_t n);
