#include "take.h"

#include "../clock.h"
#include "file.h"
#include "reader.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t pack_magic[PACK_HEAD] = "cloison pack 1";
enum {
    SPARSE = 4,            /* a pack of which less than one in four chunks is live is written anew */
    SMALL_BYTES = 1 << 20, /* and one smaller than this, */
    SMALL_MOST = 64,       /* when there are more of them */
    OUT = 1 << 20,
};

/* The pack that is being written; one at a time. */
struct writer {
    int folder, fd;
    uint8_t *buffer;
    size_t size;
    uint64_t bytes;
    uint32_t chunks;
    EVP_MD_CTX *hash;
};

struct taking {
    const struct take *asked;
    int packs;           /* the folder of packs */
    struct pack *pack;   /* those of `before`, then new ones; those with live == 0 are left out in the end */
    bool *renew;         /* of those of `before`: what lies there is written anew */
    uint32_t old, count; /* packs of `before`; packs */
    struct writer out;
    struct chunk_reader in;
    struct table_reader known;
    struct table_row row; /* of `known`, when has_row */
    bool has_row;
    int known_fd, table_fd;
    struct table_writer table;
    uint64_t begun, chunks, bytes, fresh;
    uint8_t (*mine)[BACKUP_HASH]; /* packs that were not there before */
    uint32_t mine_count;
};

static enum backup_result spool_failed(void) {
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? BACKUP_SPOOL_FULL : BACKUP_SPOOL;
}

/* ---- the pack being written ---- */

static bool flush(struct writer *w) {
    bool fine = EVP_DigestUpdate(w->hash, w->buffer, w->size) && file_write(w->fd, w->buffer, w->size);
    w->size = 0;
    return fine;
}

static bool put(struct writer *w, const void *bytes, size_t size) {
    w->bytes += size;
    while (size > 0) {
        size_t part = size < OUT - w->size ? size : OUT - w->size;
        memcpy(w->buffer + w->size, bytes, part);
        w->size += part;
        bytes = (const uint8_t *)bytes + part;
        size -= part;
        if (w->size == OUT && !flush(w)) return false;
    }
    return true;
}

