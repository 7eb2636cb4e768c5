/* Whole reads and writes of files. false with errno; ENODATA: the file is shorter. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool file_read(int fd, void *bytes, size_t size, uint64_t at);
bool file_write(int fd, const void *bytes, size_t size);
/* The whole file of that name below the directory, allocated; NULL with errno. EFBIG: more than `most`. */
uint8_t *file_load(int directory, const char *name, size_t most, size_t *size);
/* As a whole or not at all, and durable: written as NAME.new, synced, renamed, the directory synced. */
bool file_store(int directory, const char *name, const void *bytes, size_t size);
/* A directory below, made if need be (mode 0700). -1 with errno. */
int file_directory(int directory, const char *name);
/* The SHA-256 of bytes in memory. */
void file_sha256(const void *bytes, size_t size, uint8_t hash[32]);
