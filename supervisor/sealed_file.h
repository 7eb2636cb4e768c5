/* A file of the operator's for other processes: passed on as bytes that can never change. The supervisor reads nothing in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sealed_file {
    int fd; /* a memfd sealed against every change; -1 = there is none */
    uint64_t bytes;
};

/* Copies a regular file of 1 to `most` bytes that only root can write. path "" = there is none. false with errno, and nothing is open:
 * EPERM when it is not such a file, EFBIG when it is empty or larger. */
bool sealed_file_open(const char *path, size_t most, struct sealed_file *out);
void sealed_file_close(struct sealed_file *file);
