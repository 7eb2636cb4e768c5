/*
 * How a value lies in the file: version (8 bytes, little endian, in clear) then XAES-256-GCM over the padded plaintext, with
 * AAD = format, tenant, LMDB key, version. The LMDB key is one byte for the space and a PRF output for the name in it.
 */
#pragma once

#include "../keys/keys.h"

#include "../keys/xaes.h"

struct store;

enum {
    SPACE_META = 0x00,    /* the format and the caller's value, in clear, and the sealed state */
    SPACE_RECORDS = 0x00, /* + enum store_table */
    SPACE_NODES = 0x40,   /* + enum store_table */
};

enum { BLIND_BYTES = 16, SEALED_KEY = 1 + BLIND_BYTES, VERSION_BYTES = 8, SEALED_OVERHEAD = VERSION_BYTES + XAES_OVERHEAD };

struct sealed_key {
    uint8_t bytes[SEALED_KEY];
};

/* The size that Padmé gives a plaintext of `size` bytes: at most 12 % more, and O(log log) bits of it show
 * (Nikitin, Barman, Lueks, Underwood, Hubaux, Ford: "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PoPETs
 * 2019). */
uint64_t padme(uint64_t size);

/* The LMDB key of a name (a record's id, a node's number) of at most ID_BYTES. false: out of memory. */
bool seal_key(struct store *s, uint8_t space, const void *name, size_t size, struct sealed_key *key);

/* out: size + SEALED_OVERHEAD bytes. false: out of memory. */
bool seal_value(struct store *s, const struct sealed_key *key, uint64_t version, const void *plain, size_t size, uint8_t *out);
/* out: size - SEALED_OVERHEAD bytes. false: not what was sealed under this key, or shorter than SEALED_OVERHEAD. */
bool seal_open(struct store *s, const struct sealed_key *key, const uint8_t *sealed, size_t size, uint8_t *out);
uint64_t seal_version(const uint8_t *sealed); /* what it claims; true only once opened */

/* Memory that grows and is wiped before it goes back. */
struct buffer {
    uint8_t *bytes;
    size_t room;
};
bool buffer_reserve(struct buffer *b, size_t size); /* content is not kept; false: out of memory */
void buffer_free(struct buffer *b);

static inline void put_le(uint8_t *out, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}
static inline uint64_t get_le(const uint8_t *in, int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)in[i] << (8 * i);
    return v;
}
