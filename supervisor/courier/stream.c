#include "stream.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 1 << 18 };

static int write_all(int to, const uint8_t *bytes, size_t size) {
    while (size) {
        ssize_t n = write(to, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static enum stream_end copy(int from, uint64_t offset, uint64_t size, int to, uint8_t *piece, EVP_MD_CTX *hash) {
    while (size) {
        ssize_t n = pread(from, piece, size < PIECE ? size : PIECE, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EBADMSG;
        if (n <= 0) return STREAM_READ;
        EVP_DigestUpdate(hash, piece, (size_t)n);
        if (write_all(to, piece, (size_t)n) < 0) return STREAM_WRITE;
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return STREAM_DONE;
}

enum stream_end stream_copy(int from, uint64_t offset, uint64_t size, int to, uint8_t sha256[32]) {
    uint8_t *piece = malloc(PIECE);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    enum stream_end end = STREAM_READ;
    errno = ENOMEM;
    if (piece && hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1) {
        end = copy(from, offset, size, to, piece, hash);
        if (end == STREAM_DONE) EVP_DigestFinal_ex(hash, sha256, NULL);
    }
    int error = errno;
    EVP_MD_CTX_free(hash);
    free(piece);
    errno = error;
    return end;
}
