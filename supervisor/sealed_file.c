#include "sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fits(int fd, size_t most) {
    struct stat st;
    if (fstat(fd, &st) < 0) return false;
    errno = EPERM;
    if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) return false;
    errno = EFBIG;
    return st.st_size > 0 && (uint64_t)st.st_size <= most;
}

static bool copy(int from, size_t most, struct sealed_file *to) {
    char piece[65536];
    for (ssize_t n; (n = read(from, piece, sizeof piece)) != 0; to->bytes += (uint64_t)n) {
        if (n < 0) return false;
        errno = EFBIG; /* it grows while it is read */
        if (to->bytes + (uint64_t)n > most || write(to->fd, piece, (size_t)n) != n) return false;
    }
    return fcntl(to->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
}

bool sealed_file_open(const char *path, size_t most, struct sealed_file *out) {
    *out = (struct sealed_file){.fd = -1};
    if (!*path) return true;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) return false;
    bool fine = fits(file, most) && (out->fd = memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING)) >= 0 && copy(file, most, out);
    int why = errno;
    close(file);
    if (!fine) sealed_file_close(out);
    errno = why;
    return fine;
}

void sealed_file_close(struct sealed_file *file) {
    if (file->fd >= 0) close(file->fd);
    *file = (struct sealed_file){.fd = -1};
}
