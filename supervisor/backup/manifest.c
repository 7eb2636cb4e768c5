#include "manifest.h"

#include "../../policy/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[16] = "cloison manif 1";
enum { PACK_ROW = BACKUP_HASH + 16 };

static void read_head(const uint8_t *in, struct manifest *m) {
    uint64_t *const field[] = {&m->tenant,  &m->number,     &m->taken_ms, &m->commit, &m->key_created,
                               &m->keep_ms, &m->counted_ms, &m->chunks,   &m->bytes};
    in += sizeof magic;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++, in += 8)
        *field[i] = backup_get(in, 8);
    m->kind = (uint32_t)backup_get(in, 4);
    m->packs = (uint32_t)backup_get(in + 4, 4);
    memcpy(m->previous, in + 8, BACKUP_HASH);
}

static void write_head(const struct manifest *m, uint8_t *out) {
    const uint64_t field[] = {m->tenant, m->number, m->taken_ms, m->commit, m->key_created, m->keep_ms, m->counted_ms, m->chunks, m->bytes};
    memcpy(out, magic, sizeof magic);
    out += sizeof magic;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++, out += 8)
        backup_put(out, field[i], 8);
    backup_put(out, m->kind, 4);
    backup_put(out + 4, m->packs, 4);
    memcpy(out + 8, m->previous, BACKUP_HASH);
}
_Static_assert(16 + 9 * 8 + 8 + BACKUP_HASH == MANIFEST_HEAD, "the head");

bool manifest_head(const uint8_t bytes[MANIFEST_HEAD], struct manifest *m) {
    *m = (struct manifest){0};
    read_head(bytes, m);
    return memcmp(bytes, magic, sizeof magic) == 0 && m->number > 0 && m->kind < BACKUP_KINDS;
}

static uint32_t count_bits(const uint8_t *bits, size_t size) {
    uint32_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += (uint32_t)__builtin_popcount(bits[i]);
    return n;
}

/* One pack from *in on; the bits are copied. */
static bool read_pack(const uint8_t **in, const uint8_t *end, struct pack *p) {
    if (end - *in < PACK_ROW) return false;
    memcpy(p->name, *in, BACKUP_HASH);
    p->bytes = backup_get(*in + BACKUP_HASH, 8);
    p->chunks = (uint32_t)backup_get(*in + BACKUP_HASH + 8, 4);
    p->live = (uint32_t)backup_get(*in + BACKUP_HASH + 12, 4);
    *in += PACK_ROW;
    if (p->chunks == 0 || p->chunks > PACK_CHUNKS_MAX || (uint64_t)(end - *in) < pack_bits(p->chunks)) return false;
    size_t size = pack_bits(p->chunks);
    bool tail_is_clear = p->chunks % 8 == 0 || (*in)[size - 1] >> p->chunks % 8 == 0;
    if (!tail_is_clear || p->live == 0 || count_bits(*in, size) != p->live) return false;
    p->bits = malloc(size);
    if (!p->bits) return false;
    memcpy(p->bits, *in, size);
    *in += size;
    return true;
}

static bool read_packs(const uint8_t *in, const uint8_t *end, struct manifest *m) {
    uint64_t live = 0;
    m->pack = calloc(m->packs ? m->packs : 1, sizeof *m->pack);
    if (!m->pack) return false;
    errno = EBADMSG;
    for (uint32_t i = 0; i < m->packs; i++) {
        if (!read_pack(&in, end, &m->pack[i])) return false;
        live += m->pack[i].live;
    }
    return in == end && live == m->chunks;
}

bool manifest_parse(const uint8_t *bytes, size_t size, struct manifest *m) {
    *m = (struct manifest){0};
    errno = EBADMSG;
    if (size < MANIFEST_HEAD + BACKUP_HASH || size > MANIFEST_MAX || memcmp(bytes, magic, sizeof magic) != 0) return false;
    const uint8_t *end = bytes + size - BACKUP_HASH;
    SHA256(bytes, (size_t)(end - bytes), m->hash);
    if (memcmp(m->hash, end, BACKUP_HASH) != 0) return false;
    read_head(bytes, m);
    /* A row each at least, so that a count is no larger than the file. */
    if (m->packs > PACKS_MAX || (uint64_t)m->packs * PACK_ROW > size || m->number == 0 || m->kind >= BACKUP_KINDS) {
        *m = (struct manifest){0};
        return false;
    }
    if (read_packs(bytes + MANIFEST_HEAD, end, m)) return true;
    int why = errno;
    manifest_free(m);
    errno = why;
    return false;
}

uint8_t *manifest_format(struct manifest *m, size_t *size) {
    *size = MANIFEST_HEAD + BACKUP_HASH;
    for (uint32_t i = 0; i < m->packs; i++)
        *size += PACK_ROW + pack_bits(m->pack[i].chunks);
    errno = EFBIG;
    uint8_t *bytes = *size > MANIFEST_MAX ? NULL : calloc(1, *size), *out = bytes;
    if (!bytes) return NULL;
    write_head(m, out);
    out += MANIFEST_HEAD;
    for (uint32_t i = 0; i < m->packs; i++) {
        const struct pack *p = &m->pack[i];
        memcpy(out, p->name, BACKUP_HASH);
        backup_put(out + BACKUP_HASH, p->bytes, 8);
        backup_put(out + BACKUP_HASH + 8, p->chunks, 4);
        backup_put(out + BACKUP_HASH + 12, p->live, 4);
        memcpy(out + PACK_ROW, p->bits, pack_bits(p->chunks));
        out += PACK_ROW + pack_bits(p->chunks);
    }
    SHA256(bytes, (size_t)(out - bytes), out);
    memcpy(m->hash, out, BACKUP_HASH);
    return bytes;
}

void manifest_free(struct manifest *m) {
    for (uint32_t i = 0; m->pack && i < m->packs; i++)
        free(m->pack[i].bits);
    free(m->pack);
    *m = (struct manifest){0};
}

void pack_name(const uint8_t hash[BACKUP_HASH], char name[PACK_NAME + 1]) {
    hex_write(hash, BACKUP_HASH, name);
    name[PACK_NAME] = '\0';
}

void manifest_name(uint64_t number, char name[MANIFEST_NAME + 1]) { snprintf(name, MANIFEST_NAME + 1, "%016" PRIx64, number); }

bool pack_name_read(const char *name, uint8_t hash[BACKUP_HASH]) { return strlen(name) == PACK_NAME && hex_read(name, BACKUP_HASH, hash); }

bool manifest_name_read(const char *name, uint64_t *number) {
    uint8_t bytes[MANIFEST_NAME / 2];
    *number = 0;
    if (strlen(name) != MANIFEST_NAME || !hex_read(name, sizeof bytes, bytes)) return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        *number = *number << 8 | bytes[i];
    return *number > 0;
}