static bool begin_pack(struct taking *t) {
    struct writer *w = &t->out;
    struct pack *more = (t->count - t->old) % 64 == 0 ? realloc(t->pack, (t->count + 65) * sizeof *more) : t->pack;
    if (!more) return false;
    t->pack = more;
    errno = EFBIG;
    if (t->count == 2 * PACKS_MAX) return false;
    t->pack[t->count] = (struct pack){0};
    w->bytes = w->size = w->chunks = 0;
    w->fd = openat(t->packs, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return w->fd >= 0 && EVP_DigestInit_ex(w->hash, EVP_sha256(), NULL) && put(w, pack_magic, PACK_HEAD);
}

/* "new" gets its name. One of that name may be there, of a snapshot that was killed: it is replaced, and not ours to remove. */
static bool name_pack(struct taking *t, const uint8_t hash[BACKUP_HASH]) {
    char name[PACK_NAME + 1];
    pack_name(hash, name);
    void *more = t->mine_count % 64 ? t->mine : realloc(t->mine, (t->mine_count + 64) * sizeof *t->mine);
    if (!more) return false;
    t->mine = more;
    if (renameat2(t->packs, "new", t->packs, name, RENAME_NOREPLACE) == 0) {
        memcpy(t->mine[t->mine_count++], hash, BACKUP_HASH);
        return true;
    }
    return errno == EEXIST && renameat2(t->packs, "new", t->packs, name, 0) == 0;
}

static void remove_mine(struct taking *t) {
    char name[PACK_NAME + 1];
    for (uint32_t i = 0; i < t->mine_count; i++) {
        pack_name(t->mine[i], name);
        unlinkat(t->packs, name, 0);
    }
}

/* All its chunks are live. */
static bool end_pack(struct taking *t) {
    struct writer *w = &t->out;
    struct pack *p = &t->pack[t->count];
    bool fine = flush(w) && EVP_DigestFinal_ex(w->hash, p->name, NULL) && fsync(w->fd) == 0;
    close(w->fd);
    w->fd = -1;
    p->bytes = w->bytes;
    p->chunks = p->live = w->chunks;
    p->bits = calloc(1, pack_bits(p->chunks));
    t->count++;
    if (!fine || !p->bits || !name_pack(t, p->name)) return false;
    memset(p->bits, 0xff, p->chunks / 8);
    if (p->chunks % 8) p->bits[p->chunks / 8] = (uint8_t)((1u << p->chunks % 8) - 1);
    t->fresh += p->bytes;
    return true;
}

static bool write_chunk(struct taking *t, const struct chunk *c, struct table_row *row) {
    struct writer *w = &t->out;
    uint8_t head[CHUNK_HEAD];
    if (w->fd >= 0 && (w->bytes + CHUNK_HEAD + c->size > PACK_BYTES || w->chunks == PACK_CHUNKS_MAX) && !end_pack(t)) return false;
    if (w->fd < 0 && !begin_pack(t)) return false;
    chunk_head(c->key, c->size, head);
    row->pack = t->count;
    row->place = w->chunks++;
    return put(w, head, sizeof head) && put(w, c->value, c->size);
}

/* ---- what is known of the snapshot before ---- */

/* Which packs are hardly used any more, or too small while there are many: so space and their number stay bounded. */
static void choose(struct taking *t) {
    uint32_t small = 0;
    for (uint32_t i = 0; i < t->old; i++)
        small += t->pack[i].bytes < SMALL_BYTES;
    for (uint32_t i = 0; i < t->old; i++) {
        const struct pack *p = &t->pack[i];
        t->renew[i] = p->live < p->chunks / SPARSE || (small > SMALL_MOST && p->bytes < SMALL_BYTES);
    }
}

static bool copy_packs(struct taking *t) {
    const struct manifest *m = t->asked->before;
    t->old = t->count = m ? m->packs : 0;
    t->pack = calloc(t->old + 65, sizeof *t->pack);
    t->renew = calloc(t->old + 1, sizeof *t->renew);
    if (!t->pack || !t->renew) return false;
    for (uint32_t i = 0; i < t->old; i++) {
        t->pack[i] = m->pack[i];
        t->pack[i].bits = calloc(1, pack_bits(m->pack[i].chunks));
        if (!t->pack[i].bits) return false;
    }
    choose(t);
    for (uint32_t i = 0; i < t->old; i++)
        t->pack[i].live = 0;
    return true;
}

static void open_known(struct taking *t) {
    if (!t->asked->before) return;
    t->known_fd = openat(t->asked->folder, "table", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (t->known_fd >= 0 && table_open(&t->known, t->known_fd, t->asked->before->hash)) t->has_row = table_next(&t->known, &t->row);
}

/* Whether the snapshot before has this very chunk in a pack that stays. */
static bool find(struct taking *t, const struct chunk *c, struct table_row *row) {
    int order = -1;
    while (t->has_row && (order = memcmp(t->row.key, c->key, CHUNK_KEY)) < 0)
        t->has_row = table_next(&t->known, &t->row);
    if (!t->has_row || order != 0 || memcmp(t->row.tag, row->tag, CHUNK_TAG) != 0) return false;
    if (t->row.pack >= t->old || t->renew[t->row.pack]) return false;
    struct pack *p = &t->pack[t->row.pack];
    if (t->row.place >= p->chunks || pack_has(p, t->row.place)) return false;
    p->bits[t->row.place / 8] |= (uint8_t)(1u << t->row.place % 8);
    p->live++;
    row->pack = t->row.pack;
    row->place = t->row.place;
    return true;
}

/* ---- the stream ---- */

static enum backup_result stream_failed(enum chunk_result result) {
    if (result != CHUNK_FAILED) return BACKUP_NO_STREAM;
    return errno == ETIMEDOUT ? BACKUP_STALLED : errno == ENOMEM ? BACKUP_MEMORY : BACKUP_NO_STREAM;
}

/* C7: a worker that drips its snapshot has not got the spool for itself */
static void hurry(struct taking *t) {
    uint64_t ms = t->asked->slack_ms + (t->chunks * CHUNK_HEAD + t->bytes) / (TAKE_SLOWEST / 1000);
    t->in.until = t->begun + (ms < t->asked->most_ms ? ms : t->asked->most_ms);
}

static enum backup_result take_chunk(struct taking *t, const struct chunk *c) {
    struct table_row row;
    t->chunks++;
    t->bytes += c->size;
    hurry(t);
    if (t->chunks * CHUNK_HEAD + t->bytes > t->asked->most_bytes) return BACKUP_NO_STREAM; /* a hostile worker's has no end */
    memcpy(row.key, c->key, CHUNK_KEY);
    chunk_tag(c, row.tag);
    if (!find(t, c, &row) && !write_chunk(t, c, &row)) return spool_failed();
    return table_add(&t->table, &row) ? BACKUP_DONE : spool_failed();
}

static enum backup_result take_stream(struct taking *t, struct stream_head *head) {
    const uint8_t *bytes;
    struct chunk c;
    enum chunk_result read = chunk_reader_bytes(&t->in, STREAM_HEAD, &bytes);
    if (read != CHUNK_NEXT || !stream_head_read(bytes, head)) return stream_failed(read);
    while ((read = chunk_reader_next(&t->in, &c)) == CHUNK_NEXT) {
        if (stream_is_end(&c)) break;
        enum backup_result result = take_chunk(t, &c);
        if (result != BACKUP_DONE) return result;
    }
    if (read != CHUNK_NEXT) return stream_failed(read); /* cut short */
    return stream_end_fits(&c, t->chunks, t->bytes) ? BACKUP_DONE : BACKUP_NO_STREAM;
}

/* ---- the manifest ---- */

/* The live packs alone, and where each went; the rest is freed. */
static uint32_t keep_live(struct taking *t, uint32_t *map) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        map[i] = t->pack[i].live ? kept : NO_PACK;
        if (t->pack[i].live)
            t->pack[kept++] = t->pack[i];
        else
            free(t->pack[i].bits);
    }
    return t->count = kept;
}

