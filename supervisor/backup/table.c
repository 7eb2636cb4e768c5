#include "table.h"

#include "file.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t magic[16] = "cloison table 1";
enum { ROWS = 1024, BUFFER = ROWS * TABLE_ROW, HEAD = 16 + BACKUP_HASH + 16 };

/* The hash goes over what follows the head, then over the head, which is written last. */
static bool sound(int fd, uint64_t end, const uint8_t *head, uint8_t *buffer) {
    uint8_t hash[BACKUP_HASH], said[BACKUP_HASH];
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    bool fine = sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL);
    for (uint64_t at = HEAD; fine && at < end;) {
        size_t want = end - at < BUFFER ? (size_t)(end - at) : BUFFER;
        fine = file_read(fd, buffer, want, at) && EVP_DigestUpdate(sum, buffer, want);
        at += want;
    }
    fine = fine && EVP_DigestUpdate(sum, head, HEAD) && EVP_DigestFinal_ex(sum, hash, NULL) && file_read(fd, said, BACKUP_HASH, end) &&
           memcmp(hash, said, BACKUP_HASH) == 0;
    EVP_MD_CTX_free(sum);
    return fine;
}

static bool read_map(struct table_reader *r, uint64_t at) {
    size_t size = (size_t)r->packs * 4;
    r->map = malloc(size + 1);
    uint8_t *bytes = malloc(size + 1);
    bool fine = r->map && bytes && file_read(r->fd, bytes, size, at);
    for (uint32_t i = 0; fine && i < r->packs; i++)
        r->map[i] = (uint32_t)backup_get(bytes + 4 * (size_t)i, 4);
    free(bytes);
    return fine;
}

static bool read_whole(struct table_reader *r, const uint8_t manifest[BACKUP_HASH]) {
    uint8_t head[HEAD];
    struct stat st;
    if (!r->buffer || fstat(r->fd, &st) < 0 || st.st_size < HEAD + BACKUP_HASH || !file_read(r->fd, head, HEAD, 0)) return false;
    uint64_t rows = backup_get(head + 16 + BACKUP_HASH, 8), packs = backup_get(head + 24 + BACKUP_HASH, 8);
    uint64_t body = (uint64_t)st.st_size - HEAD - BACKUP_HASH;
    if (memcmp(head, magic, sizeof magic) != 0 || memcmp(head + sizeof magic, manifest, BACKUP_HASH) != 0) return false;
    if (packs > 2 * PACKS_MAX || packs * 4 > body || (body - packs * 4) % TABLE_ROW != 0 || (body - packs * 4) / TABLE_ROW != rows)
        return false;
    r->left = rows;
    r->at = HEAD;
    r->packs = (uint32_t)packs;
    return sound(r->fd, HEAD + body, head, r->buffer) && read_map(r, HEAD + rows * TABLE_ROW);
}

bool table_open(struct table_reader *r, int fd, const uint8_t manifest[BACKUP_HASH]) {
    *r = (struct table_reader){.fd = fd, .buffer = malloc(BUFFER)};
    if (read_whole(r, manifest)) return true;
    table_close(r);
    return false;
}

static bool refill(struct table_reader *r) {
    size_t rows = r->left < ROWS ? (size_t)r->left : ROWS;
    if (rows == 0) return false;
    r->broken = !file_read(r->fd, r->buffer, rows * TABLE_ROW, r->at);
    r->from = 0;
    r->to = r->broken ? 0 : rows * TABLE_ROW;
    r->at += rows * TABLE_ROW;
    r->left = r->broken ? 0 : r->left - rows;
    return !r->broken;
}

bool table_next(struct table_reader *r, struct table_row *row) {
    if (!r->buffer || (r->from == r->to && !refill(r))) return false;
    const uint8_t *at = r->buffer + r->from;
    memcpy(row->key, at, CHUNK_KEY);
    memcpy(row->tag, at + CHUNK_KEY, CHUNK_TAG);
    uint32_t pack = (uint32_t)backup_get(at + CHUNK_KEY + CHUNK_TAG, 4);
    row->pack = pack < r->packs ? r->map[pack] : NO_PACK;
    row->place = (uint32_t)backup_get(at + CHUNK_KEY + CHUNK_TAG + 4, 4);
    r->from += TABLE_ROW;
    return true;
}

void table_close(struct table_reader *r) {
    free(r->buffer);
    free(r->map);
    r->buffer = NULL;
    r->map = NULL;
}

bool table_begin(struct table_writer *w, int fd) {
    static const uint8_t blank[HEAD];
    *w = (struct table_writer){.fd = fd, .buffer = malloc(BUFFER), .hash = EVP_MD_CTX_new()};
    if (w->buffer && w->hash && EVP_DigestInit_ex(w->hash, EVP_sha256(), NULL) && file_write(fd, blank, HEAD)) return true;
    table_abandon(w);
    return false;
}

static bool append(struct table_writer *w, const void *bytes, size_t size) {
    return EVP_DigestUpdate(w->hash, bytes, size) && file_write(w->fd, bytes, size);
}

bool table_add(struct table_writer *w, const struct table_row *row) {
    uint8_t *out = w->buffer + w->size;
    memcpy(out, row->key, CHUNK_KEY);
    memcpy(out + CHUNK_KEY, row->tag, CHUNK_TAG);
    backup_put(out + CHUNK_KEY + CHUNK_TAG, row->pack, 4);
    backup_put(out + CHUNK_KEY + CHUNK_TAG + 4, row->place, 4);
    w->size += TABLE_ROW;
    w->rows++;
    if (w->size < BUFFER) return true;
    w->size = 0;
    return append(w, w->buffer, BUFFER);
}

bool table_finish(struct table_writer *w, const uint8_t manifest[BACKUP_HASH], const uint32_t *map, uint32_t packs) {
    uint8_t head[HEAD], hash[BACKUP_HASH], entry[4];
    memcpy(head, magic, sizeof magic);
    memcpy(head + sizeof magic, manifest, BACKUP_HASH);
    backup_put(head + 16 + BACKUP_HASH, w->rows, 8);
    backup_put(head + 24 + BACKUP_HASH, packs, 8);
    bool fine = append(w, w->buffer, w->size);
    for (uint32_t i = 0; fine && i < packs; i++) {
        backup_put(entry, map[i], 4);
        fine = append(w, entry, sizeof entry);
    }
    fine = fine && EVP_DigestUpdate(w->hash, head, HEAD) && EVP_DigestFinal_ex(w->hash, hash, NULL) &&
           file_write(w->fd, hash, BACKUP_HASH) && pwrite(w->fd, head, HEAD, 0) == HEAD && fsync(w->fd) == 0;
    table_abandon(w);
    return fine;
}

void table_abandon(struct table_writer *w) {
    free(w->buffer);
    EVP_MD_CTX_free(w->hash);
    w->buffer = NULL;
    w->hash = NULL;
}
