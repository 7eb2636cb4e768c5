#include "backend.h"

#include <stdlib.h>
#include <string.h>

struct destination {
    const struct backend *backend;
    struct directory *directory;
    struct s3 *s3;
    void *self; /* the one of the two that there is; NULL = it could not be opened */
    enum destination_result opened;
    bool locks;
};

const char *destination_result_name(enum destination_result r) {
    static const char *const names[] = {"done", "exists",      "absent", "refused",  "full",
                                        "lied", "unreachable", "local",  "unlocked", "locked"};
    return (unsigned)r < sizeof names / sizeof *names ? names[r] : "unknown";
}

struct destination *destination_open(const struct message_destination *is, int credentials, int spool) {
    struct destination *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->opened = DESTINATION_DONE;
    if (is->kind == DESTINATION_S3) {
        d->backend = &backend_s3;
        d->locks = is->object_lock;
        d->self = d->s3 = s3_open(is, credentials, &d->opened);
    } else {
        d->backend = &backend_directory;
        d->self = d->directory = directory_open(is, spool, &d->opened);
    }
    return d;
}

int destination_directory(const struct destination *d) { return d->directory ? directory_fd(d->directory) : -1; }
uint16_t destination_port(const struct destination *d) { return d->s3 ? s3_port(d->s3) : 0; }
enum destination_result destination_opened(const struct destination *d) { return d->opened; }

bool destination_key_is(const char *key) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t size = strlen(key), depth = 0;
    if (size == 0 || size > DESTINATION_KEY_MAX) return false;
    for (const char *part = key;;) {
        size_t length = strspn(part, allowed);
        if (length == 0 || part[0] == '.' || ++depth > DESTINATION_DEPTH) return false;
        if (part[length] == '\0') return true;
        if (part[length] != '/') return false;
        part += length + 1;
    }
}

enum destination_result destination_put(struct destination *d, const char *key, int fd, uint64_t offset, uint64_t size,
                                        const uint8_t sha256[DESTINATION_HASH], bool only_new, uint64_t until_ms) {
    if (!d->self) return d->opened;
    if (!destination_key_is(key) || offset + size > INT64_MAX) return DESTINATION_LOCAL;
    return d->backend->put(d->self, key, fd, offset, size, sha256, only_new, d->locks ? until_ms : 0);
}

bool destination_locks(const struct destination *d) { return d->locks; }

enum destination_result destination_hold(struct destination *d, const char *key, uint64_t until_ms) {
    if (!d->self) return d->opened;
    if (!d->locks) return DESTINATION_DONE;
    return destination_key_is(key) ? d->backend->hold(d->self, key, until_ms) : DESTINATION_LOCAL;
}

enum destination_result destination_get(struct destination *d, const char *key, int fd, uint64_t most, uint64_t *size,
                                        uint8_t sha256[DESTINATION_HASH]) {
    if (!d->self) return d->opened;
    if (!destination_key_is(key) || most > INT64_MAX) return DESTINATION_LOCAL;
    return d->backend->get(d->self, key, fd, most, size, sha256);
}

enum destination_result destination_size(struct destination *d, const char *key, uint64_t *size) {
    if (!d->self) return d->opened;
    return destination_key_is(key) ? d->backend->size(d->self, key, size) : DESTINATION_LOCAL;
}

enum destination_result destination_list(struct destination *d, const char *prefix, destination_visit *visit, void *context) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
    if (!d->self) return d->opened;
    size_t size = strlen(prefix);
    if (size > DESTINATION_KEY_MAX || strspn(prefix, allowed) != size) return DESTINATION_LOCAL;
    return d->backend->list(d->self, prefix, visit, context);
}

enum destination_result destination_delete(struct destination *d, const char *key) {
    if (!d->self) return d->opened;
    return destination_key_is(key) ? d->backend->remove(d->self, key) : DESTINATION_LOCAL;
}
