/* What a kind of destination provides; destination.c has checked keys and sizes before. */
#pragma once

#include "destination.h"

struct backend {
    enum destination_result (*put)(void *self, const char *key, int fd, uint64_t offset, uint64_t size,
                                   const uint8_t sha256[DESTINATION_HASH], bool only_new, uint64_t until_ms);
    enum destination_result (*get)(void *self, const char *key, int fd, uint64_t most, uint64_t *size, uint8_t sha256[DESTINATION_HASH]);
    enum destination_result (*size)(void *self, const char *key, uint64_t *size);
    enum destination_result (*list)(void *self, const char *prefix, destination_visit *visit, void *context);
    enum destination_result (*remove)(void *self, const char *key);
    enum destination_result (*hold)(void *self, const char *key, uint64_t until_ms); /* where it locks */
};
extern const struct backend backend_directory, backend_s3;

/* self: NULL with *why. */
struct directory;
struct directory *directory_open(const struct message_destination *is, int spool, enum destination_result *why);
int directory_fd(const struct directory *self);

struct s3;
struct s3 *s3_open(const struct message_destination *is, int credentials, enum destination_result *why);
uint16_t s3_port(const struct s3 *self);
