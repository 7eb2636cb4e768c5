#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int close_failed(int fd) {
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* What a connection inherits, so that no worker needs the call. Without the second the kernel calls a socket writable only when a third of
 * its large buffer is free, and a slow reader would be taken for a deaf one. */
static bool tune(int fd) {
    const int on = 1, unsent = SOCKET_UNSENT_MAX;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0;
}

static int listener_tcp(const struct config_listener *w) {
    int on = 1, fd = socket(w->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return close_failed(fd);
    if (w->address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) return close_failed(fd);
    if (!tune(fd) || bind(fd, (const struct sockaddr *)&w->address, w->address_size) < 0 || listen(fd, SOMAXCONN) < 0)
        return close_failed(fd);
    return fd;
}

/* A socket nobody listens at any more; never a file. */
static int remove_stale(const char *path) {
    struct stat st;
    if (lstat(path, &st) < 0) return errno == ENOENT ? 0 : -1;
    if (S_ISSOCK(st.st_mode)) return unlink(path);
    errno = EEXIST;
    return -1;
}

int listener_allow(const char *path, gid_t gid, mode_t mode) {
    if (gid == CONFIG_NOBODY) return chmod(path, 0600);
    return lchown(path, 0, gid) < 0 ? -1 : chmod(path, mode);
}

int listener_unix(const char *path, gid_t gid, mode_t mode) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(at.sun_path, path, size);
    if (remove_stale(path) < 0) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    mode_t before = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&at, sizeof at);
    umask(before);
    if (bound < 0) return close_failed(fd);
    if (listener_allow(path, gid, mode) < 0 || listen(fd, SOMAXCONN) < 0) return close_failed(fd);
    return fd;
}

static const struct listener *find_title(const struct listeners *in, const char *title) {
    for (uint32_t i = 0; i < in->count; i++)
        if (strcmp(in->row[i].as.title, title) == 0) return &in->row[i];
    return NULL;
}

const struct listener *listeners_find(const struct listeners *in, uint32_t id) {
    for (uint32_t i = 0; i < in->count; i++)
        if (in->row[i].id == id) return &in->row[i];
    return NULL;
}

static bool holds_fd(const struct listeners *in, int fd) {
    for (uint32_t i = 0; i < in->count; i++)
        if (in->row[i].fd == fd) return true;
    return false;
}

void listeners_close_gone(struct listeners *old, const struct listeners *now) {
    for (uint32_t i = 0; i < old->count; i++)
        if (!holds_fd(now, old->row[i].fd)) close(old->row[i].fd);
    old->count = 0;
}

static bool same(const struct config_listener *a, const struct config_listener *b) {
    if (a->kind != b->kind || a->proxy != b->proxy || a->source_count != b->source_count || strcmp(a->acme_url, b->acme_url) != 0)
        return false;
    for (uint32_t i = 0; i < a->source_count; i++)
        if (a->source[i].prefix != b->source[i].prefix || memcmp(a->source[i].address, b->source[i].address, 16) != 0) return false;
    return true;
}

bool listeners_change(const struct listeners *old, const struct config *config, struct listeners *now, const char **which) {
    *now = (struct listeners){.last_id = old->last_id};
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *wanted = &config->listener[i];
        const struct listener *had = find_title(old, wanted->title);
        int fd = had ? had->fd : listener_tcp(wanted);
        if (fd < 0) {
            int why = errno;
            *which = wanted->title;
            listeners_close_gone(now, old);
            errno = why;
            return false;
        }
        uint32_t id = had && same(&had->as, wanted) ? had->id : ++now->last_id;
        now->row[now->count++] = (struct listener){.id = id, .fd = fd, .as = *wanted};
    }
    return true;
}
