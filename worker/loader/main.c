/*
 * cloison-loader: a data file out of a snapshot's stream, for a restore and a drill (C7). It has no key, and what it reads was checked by
 * the courier only against hashes: so it stands behind walls of its own, beside the tenant's directory with the tenant's uid.
 *
 *   cloison-loader BYTES [capsule]
 * fds: 2 the log, 3 the stream, 4 the directory with the lock on it. BYTES: the most that the file may have. capsule: the file's name is
 * the one that the key capsule there says is in use, if there is one: a self-sufficient kit needs none. Exit status: 0, or an errno value:
 * EEXIST there is such a file, EPIPE the stream ended before its end, EBADMSG it is no store's, ENOSPC it does not fit.
 */
#include "../../policy/chunk.h"
#include "../../policy/jail.h"
#include "../../policy/wall.h"
#include "../keys/capsule.h"
#include "../store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAM = 3, DIRECTORY = 4, BUFFER = CHUNK_MAX + CHUNK_HEAD, QUOTA_UNIT = 4096 };
#define UNFINISHED "loading.mdb"

static struct {
    uint8_t *bytes;
    size_t from, to;
    bool ended;
} in;

static int fail(int why) { return why ? why : EIO; }

/* At least `size` bytes are there. */
static int need(size_t size) {
    if (in.from > 0 && in.to - in.from < size) {
        memmove(in.bytes, in.bytes + in.from, in.to - in.from);
        in.to -= in.from;
        in.from = 0;
    }
    while (in.to - in.from < size) {
        ssize_t got = read(STREAM, in.bytes + in.to, BUFFER - in.to);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) return EPIPE;
        in.to += (size_t)got;
    }
    return 0;
}

static int next(struct chunk *c) {
    size_t needs = 0;
    for (;;) {
        enum chunk_result result = chunk_parse(in.bytes + in.from, in.to - in.from, c, &needs);
        if (result == CHUNK_BROKEN) return EBADMSG;
        if (result == CHUNK_NEXT) break;
        int why = need(needs);
        if (why) return why;
    }
    in.from += needs;
    return 0;
}

static int errno_of(enum store_result r) {
    return r == STORE_OK ? 0 : r == STORE_FULL ? ENOSPC : r == STORE_MEMORY ? ENOMEM : r == STORE_IO ? EIO : EBADMSG;
}

/* All of the stream; the whole counts only when its end says so. */
static int load(struct store_image *image) {
    struct stream_head head;
    struct chunk c;
    uint64_t chunks = 0, bytes = 0;
    int why = need(STREAM_HEAD);
    if (why) return why;
    if (!stream_head_read(in.bytes, &head)) return EBADMSG;
    in.from = STREAM_HEAD;
    while ((why = next(&c)) == 0 && !stream_is_end(&c)) {
        why = errno_of(store_image_put(image, &c));
        if (why) return why;
        chunks++;
        bytes += c.size;
    }
    if (why) return why;
    if (!stream_end_fits(&c, chunks, bytes)) return EBADMSG;
    return errno_of(store_image_finish(image, chunks));
}

/* Which file it will be; NULL with errno. */
static const char *name_by(int capsule) {
    struct stat st;
    if (capsule < 0) return "data.mdb";
    errno = EBADMSG;
    if (fstat(capsule, &st) < 0 || st.st_size != CAPSULE_BYTES) return NULL;
    const struct capsule *c = capsule_open(capsule);
    return !c ? NULL : capsule_data_file(c) ? "data-2.mdb" : "data.mdb";
}

/* Only a whole file gets its name, and never over another. */
static int give_name(const char *name) {
    if (renameat2(DIRECTORY, UNFINISHED, DIRECTORY, name, RENAME_NOREPLACE) < 0 || fsync(DIRECTORY) < 0) return fail(errno);
    return 0;
}

static int close_walls(void) {
    static struct wall_program wall;
    const int directory = DIRECTORY;
    if (wall_make(WALL_LOADER, &wall) < 0) return fail(errno);
    if (jail_drop_rights_but(&(struct jail_opening){.directory = &directory, .directories = 1}) < 0) return fail(errno);
    return wall_close(&wall) < 0 ? fail(errno) : 0;
}

int main(int argc, char **argv) {
    uint64_t quota = argc > 1 ? strtoull(argv[1], NULL, 10) / QUOTA_UNIT * QUOTA_UNIT : 0;
    bool by_capsule = argc > 2;
    in.bytes = malloc(BUFFER);
    if (!in.bytes || jail_close_from(DIRECTORY + 1) < 0 || jail_unshare() < 0 || jail_enter_directory() < 0) return fail(errno);
    int capsule = by_capsule ? open("capsule", O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (by_capsule && capsule < 0 && errno != ENOENT) return fail(errno);
    if (unlink(UNFINISHED) < 0 && errno != ENOENT) return fail(errno); /* of one that was killed */
    struct store_image *image = store_image_begin(UNFINISHED, quota);
    if (!image) return fail(errno);
    int why = close_walls();
    if (why) return why;
    const char *name = name_by(capsule);
    why = name ? load(image) : fail(errno);
    store_image_end(image);
    if (!why) why = give_name(name);
    if (why) unlinkat(DIRECTORY, UNFINISHED, 0);
    return why;
}