static enum backup_result write_all(struct taking *t, const struct stream_head *head, struct manifest *made) {
    const struct take *a = t->asked;
    char name[MANIFEST_NAME + 1];
    struct stat there;
    size_t size;
    uint32_t packs = t->count, *map = calloc(packs + 1, sizeof *map);
    if (!map) return BACKUP_MEMORY;
    *made = (struct manifest){.tenant = a->tenant, .number = a->number, .taken_ms = a->taken_ms, .keep_ms = a->keep_ms, .kind = a->kind};
    made->counted_ms = a->counted_ms;
    made->commit = head->commit;
    made->key_created = head->key_created;
    made->chunks = t->chunks;
    made->bytes = t->bytes;
    made->packs = keep_live(t, map);
    made->pack = t->pack;
    t->pack = NULL;
    if (a->before) memcpy(made->previous, a->before->hash, BACKUP_HASH);
    errno = EFBIG;
    uint8_t *bytes = made->packs <= PACKS_MAX ? manifest_format(made, &size) : NULL;
    int manifests = file_directory(a->folder, "manifests");
    manifest_name(a->number, name);
    bool fine = bytes && manifests >= 0 && fsync(t->packs) == 0 && table_finish(&t->table, made->hash, map, packs) &&
                renameat2(a->folder, "table.new", a->folder, "table", 0) == 0 && fsync(a->folder) == 0 &&
                file_store(manifests, name, bytes, size);
    enum backup_result result = fine ? BACKUP_DONE : spool_failed();
    if (manifests >= 0 && fstatat(manifests, name, &there, AT_SYMLINK_NOFOLLOW) == 0) t->mine_count = 0; /* it names them */
    if (manifests >= 0) close(manifests);
    free(bytes);
    free(map);
    if (!fine) manifest_free(made);
    return result;
}

static bool open_all(struct taking *t) {
    const struct take *a = t->asked;
    t->packs = file_directory(a->folder, "packs");
    t->table_fd = openat(a->folder, "table.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    t->out.hash = EVP_MD_CTX_new();
    t->out.buffer = malloc(OUT);
    errno = t->out.hash && t->out.buffer ? errno : ENOMEM;
    if (t->packs < 0 || t->table_fd < 0 || !t->out.hash || !t->out.buffer || !copy_packs(t)) return false;
    if (!table_begin(&t->table, t->table_fd) || !chunk_reader_open(&t->in, a->stream, false)) return false;
    t->in.patience_ms = TAKE_PATIENCE_MS;
    t->begun = clock_ms();
    hurry(t);
    open_known(t);
    return true;
}

static void close_fd(int fd) {
    if (fd >= 0) close(fd);
}

static void close_all(struct taking *t) {
    for (uint32_t i = 0; t->pack && i < t->count; i++)
        free(t->pack[i].bits);
    free(t->pack);
    free(t->renew);
    free(t->mine);
    free(t->out.buffer);
    EVP_MD_CTX_free(t->out.hash);
    table_abandon(&t->table);
    table_close(&t->known);
    chunk_reader_close(&t->in);
    close_fd(t->out.fd);
    close_fd(t->known_fd);
    close_fd(t->table_fd);
    if (t->packs >= 0) unlinkat(t->packs, "new", 0);
    close_fd(t->packs);
    unlinkat(t->asked->folder, "table.new", 0);
}

enum backup_result take_snapshot(const struct take *asked, struct manifest *made, uint64_t *fresh) {
    struct taking t = {.asked = asked, .packs = -1, .known_fd = -1, .table_fd = -1, .out.fd = -1};
    struct stream_head head;
    *made = (struct manifest){0};
    enum backup_result result = open_all(&t) ? take_stream(&t, &head) : spool_failed();
    if (result == BACKUP_DONE && t.out.fd >= 0 && !end_pack(&t)) result = spool_failed();
    if (result == BACKUP_DONE) result = write_all(&t, &head, made);
    if (result != BACKUP_DONE) remove_mine(&t);
    *fresh = t.fresh;
    close_all(&t);
    return result;
}
