#include "seal.h"

#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_KEPT = 64 << 10 }; /* a larger buffer is given back when a smaller one will do */

uint64_t padme(uint64_t size) {
    if (size < 2) return size;
    int e = 63 - __builtin_clzll(size);
    int shown = 64 - __builtin_clzll((uint64_t)e);
    if (e <= shown) return size;
    uint64_t mask = (1ULL << (e - shown)) - 1;
    return (size + mask) & ~mask;
}

bool seal_key(struct store *s, uint8_t space, const void *name, size_t size, struct sealed_key *key) {
    uint8_t input[1 + ID_BYTES] = {space}, output[PRF_BYTES];

    memcpy(input + 1, name, size);
    if (!prf_run(s->blind, input, 1 + size, output)) return false;
    key->bytes[0] = space;
    memcpy(key->bytes + 1, output, BLIND_BYTES);
    return true;
}

/* AAD */
enum { BOUND_BYTES = 1 + ID_BYTES + SEALED_KEY + VERSION_BYTES };

static void bind(const struct store *s, const struct sealed_key *key, const uint8_t *version, uint8_t aad[BOUND_BYTES]) {
    aad[0] = STORE_FORMAT;
    memcpy(aad + 1, s->tenant, ID_BYTES);
    memcpy(aad + 1 + ID_BYTES, key->bytes, SEALED_KEY);
    memcpy(aad + 1 + ID_BYTES + SEALED_KEY, version, VERSION_BYTES);
}

/* S4: what is stored is sealed under a key of the tenant's, bound to tenant, table, key and version */
bool seal_value(struct store *s, const struct sealed_key *key, uint64_t version, const void *plain, size_t size, uint8_t *out) {
    uint8_t aad[BOUND_BYTES];

    put_le(out, version, VERSION_BYTES);
    bind(s, key, out, aad);
    return xaes_seal(s->keys->records, aad, sizeof aad, plain, size, out + VERSION_BYTES);
}

bool seal_open(struct store *s, const struct sealed_key *key, const uint8_t *sealed, size_t size, uint8_t *out) {
    uint8_t aad[BOUND_BYTES];

    if (size < SEALED_OVERHEAD) return false;
    bind(s, key, sealed, aad);
    return xaes_open(s->keys->records, aad, sizeof aad, sealed + VERSION_BYTES, size - VERSION_BYTES, out);
}

uint64_t seal_version(const uint8_t *sealed) { return get_le(sealed, VERSION_BYTES); }

bool buffer_reserve(struct buffer *b, size_t size) {
    if (b->room >= size && (b->room <= BUFFER_KEPT || size > BUFFER_KEPT)) return true;
    buffer_free(b);
    size_t room = size < 4096 ? 4096 : size;
    b->bytes = malloc(room);
    if (b->bytes) b->room = room;
    return b->bytes != NULL;
}

void buffer_free(struct buffer *b) {
    if (b->bytes) secret_wipe(b->bytes, b->room);
    free(b->bytes);
    *b = (struct buffer){0};
}
