/*
 * The manifest of a snapshot: which chunks of which packs it is made of, and everything that lets anybody check it without a key (C7).
 *
 *   magic 16, tenant 8, number 8, taken_ms 8, commit 8, key_created 8, keep_ms 8, counted_ms 8, chunks 8, bytes 8, kind 4, packs 4,
 *   previous 32; for each pack: name 32, bytes 8, chunks 4, live 4, a bit for each chunk (the lowest of the first byte is the first chunk);
 *   SHA-256 of all that 32. Little endian.
 *
 * That last hash is the snapshot's; the next manifest holds it, so that one hash fixes the whole history. A pack's name is the SHA-256 of
 * its file. A pack is 16 bytes of magic, then chunks.
 */
#pragma once

#include "../../policy/backup.h"
#include "../../policy/chunk.h"

enum {
    PACK_HEAD = 16,
    PACK_BYTES = 16 << 20, /* a pack is closed when it has so many */
    PACK_CHUNKS_MAX = 1 << 20,
    PACKS_MAX = 65536, /* of one snapshot */
    MANIFEST_HEAD = 128,
    MANIFEST_MAX = 256 << 20,    /* bytes */
    PACK_NAME = 2 * BACKUP_HASH, /* hex digits */
    MANIFEST_NAME = 16,          /* hex digits of its number */
};

struct pack {
    uint8_t name[BACKUP_HASH];
    uint64_t bytes; /* of the file */
    uint32_t chunks, live;
    uint8_t *bits; /* (chunks + 7) / 8 bytes: which chunks belong to this snapshot */
};

struct manifest {
    uint64_t tenant;      /* number in the registry of the machine that took it */
    uint64_t number;      /* from 1, without a hole */
    uint64_t taken_ms;    /* Unix time */
    uint64_t commit;      /* of the store */
    uint64_t key_created; /* Unix seconds: of the master key that it is sealed under */
    uint64_t keep_ms;     /* of an archive: the lock, counted from counted_ms on; of a backup: how long the plan keeps it */
    uint64_t counted_ms;  /* how long the house had run in all when it was taken: no clock moves it (age.h) */
    uint64_t chunks;      /* live ones of all packs */
    uint64_t bytes;       /* of their values */
    uint32_t kind;        /* enum backup_kind */
    uint32_t packs;
    uint8_t previous[BACKUP_HASH]; /* of manifest number - 1; zero for the first */
    struct pack *pack;
    uint8_t hash[BACKUP_HASH]; /* of this one; set by reading and by writing */
};

/* Reads the whole of a manifest's bytes. false: not one (errno EBADMSG), or ENOMEM; then nothing is to be freed. */
bool manifest_parse(const uint8_t *bytes, size_t size, struct manifest *m);
/* The head alone; false: not a manifest's. */
bool manifest_head(const uint8_t bytes[MANIFEST_HEAD], struct manifest *m);
/* Allocates the bytes for the caller and sets m->hash. NULL with errno. */
uint8_t *manifest_format(struct manifest *m, size_t *size);
void manifest_free(struct manifest *m);

static inline bool pack_has(const struct pack *p, uint32_t chunk) { return p->bits[chunk / 8] >> chunk % 8 & 1; }
static inline size_t pack_bits(uint32_t chunks) { return (chunks + 7u) / 8; }

void pack_name(const uint8_t hash[BACKUP_HASH], char name[PACK_NAME + 1]);
void manifest_name(uint64_t number, char name[MANIFEST_NAME + 1]);
/* false: not a name of that form. */
bool pack_name_read(const char *name, uint8_t hash[BACKUP_HASH]);
bool manifest_name_read(const char *name, uint64_t *number);
