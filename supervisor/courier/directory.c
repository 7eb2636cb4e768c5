/* A directory on another medium. A file is written beside, made durable, and put under its name in one step; a kill leaves a part in
 * ".new", which the next start removes. */
#include "backend.h"
#include "stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".new"
enum { NAME_ROOM = 40 };

struct directory {
    int fd, fresh; /* the directory and its ".new" */
};

static enum destination_result told_by_errno(void) {
    switch (errno) {
    case ENOENT:
        return DESTINATION_ABSENT;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return DESTINATION_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
        return DESTINATION_REFUSED;
    default:
        return DESTINATION_UNREACHABLE;
    }
}

/* What a kill left behind. */
static void sweep(int fresh) {
    int copy = openat(fresh, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *e; list && (e = readdir(list));)
        if (e->d_name[0] != '.') unlinkat(fresh, e->d_name, 0);
    if (list) closedir(list);
}

static int open_below(int parent, const char *name) { return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

/* C8: a destination lies on another medium than the tenants' files unless the configuration says otherwise */
struct directory *directory_open(const struct message_destination *is, int spool, enum destination_result *why) {
    struct directory *d = calloc(1, sizeof *d);
    struct stat there, here;
    *why = DESTINATION_LOCAL;
    if (!d) return NULL;
    d->fresh = -1;
    d->fd = open(is->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0 || fstat(d->fd, &there) < 0 || fstat(spool, &here) < 0) {
        *why = errno == ENOENT ? DESTINATION_UNREACHABLE : told_by_errno();
    } else if (there.st_dev == here.st_dev && !is->same_medium) {
        /* C8: a destination is on another medium than the tenants' files, unless the configuration says otherwise */
        *why = DESTINATION_REFUSED; /* also what a medium that is not mounted looks like */
    } else {
        mkdirat(d->fd, NEW, 0700);
        d->fresh = open_below(d->fd, NEW);
        *why = d->fresh < 0 ? told_by_errno() : DESTINATION_DONE;
    }
    if (*why == DESTINATION_DONE) {
        sweep(d->fresh);
        return d;
    }
    if (d->fd >= 0) close(d->fd);
    free(d);
    return NULL;
}

int directory_fd(const struct directory *d) { return d->fd; }

/* Opens the directory that a key's last component lies in, its name in *last. make: what is not there is made, durably. -1 with errno. */
static int open_parent(const struct directory *d, const char *key, bool make, const char **last) {
    char part[DESTINATION_KEY_MAX + 1];
    int at = open_below(d->fd, ".");
    *last = key;
    for (const char *slash; at >= 0 && (slash = strchr(*last, '/')); *last = slash + 1) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - *last), *last);
        if (make && mkdirat(at, part, 0700) == 0 && fsync(at) < 0) make = false; /* the open below tells */
        int next = open_below(at, part), error = errno;
        close(at);
        at = next;
        errno = error;
    }
    return at;
}

