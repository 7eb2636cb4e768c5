#include "chunk.h"

#include <string.h>

static const uint8_t stream_magic[16] = "cloison stream 1";
static const uint8_t end_key[CHUNK_KEY + 1] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

enum chunk_result chunk_parse(const uint8_t *bytes, size_t size, struct chunk *chunk, size_t *needs) {
    *needs = CHUNK_HEAD;
    if (size < CHUNK_HEAD) return CHUNK_MORE;
    chunk->size = (uint32_t)backup_get(bytes + CHUNK_KEY, 4);
    if (chunk->size > CHUNK_MAX) return CHUNK_BROKEN;
    *needs = CHUNK_HEAD + chunk->size;
    if (size < *needs) return CHUNK_MORE;
    memcpy(chunk->key, bytes, CHUNK_KEY);
    chunk->value = bytes + CHUNK_HEAD;
    return CHUNK_NEXT;
}

void chunk_head(const uint8_t key[CHUNK_KEY], uint32_t size, uint8_t head[CHUNK_HEAD]) {
    memcpy(head, key, CHUNK_KEY);
    backup_put(head + CHUNK_KEY, size, 4);
}

void chunk_tag(const struct chunk *chunk, uint8_t tag[CHUNK_TAG]) {
    size_t size = chunk->size < CHUNK_TAG ? chunk->size : CHUNK_TAG;
    memset(tag, 0, CHUNK_TAG);
    memcpy(tag, chunk->value, size);
}

void stream_head_write(const struct stream_head *head, uint8_t out[STREAM_HEAD]) {
    memcpy(out, stream_magic, sizeof stream_magic);
    backup_put(out + 16, head->commit, 8);
    backup_put(out + 24, head->key_created, 8);
}

bool stream_head_read(const uint8_t in[STREAM_HEAD], struct stream_head *head) {
    head->commit = backup_get(in + 16, 8);
    head->key_created = backup_get(in + 24, 8);
    return memcmp(in, stream_magic, sizeof stream_magic) == 0;
}

void stream_end_write(uint64_t chunks, uint64_t bytes, uint8_t out[STREAM_END]) {
    chunk_head(end_key, 16, out);
    backup_put(out + CHUNK_HEAD, chunks, 8);
    backup_put(out + CHUNK_HEAD + 8, bytes, 8);
}

bool stream_is_end(const struct chunk *chunk) { return memcmp(chunk->key, end_key, CHUNK_KEY) == 0; }

bool stream_end_fits(const struct chunk *chunk, uint64_t chunks, uint64_t bytes) {
    return chunk->size == 16 && backup_get(chunk->value, 8) == chunks && backup_get(chunk->value + 8, 8) == bytes;
}
