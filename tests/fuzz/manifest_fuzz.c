/* A manifest of a stranger's: whatever is taken is written again byte for byte; the same bytes as chunks are cut within their bounds. The
 * fuzzer cannot guess the hash at the end: it is given a fitting one. */
#include "../../supervisor/backup/manifest.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static void check(const uint8_t *bytes, size_t size) {
    struct manifest m;
    size_t again_size;
    uint64_t live = 0;
    if (!manifest_parse(bytes, size, &m)) {
        must(!m.pack);
        return;
    }
    for (uint32_t i = 0; i < m.packs; i++) {
        uint32_t bits = 0;
        for (uint32_t c = 0; c < m.pack[i].chunks; c++)
            bits += pack_has(&m.pack[i], c);
        must(bits == m.pack[i].live);
        live += bits;
    }
    must(live == m.chunks && m.number > 0 && m.kind < BACKUP_KINDS);
    uint8_t *again = manifest_format(&m, &again_size);
    must(again && again_size == size && memcmp(again, bytes, size) == 0);
    free(again);
    manifest_free(&m);
}

static void cut(const uint8_t *bytes, size_t size) {
    struct chunk c;
    size_t needs;
    while (chunk_parse(bytes, size, &c, &needs) == CHUNK_NEXT) {
        must(needs == CHUNK_HEAD + c.size && needs <= size && c.value + c.size == bytes + needs);
        bytes += needs;
        size -= needs;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check(data, size);
    uint8_t *copy = malloc(size + BACKUP_HASH);
    memcpy(copy, data, size);
    SHA256(copy, size, copy + size);
    check(copy, size + BACKUP_HASH);
    cut(copy, size);
    free(copy);
    return 0;
}
