/* One entry's head of a tar archive (POSIX ustar), for names of our own making. Pure. */
#pragma once

#include <stdint.h>

enum { TAR_BLOCK = 512, TAR_NAME = 100 };

/* name: ASCII, under TAR_NAME bytes; size under 8 GiB; modified: Unix seconds. */
void tar_head(const char *name, uint64_t size, uint64_t modified, char out[TAR_BLOCK]);
/* Zeros that follow `size` bytes of an entry. */
static inline uint64_t tar_padding(uint64_t size) { return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK; }