/* A fresh name in ".new". */
static int open_fresh(const struct directory *d, char name[NAME_ROOM]) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) return -1;
    snprintf(name, NAME_ROOM, "%016" PRIx64, random);
    return openat(d->fresh, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* Never over another; a file system without that kind of rename has links. */
static int put_new(const struct directory *d, const char *fresh, int parent, const char *last) {
    if (renameat2(d->fresh, fresh, parent, last, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (linkat(d->fresh, fresh, parent, last, 0) < 0) return -1;
    unlinkat(d->fresh, fresh, 0);
    return 0;
}

static enum destination_result settle(const struct directory *d, const char *fresh, const char *key, bool only_new) {
    const char *last;
    int parent = open_parent(d, key, true, &last);
    if (parent < 0) return told_by_errno();
    int moved = only_new ? put_new(d, fresh, parent, last) : renameat2(d->fresh, fresh, parent, last, 0);
    enum destination_result result = DESTINATION_DONE;
    if (moved < 0)
        result = errno == EEXIST ? DESTINATION_EXISTS : told_by_errno();
    else if (fsync(parent) < 0)
        result = told_by_errno();
    close(parent);
    return result;
}

static enum destination_result stat_key(const struct directory *d, const char *key, struct stat *st) {
    const char *last;
    int parent = open_parent(d, key, false, &last);
    if (parent < 0) return errno == ENOTDIR ? DESTINATION_ABSENT : told_by_errno();
    enum destination_result result = DESTINATION_DONE;
    if (fstatat(parent, last, st, AT_SYMLINK_NOFOLLOW) < 0)
        result = told_by_errno();
    else if (!S_ISREG(st->st_mode))
        result = DESTINATION_ABSENT;
    close(parent);
    return result;
}

static enum destination_result put(void *self, const char *key, int fd, uint64_t offset, uint64_t size,
                                   const uint8_t sha256[DESTINATION_HASH], bool only_new, uint64_t until_ms) {
    (void)until_ms; /* a directory locks nothing: destination.c asks it for nothing */
    struct directory *d = self;
    char fresh[NAME_ROOM];
    struct stat st;
    if (only_new && stat_key(d, key, &st) == DESTINATION_DONE) return DESTINATION_EXISTS; /* said before all is written */
    int to = open_fresh(d, fresh);
    if (to < 0) return told_by_errno();
    uint8_t is[DESTINATION_HASH];
    enum destination_result result = DESTINATION_DONE;
    switch (stream_copy(fd, offset, size, to, is)) {
    case STREAM_READ:
        result = DESTINATION_LOCAL;
        break;
    case STREAM_WRITE:
        result = told_by_errno();
        break;
    case STREAM_DONE:
        if (memcmp(is, sha256, sizeof is) != 0) {
            errno = EBADMSG;
            result = DESTINATION_LOCAL;
        } else if (fsync(to) < 0) {
            result = told_by_errno();
        }
        break;
    }
    close(to);
    if (result == DESTINATION_DONE) result = settle(d, fresh, key, only_new);
    if (result != DESTINATION_DONE) {
        int error = errno;
        unlinkat(d->fresh, fresh, 0);
        errno = error;
    }
    return result;
}

static int open_key(const struct directory *d, const char *key, struct stat *st) {
    const char *last;
    int parent = open_parent(d, key, false, &last);
    if (parent < 0) return -1;
    int fd = openat(parent, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), error = errno;
    close(parent);
    errno = error;
    if (fd < 0) return -1;
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode)) return fd;
    close(fd);
    errno = ENOENT;
    return -1;
}

static enum destination_result get(void *self, const char *key, int fd, uint64_t most, uint64_t *size, uint8_t sha256[DESTINATION_HASH]) {
    struct stat st;
    int from = open_key(self, key, &st);
    if (from < 0) return errno == ENOTDIR ? DESTINATION_ABSENT : told_by_errno();
    enum destination_result result = DESTINATION_LIED;
    if ((uint64_t)st.st_size <= most) {
        *size = (uint64_t)st.st_size;
        enum stream_end end = stream_copy(from, 0, *size, fd, sha256);
        result = end == STREAM_DONE ? DESTINATION_DONE : end == STREAM_READ ? told_by_errno() : DESTINATION_LOCAL;
        if (result == DESTINATION_ABSENT) result = DESTINATION_UNREACHABLE;
    }
    close(from);
    return result;
}

static enum destination_result size_of(void *self, const char *key, uint64_t *size) {
    struct stat st = {0};
    enum destination_result result = stat_key(self, key, &st);
    if (result == DESTINATION_DONE) *size = (uint64_t)st.st_size;
    return result;
}

static enum destination_result remove_key(void *self, const char *key) {
    const char *last;
    int parent = open_parent(self, key, false, &last);
    if (parent < 0) return errno == ENOTDIR ? DESTINATION_ABSENT : told_by_errno();
    enum destination_result result = unlinkat(parent, last, 0) < 0 || fsync(parent) < 0 ? told_by_errno() : DESTINATION_DONE;
    close(parent);
    return result;
}

/* ---- the list: one level at a time, sorted as the whole keys will be ---- */

struct listing {
    const char *prefix;
    destination_visit *visit;
    void *context;
    bool ended;
};

/* "a/" for the directory a: between "a-" and "a0", where its keys belong. */
static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

struct names {
    char **name; /* files as they are, directories with a '/' behind */
    size_t count;
};

static void free_names(struct names *n) {
    for (size_t i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
}

static bool add_name(struct names *n, const char *name, const char *behind) {
    char **more = reallocarray(n->name, n->count + 1, sizeof *more);
    if (!more) return false;
    n->name = more;
    if (asprintf(&more[n->count], "%s%s", name, behind) < 0) return false;
    n->count++;
    return true;
}

/* Those of a directory that are parts of keys, sorted. false with errno. */
static bool read_names(int directory, struct names *n) {
    int copy = open_below(directory, ".");
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    bool fine = list;
    *n = (struct names){0};
    while (fine) {
        struct stat st;
        errno = 0;
        struct dirent *e = readdir(list);
        fine = e || errno == 0;
        if (!e) break;
        if (!destination_key_is(e->d_name) || fstatat(directory, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue; /* or gone meanwhile */
        if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) fine = add_name(n, e->d_name, S_ISDIR(st.st_mode) ? "/" : "");
    }
    int error = errno;
    if (list)
        closedir(list);
    else if (copy >= 0)
        close(copy);
    if (fine && n->count) qsort(n->name, n->count, sizeof *n->name, compare);
    if (!fine) free_names(n);
    errno = error;
    return fine;
}

/* Whether keys that begin with `base` can begin with the prefix. */
static bool may_hold(const char *base, const char *prefix) {
    size_t a = strlen(base), b = strlen(prefix);
    return strncmp(base, prefix, a < b ? a : b) == 0;
}

static enum destination_result list_below(struct listing *l, int directory, const char *base, int depth) {
    struct names n;
    if (!read_names(directory, &n)) return errno == ENOMEM ? DESTINATION_LOCAL : DESTINATION_UNREACHABLE;
    enum destination_result result = DESTINATION_DONE;
    for (size_t i = 0; i < n.count && result == DESTINATION_DONE && !l->ended; i++) {
        char key[DESTINATION_KEY_MAX + 1];
        struct stat st;
        if (snprintf(key, sizeof key, "%s%s", base, n.name[i]) >= (int)sizeof key || !may_hold(key, l->prefix)) continue;
        if (key[strlen(key) - 1] == '/') {
            int below = depth < DESTINATION_DEPTH ? open_below(directory, n.name[i]) : -1;
            if (below < 0) continue; /* gone meanwhile, or too deep for a key */
            result = list_below(l, below, key, depth + 1);
            close(below);
        } else if (strlen(key) >= strlen(l->prefix) && fstatat(directory, n.name[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
            l->ended = !l->visit(l->context, key, (uint64_t)st.st_size);
        }
    }
    free_names(&n);
    return result;
}

static enum destination_result list(void *self, const char *prefix, destination_visit *visit, void *context) {
    struct listing l = {.prefix = prefix, .visit = visit, .context = context};
    return list_below(&l, ((struct directory *)self)->fd, "", 1);
}

const struct backend backend_directory = {put, get, size_of, list, remove_key, NULL};
