#include "give.h"

#include "file.h"
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t pack_magic[PACK_HEAD] = "cloison pack 1";

static enum backup_result read_failed(enum chunk_result r) {
    return r != CHUNK_FAILED ? BACKUP_DAMAGED : errno == ENOMEM ? BACKUP_MEMORY : BACKUP_DAMAGED;
}

/* A chunk that is there with its head right before it: one write. */
static bool hand_on(int out, const struct chunk *c) { return out < 0 || file_write(out, c->value - CHUNK_HEAD, CHUNK_HEAD + c->size); }

static enum backup_result read_chunks(struct chunk_reader *r, const struct pack *p, int out, uint64_t *chunks, uint64_t *bytes) {
    const uint8_t *head;
    uint8_t hash[BACKUP_HASH];
    struct chunk c;
    uint32_t n = 0;
    enum chunk_result read = chunk_reader_bytes(r, PACK_HEAD, &head);
    if (read != CHUNK_NEXT || memcmp(head, pack_magic, PACK_HEAD) != 0) return read_failed(read);
    while ((read = chunk_reader_next(r, &c)) == CHUNK_NEXT) {
        if (n == p->chunks) return BACKUP_DAMAGED;
        bool live = pack_has(p, n++);
        if (live && !hand_on(out, &c)) return BACKUP_NO_STREAM;
        *chunks += live;
        *bytes += live ? c.size : 0;
    }
    if (read != CHUNK_END || n != p->chunks) return read_failed(read);
    return chunk_reader_hash(r, hash) && memcmp(hash, p->name, BACKUP_HASH) == 0 ? BACKUP_DONE : BACKUP_DAMAGED;
}

enum backup_result give_pack(int packs, const struct pack *p, int out, uint64_t *chunks, uint64_t *bytes) {
    char name[PACK_NAME + 1];
    uint64_t unused = 0;
    struct chunk_reader r;
    struct stat st;
    pack_name(p->name, name);
    int fd = openat(packs, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? BACKUP_MISSING : BACKUP_DAMAGED;
    enum backup_result result = BACKUP_DAMAGED;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == p->bytes) {
        result = BACKUP_MEMORY;
        if (chunk_reader_open(&r, fd, true)) {
            result = read_chunks(&r, p, out, chunks ? chunks : &unused, bytes ? bytes : &unused);
            chunk_reader_close(&r);
        }
    }
    close(fd);
    return result;
}

enum backup_result give_snapshot(int packs, const struct manifest *m, int out, uint32_t *wrong) {
    struct stream_head head = {.commit = m->commit, .key_created = m->key_created};
    uint8_t first[STREAM_HEAD], last[STREAM_END];
    uint64_t chunks = 0, bytes = 0;
    stream_head_write(&head, first);
    if (out >= 0 && !file_write(out, first, sizeof first)) return BACKUP_NO_STREAM;
    for (uint32_t i = 0; i < m->packs; i++) {
        if (wrong) *wrong = i;
        enum backup_result result = give_pack(packs, &m->pack[i], out, &chunks, &bytes);
        if (result != BACKUP_DONE) return result;
    }
    if (chunks != m->chunks || bytes != m->bytes) return BACKUP_DAMAGED;
    stream_end_write(chunks, bytes, last);
    return out < 0 || file_write(out, last, sizeof last) ? BACKUP_DONE : BACKUP_NO_STREAM;
}
