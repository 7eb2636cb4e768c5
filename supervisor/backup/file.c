#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_read(int fd, void *bytes, size_t size, uint64_t at) {
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (uint8_t *)bytes + done, size - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = ENODATA;
        if (got <= 0) return false;
        done += (size_t)got;
    }
    return true;
}

bool file_write(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, (const uint8_t *)bytes + done, size - done);
        if (put < 0 && errno == EINTR) continue;
        if (put == 0) errno = EIO;
        if (put <= 0) return false;
        done += (size_t)put;
    }
    return true;
}

uint8_t *file_load(int directory, const char *name, size_t most, size_t *size) {
    struct stat st;
    uint8_t *bytes = NULL;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0) {
        errno = !S_ISREG(st.st_mode) ? EBADMSG : (uint64_t)st.st_size > most ? EFBIG : 0;
        *size = (size_t)st.st_size;
        if (!errno) bytes = malloc(*size + 1);
    }
    if (bytes && !file_read(fd, bytes, *size, 0)) {
        free(bytes);
        bytes = NULL;
    }
    int why = errno;
    close(fd);
    errno = why;
    return bytes;
}

bool file_store(int directory, const char *name, const void *bytes, size_t size) {
    char fresh[256];
    snprintf(fresh, sizeof fresh, "%.240s.new", name);
    int fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    int why = file_write(fd, bytes, size) && fsync(fd) == 0 ? 0 : errno;
    close(fd);
    if (!why && (renameat2(directory, fresh, directory, name, 0) < 0 || fsync(directory) < 0)) why = errno;
    if (!why) return true;
    unlinkat(directory, fresh, 0);
    errno = why;
    return false;
}

int file_directory(int directory, const char *name) {
    if (mkdirat(directory, name, 0700) < 0 && errno != EEXIST) return -1;
    return openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

void file_sha256(const void *bytes, size_t size, uint8_t hash[32]) { SHA256(bytes, size, hash); }
