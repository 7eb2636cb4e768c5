#include "twofile.h"

#include "../keys/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, HASH = 32 };

/* Before each copy. All numbers in host byte order: the file belongs to this machine, a move goes by export or backup. */
struct head {
    char magic[8];
    uint64_t version;
    uint64_t size;
    uint8_t hash[HASH]; /* SHA-256 of the head with this field zero, and of the record */
};

static size_t copy_bytes(const struct twofile *f) { return (sizeof(struct head) + f->room + PAGE - 1) / PAGE * PAGE; }

static bool transfer(int fd, void *bytes, size_t size, off_t at, bool writing) {
    for (size_t done = 0; done < size;) {
        char *p = (char *)bytes + done;
        ssize_t n = writing ? pwrite(fd, p, size - done, at + (off_t)done) : pread(fd, p, size - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static void hash_copy(const struct head *head, size_t size, uint8_t hash[HASH]) { sha256(head, sizeof *head + size, hash); }

static void image_free(struct head *image) {
    if (image) secret_wipe(image, sizeof *image + (size_t)image->size);
    free(image);
}

/* image: a copy as it lies in the file. Its hash field is zero afterwards. */
static bool holds_together(struct head *image) {
    uint8_t said[HASH], is[HASH];
    memcpy(said, image->hash, HASH);
    memset(image->hash, 0, HASH);
    hash_copy(image, (size_t)image->size, is);
    return memcmp(said, is, HASH) == 0;
}

enum copy { COPY_NEVER_WRITTEN, COPY_BROKEN, COPY_WHOLE, COPY_UNREAD /* with errno */ };

/* Reads as much as the copy says it has, and not its whole room: *image is the caller's when it is whole. */
static enum copy read_copy(const struct twofile *f, unsigned copy, struct head **image) {
    static const char nothing[sizeof f->magic];
    off_t at = (off_t)(copy * copy_bytes(f));
    struct head head;
    if (!transfer(f->fd, &head, sizeof head, at, false)) return COPY_UNREAD;
    if (memcmp(head.magic, nothing, sizeof nothing) == 0 && head.version == 0) return COPY_NEVER_WRITTEN;
    if (memcmp(head.magic, f->magic, sizeof f->magic) != 0 || head.size > f->room || head.version == 0) return COPY_BROKEN;
    *image = malloc(sizeof head + (size_t)head.size);
    if (!*image) return COPY_UNREAD;
    **image = head;
    bool there = transfer(f->fd, *image + 1, (size_t)head.size, at + (off_t)sizeof head, false);
    if (there && holds_together(*image)) return COPY_WHOLE;
    int error = errno;
    image_free(*image);
    errno = error;
    return there ? COPY_BROKEN : COPY_UNREAD;
}

/* Reads both copies. What was never written has version 0 and no magic. */
static int read_newest(struct twofile *f, void *record, size_t *size) {
    unsigned never = 0, whole = 0;
    for (unsigned copy = 0; copy < 2; copy++) {
        struct head *image;
        enum copy is = read_copy(f, copy, &image);
        if (is == COPY_UNREAD) return -1;
        never += is == COPY_NEVER_WRITTEN;
        whole += is == COPY_WHOLE;
        if (is != COPY_WHOLE) continue;
        if (image->version >= f->version) {
            f->version = image->version;
            f->copy = copy;
            *size = (size_t)image->size;
            memcpy(record, image + 1, *size);
        }
        image_free(image);
    }
    f->damaged = never + whole < 2;
    /* A torn copy beside one never written is a first write that nobody was told had succeeded. */
    if (whole || never) return 0;
    errno = EBADMSG;
    return -1;
}

/* A new file gets all its blocks now, so that a full disk cannot refuse a later write. A short one is new, too, or was cut: then its copies
 * tell. */
static int give_size(const struct twofile *f) {
    struct stat st;
    off_t wanted = (off_t)(2 * copy_bytes(f));
    if (fstat(f->fd, &st) < 0) return -1;
    if (st.st_size == wanted) return 0;
    if (st.st_size > wanted) {
        errno = EPROTO;
        return -1;
    }
    int error = posix_fallocate(f->fd, 0, wanted);
    if (error == 0) return fsync(f->fd);
    errno = error;
    return -1;
}

int twofile_open(struct twofile *f, int fd, const char magic[8], size_t room, void *record, size_t *size) {
    *f = (struct twofile){.fd = fd, .room = room};
    memcpy(f->magic, magic, sizeof f->magic);
    *size = 0;
    int result = give_size(f) == 0 ? read_newest(f, record, size) : -1, error = errno;
    if (result < 0) twofile_close(f);
    errno = error;
    return result;
}

static int write_copy(struct twofile *f, struct head *image, unsigned copy) {
    if (!transfer(f->fd, image, sizeof *image + image->size, (off_t)(copy * copy_bytes(f)), true)) return -1;
    return fdatasync(f->fd);
}

int twofile_write(struct twofile *f, const void *record, size_t size) {
    if (size > f->room) {
        errno = EMSGSIZE;
        return -1;
    }
    struct head *image = calloc(1, sizeof *image + size);
    if (!image) return -1;
    memcpy(image->magic, f->magic, sizeof f->magic);
    image->version = f->version + 1;
    image->size = size;
    memcpy(image + 1, record, size);
    uint8_t hash[HASH];
    hash_copy(image, size, hash);
    memcpy(image->hash, hash, HASH);
    unsigned copy = f->version ? !f->copy : 0;
    int result = write_copy(f, image, copy);
    /* The first record goes to both places: damage to one must not read as "never written". */
    if (result == 0 && f->version == 0) result = write_copy(f, image, !copy);
    if (result == 0) {
        f->version = image->version;
        f->copy = copy;
        f->damaged = false;
    }
    int error = errno;
    image_free(image);
    errno = error;
    return result;
}

int twofile_copy(const struct twofile *f, int to) {
    char page[PAGE];
    for (size_t done = 0; done < 2 * copy_bytes(f); done += PAGE)
        if (!transfer(f->fd, page, PAGE, (off_t)done, false) || !transfer(to, page, PAGE, (off_t)done, true)) return -1;
    return 0;
}

void twofile_close(struct twofile *f) {
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}
