/* Reads chunks from a file or pipe, in constant memory. */
#pragma once

#include "../../policy/backup.h"
#include "../../policy/chunk.h"

enum { READER_BUFFER = 256 << 10 /* bytes read at once */ };

struct chunk_reader {
    int fd;          /* borrowed, blocking */
    int patience_ms; /* the longest wait for a byte; -1 = for ever */
    uint64_t until;  /* ms of the clock: no wait begins after it; 0 = none, and none without patience */
    bool ordered;    /* keys must rise */
    uint8_t *buffer;
    size_t room, from, to;
    bool ended, any;
    uint8_t last[CHUNK_KEY]; /* key of the last one, when any */
    void *hash;              /* EVP_MD_CTX over all that was read; NULL = none */
};

/* hashed: chunk_reader_hash() will be asked. Keys must rise and patience is endless unless the caller says otherwise in *r afterwards.
 * false with errno. */
bool chunk_reader_open(struct chunk_reader *r, int fd, bool hashed);
void chunk_reader_close(struct chunk_reader *r);
/* Exactly `size` bytes (at most READER_BUFFER) at the front. CHUNK_FAILED: errno, ETIMEDOUT among them. */
enum chunk_result chunk_reader_bytes(struct chunk_reader *r, size_t size, const uint8_t **bytes);
/* The value is valid until the next call. CHUNK_END: the file ends here. */
enum chunk_result chunk_reader_next(struct chunk_reader *r, struct chunk *chunk);
/* After CHUNK_END: of the whole file. */
bool chunk_reader_hash(struct chunk_reader *r, uint8_t hash[BACKUP_HASH]);
