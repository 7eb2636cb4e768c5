#include "zones.h"

#include "../policy/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool file_fits(int fd) {
    struct stat st;
    if (fstat(fd, &st) < 0) return false;
    errno = EPERM;
    if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) return false;
    errno = EFBIG;
    return st.st_size > 0 && st.st_size <= ZONES_BYTES_MAX;
}

static bool copy(int from, int to) {
    char piece[65536];
    size_t all = 0;
    for (ssize_t n; (n = read(from, piece, sizeof piece)) != 0; all += (size_t)n) {
        if (n < 0 || (all + (size_t)n > ZONES_BYTES_MAX && (errno = EFBIG))) return false;
        if (write(to, piece, (size_t)n) != n) return false;
    }
    return fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
}

bool zones_open(const char *path, int *fd) {
    *fd = -1;
    if (!*path) return true;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) return false;
    bool fine = file_fits(file) && (*fd = memfd_create("zones", MFD_CLOEXEC | MFD_ALLOW_SEALING)) >= 0 && copy(file, *fd);
    int why = errno;
    close(file);
    if (!fine && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    errno = why;
    return fine;
}
