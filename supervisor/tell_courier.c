/* What a new courier is told: once, before it closes its wall. See tell.h. */
#include "log.h"
#include "supervisor.h"
#include "tell.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The courier's alone. Its parent is root's, so that nobody puts a link in the way. */
static void make_spool(const char *path, uid_t uid, gid_t gid) {
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) log_errno("%s", path);
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        log_say("%s: must be a directory", path);
        return;
    }
    if (st.st_uid != uid && chown(path, uid, gid) < 0) log_errno("%s", path);
}

/* -1: there are none that can be used, and the log says why. */
static int open_credentials(const struct config_destination *d) {
    struct stat st;
    int fd = open(d->credentials, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        log_errno("destination %s: %s", d->name, d->credentials);
    } else if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_mode & 077) {
        log_say("destination %s: %s: must be a file that root alone can read", d->name, d->credentials);
    } else {
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static void tell_destination(struct supervisor *h, uint32_t index) {
    const struct config_destination *d = &h->config.destination[index];
    union message m = {.destination = {.head = {.type = MESSAGE_COURIER_DESTINATION},
                                       .index = index,
                                       .kind = d->kind,
                                       .same_medium = d->same_medium,
                                       .object_lock = d->object_lock}};
    TEXT_COPY(m.destination.name, d->name);
    TEXT_COPY(m.destination.path, d->path);
    TEXT_COPY(m.destination.endpoint, d->endpoint);
    TEXT_COPY(m.destination.bucket, d->bucket);
    TEXT_COPY(m.destination.signing_region, d->signing_region);
    TEXT_COPY(m.destination.ca, d->ca);
    int credentials = d->kind == DESTINATION_S3 ? open_credentials(d) : -1;
    link_send(h->courier.link, &m, credentials);
    if (credentials >= 0) close(credentials);
}

void tell_courier_all(struct supervisor *h) {
    const struct config *c = &h->config;
    union message seal = {.spool = {.head = {.type = MESSAGE_COURIER_SEAL}}};
    snprintf(seal.spool.path, sizeof seal.spool.path, "%s/spool", c->state_dir);
    make_spool(seal.spool.path, h->courier.uid, h->courier.gid);
    for (uint32_t i = 0; i < c->destination_count; i++)
        tell_destination(h, i);
    if (c->mail_relay.host[0]) {
        union message m = {.relay = {.head = {.type = MESSAGE_COURIER_MAIL}, .port = c->mail_relay.port}};
        TEXT_COPY(m.relay.host, c->mail_relay.host);
        TEXT_COPY(m.relay.from, c->mail_from);
        link_send(h->courier.link, &m, -1);
    }
    link_send(h->courier.link, &seal, -1);
}
