#include "content.h"

#include "../tenant.h"

#include <string.h>

/* S14: a chunk is sealed to its content, position and size, so that what is cut, swapped or put back does not open */
static void chunk_id(const struct content *c, uint32_t n, uint8_t id[ID_BYTES]) {
    uint32_t size = (uint32_t)c->size;
    memcpy(id, c->id, CONTENT_ID);
    for (int i = 0; i < 4; i++) {
        id[CONTENT_ID + i] = (uint8_t)(n >> 8 * i);
        id[CONTENT_ID + 4 + i] = (uint8_t)(size >> 8 * i);
    }
}

size_t content_chunk_size(const struct content *c, uint32_t n) {
    uint64_t left = c->size - (uint64_t)n * CONTENT_CHUNK;
    return left < CONTENT_CHUNK ? (size_t)left : CONTENT_CHUNK;
}

enum store_result content_put(const struct content *c, uint32_t n, const void *bytes, size_t size) {
    uint8_t id[ID_BYTES];
    chunk_id(c, n, id);
    return store_put(self.store, STORE_CHUNKS, id, bytes, size, STORE_ANY, NULL);
}

enum store_result content_begun(const struct content *c, uint32_t n, size_t size, const uint8_t **bytes) {
    uint8_t id[ID_BYTES];
    size_t there;
    chunk_id(c, n, id);
    enum store_result result = store_get(self.store, STORE_CHUNKS, id, bytes, &there, NULL);
    return result == STORE_MISSING || (result == STORE_OK && there < size) ? STORE_BROKEN : result;
}

enum store_result content_get(const struct content *c, uint32_t n, const uint8_t **bytes, size_t *size) {
    *size = content_chunk_size(c, n);
    return content_begun(c, n, *size, bytes);
}

enum store_result content_delete(const struct content *c, uint32_t n) {
    uint8_t id[ID_BYTES];
    chunk_id(c, n, id);
    enum store_result result = store_delete(self.store, STORE_CHUNKS, id, STORE_ANY);
    return result == STORE_MISSING ? STORE_OK : result;
}
