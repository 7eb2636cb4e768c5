/*
 * The table of a snapshot: where each of its chunks lies, in the order of their keys. It lies beside the local manifests only, is read
 * through while the next snapshot comes in, and is no more than a saving: without it everything is written anew.
 *
 *   magic 16, hash of the manifest it is about 32, rows 8, packs 8; rows: key 17, tag 24, pack 4, place in it 4; for each pack as the rows
 *   number them its index in the manifest 4, or NO_PACK; SHA-256 of all that 32.
 */
#pragma once

#include "manifest.h"

enum { TABLE_ROW = CHUNK_KEY + CHUNK_TAG + 8 };
#define NO_PACK UINT32_MAX

struct table_row {
    uint8_t key[CHUNK_KEY];
    uint8_t tag[CHUNK_TAG];
    uint32_t pack, place; /* index into the manifest's packs; chunk in it */
};

struct table_reader {
    int fd;
    uint8_t *buffer;
    size_t from, to;
    uint64_t at, left; /* rows not yet read from the file, from there on */
    uint32_t *map;
    uint32_t packs;
    bool broken; /* reading failed half-way */
};

/* Whole, sound and about that manifest, else false: then there is none. The fd stays the caller's. */
bool table_open(struct table_reader *r, int fd, const uint8_t manifest[BACKUP_HASH]);
/* false: no more rows, or r->broken. */
bool table_next(struct table_reader *r, struct table_row *row);
void table_close(struct table_reader *r);

struct table_writer {
    int fd;
    uint8_t *buffer;
    size_t size;
    uint64_t rows;
    void *hash; /* EVP_MD_CTX */
};
/* The manifest's hash is not known yet: its place is filled by table_finish(). */
bool table_begin(struct table_writer *w, int fd);
bool table_add(struct table_writer *w, const struct table_row *row);
/* map: the index in the manifest of each pack as the rows number them. Durable on true; w is closed either way. */
bool table_finish(struct table_writer *w, const uint8_t manifest[BACKUP_HASH], const uint32_t *map, uint32_t packs);
void table_abandon(struct table_writer *w);
