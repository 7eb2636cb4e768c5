#include "program.h"

#include <fcntl.h>
#include <sha256.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    struct stat file;
    uint8_t hash[PROGRAM_HASH];
} known[PROGRAMS];

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0 && memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim) == 0;
}

static bool hash_file(int fd, uint8_t hash[PROGRAM_HASH]) {
    static uint8_t bytes[65536];
    SHA256_CTX context;
    ssize_t size;
    SHA256_Init(&context);
    while ((size = read(fd, bytes, sizeof bytes)) > 0)
        SHA256_Update(&context, bytes, (size_t)size);
    SHA256_Final(hash, &context);
    return size == 0;
}

void program_hash(enum program which, const char *path, uint8_t hash[PROGRAM_HASH]) {
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(hash, 0, PROGRAM_HASH);
    if (fd < 0) return;
    if (fstat(fd, &file) == 0) {
        if (same(&file, &known[which].file)) {
            memcpy(hash, known[which].hash, PROGRAM_HASH);
        } else if (hash_file(fd, hash)) {
            known[which].file = file;
            memcpy(known[which].hash, hash, PROGRAM_HASH);
        } else {
            memset(hash, 0, PROGRAM_HASH);
        }
    }
    close(fd);
}
