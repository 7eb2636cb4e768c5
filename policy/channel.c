#include "channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SUPERVISOR = CHANNEL_SUPERVISOR,
    ROUTER = CHANNEL_ROUTER,
    STEWARD = CHANNEL_STEWARD,
    WORKER = CHANNEL_WORKER,
    COURIER = CHANNEL_COURIER
};
enum fd_rule { FD_NONE, FD_ONE, FD_MAY };

struct row {
    uint32_t type;
    const char *name;
    int from, to;
    size_t size;
    enum fd_rule fd;
};

static const struct row table[] = {
#define MESSAGE(NUMBER, NAME, FROM, TO, STRUCT, FD) {NUMBER, #NAME, FROM, TO, sizeof(struct STRUCT), FD},
#include "messages.def"
#undef MESSAGE
};

static const struct row *row_of(uint32_t type) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].type == type) return &table[i];
    return NULL;
}

size_t message_size(uint32_t type) {
    const struct row *row = row_of(type);
    return row ? row->size : 0;
}

const char *message_name(uint32_t type) {
    const struct row *row = row_of(type);
    return row ? row->name : "unknown";
}

int channel_pair(int end[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, end) < 0) return -1;
    int on = 1;
    if (setsockopt(end[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0) return 0;
    int why = errno;
    close(end[0]);
    close(end[1]);
    errno = why;
    return -1;
}

enum channel_result channel_send(int socket, enum channel_end from, const union message *message, int fd) {
    const struct row *row = row_of(message->head.type);
    if (!row || row->from != (int)from || (row->fd == FD_ONE && fd < 0) || (row->fd == FD_NONE && fd >= 0)) abort();

    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = row->size};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        datagram.msg_control = control.bytes;
        datagram.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&datagram);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &datagram, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)row->size) return CHANNEL_OK;
    if (sent >= 0) return CHANNEL_ERROR; /* SEQPACKET sends whole or not at all */
    /* ETOOMANYREFS: too many of our fds are in flight; they land when the peers take theirs. */
    if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) return CHANNEL_AGAIN;
    return errno == EPIPE || errno == ECONNRESET ? CHANNEL_GONE : CHANNEL_ERROR;
}

/* Strings are NUL-terminated and NUL-filled, so that no byte behind one carries anything. */
static bool text(const char *s, size_t room) {
    size_t size = strnlen(s, room);
    if (size == room) return false;
    for (size_t i = size; i < room; i++)
        if (s[i]) return false;
    return true;
}

#define TEXT(FIELD) text(FIELD, sizeof(FIELD))

static bool hosts(const char host[TENANT_HOSTS_MAX][HOST_MAX + 3], uint32_t used) {
    if (used > TENANT_HOSTS_MAX) return false;
    for (uint32_t i = 0; i < TENANT_HOSTS_MAX; i++)
        if (!text(host[i], HOST_MAX + 3) || (host[i][0] != 0) != (i < used)) return false;
    return true;
}

static bool copies(const struct message_copy copy[COPIES_MAX], uint32_t used) {
    if (used > COPIES_MAX) return false;
    for (uint32_t i = 0; i < COPIES_MAX; i++)
        if (!TEXT(copy[i].place) || !TEXT(copy[i].region) || (copy[i].place[0] != 0) != (i < used)) return false;
    return true;
}

static bool layers(const uint8_t layer[64]) {
    for (int i = 0; i < 64; i++)
        if (layer[i] > (i < LAYER_COUNT ? LAYER_UNAVAILABLE : 0)) return false;
    return true;
}

static bool in_range(uint64_t value, uint64_t low, uint64_t high) { return low <= value && value <= high; }

static bool act_fits(const struct message_act *a) {
    return TEXT(a->name) && TEXT(a->title) && TEXT(a->modules) && TEXT(a->region) && hosts(a->host, a->host_count) && TEXT(a->place) &&
           TEXT(a->contact) && TEXT(a->entity) && a->notice_kind < NOTICE_KINDS && TEXT(a->recipient) && TEXT(a->reason) &&
           a->set <= ACT_FIELDS;
}

static bool listener_fits(const struct message_listener *l) {
    return in_range(l->kind, LISTENER_TLS, LISTENER_PLAIN) && l->proxy <= 1 && l->source_count <= SOURCES_MAX && TEXT(l->acme_url) &&
           l->https_port <= 65535;
}

static bool destination_fits(const struct message_destination *d) {
    return d->index < DESTINATIONS_MAX && in_range(d->kind, DESTINATION_DIRECTORY, DESTINATION_S3) && d->same_medium <= 1 &&
           d->object_lock <= 1 && TEXT(d->name) && TEXT(d->path) && TEXT(d->endpoint) && TEXT(d->bucket) && TEXT(d->signing_region) &&
           TEXT(d->ca);
}

static bool outcome_fits(const struct message_outcome *o) {
    return in_range(o->task, TASK_TAKE, TASK_ADOPT) && o->kind < BACKUP_KINDS && o->result < BACKUP_RESULTS && o->wrong_is_pack <= 1;
}

static bool is_plan(uint64_t number) {
    struct plan plan;
    return plan_unpack(number, &plan);
}

/* What upward messages may hold is checked here, once, for everybody who receives them. */
static bool copies_fit(const struct message_copies *c) {
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        if (!TEXT(c->place[i].name) || !TEXT(c->place[i].region)) return false;
    return c->place_count <= PLACES_MAX && copies(c->copy, c->count);
}

static bool fits(const union message *m) {
    switch (m->head.type) {
    case MESSAGE_ROUTER_LISTENER:
        return listener_fits(&m->listener);
    case MESSAGE_ROUTER_HOST:
    case MESSAGE_ROUTER_UNHOST:
        return TEXT(m->host.host);
    case MESSAGE_ROUTER_NO_WORKER:
        return in_range(m->plain.value, NO_WORKER_STOPPED, NO_WORKER_THROTTLED);
    case MESSAGE_ROUTER_WORKER:
    case MESSAGE_CREDIT:
        return in_range(m->plain.value, 1, HANDOVER_CREDITS);
    case MESSAGE_HANDOVER:
        return in_range(m->handover.kind, HANDOVER_TLS, HANDOVER_PLAIN) && m->handover.port <= 65535;
    case MESSAGE_WORKER_START:
    case MESSAGE_WORKER_PROFILE:
        return TEXT(m->start.name) && TEXT(m->start.title) && TEXT(m->start.region) && TEXT(m->start.node_region) &&
               TEXT(m->start.modules) && TEXT(m->start.contact) && TEXT(m->start.entity) && hosts(m->start.host, m->start.host_count);
    case MESSAGE_WORKER_CHAIN:
        return in_range(m->plain.value, 1, CHAIN_MAX);
    case MESSAGE_WORKER_READY:
    case MESSAGE_ROUTER_READY:
    case MESSAGE_STEWARD_READY:
    case MESSAGE_COURIER_READY:
        return layers(m->ready.layer);
    case MESSAGE_WORKER_STATE:
        return in_range(m->plain.value, WORKER_SEALED, WORKER_SERVING);
    case MESSAGE_WORKER_CSR_MADE:
        return in_range(m->plain.value, 1, CSR_MAX);
    case MESSAGE_WORKER_CHAIN_DONE:
        return in_range(m->plain.value, CHAIN_INSTALLED, CHAIN_NOT_STORED);
    case MESSAGE_WORKER_LEAVING:
        return in_range(m->plain.value, LEAVING_RETURNED, LEAVING_DESTROY);
    case MESSAGE_WORKER_PLAIN:
        return m->plain.value <= 1;
    case MESSAGE_WORKER_ENROLLED:
    case MESSAGE_WORKER_WANT_PERMIT:
    case MESSAGE_WORKER_PERMIT_DONE:
    case MESSAGE_WORKER_CAPSULE_MADE:
    case MESSAGE_ROUTER_WANT:
        return m->plain.value == 0;
    case MESSAGE_WORKER_PLAN:
        return is_plan(m->plain.value);
    case MESSAGE_WORKER_BACKUP:
    case MESSAGE_WORKER_SNAPSHOTS:
        return m->plain.value < BACKUP_KINDS;
    case MESSAGE_WORKER_OFFER:
        return m->offer.index < DESTINATIONS_MAX && TEXT(m->offer.name) && TEXT(m->offer.region);
    case MESSAGE_WORKER_PLANS:
        return TEXT(m->plans.plan[BACKUP_COPY].destination) && TEXT(m->plans.plan[BACKUP_ARCHIVE].destination);
    case MESSAGE_COURIER_JOB:
        return in_range(m->job.task, TASK_TAKE, TASK_ADOPT) && m->job.kind < BACKUP_KINDS && m->job.destination < DESTINATIONS_MAX;
    case MESSAGE_COURIER_JOB_DONE:
        return outcome_fits(&m->outcome);
    case MESSAGE_COURIER_DESTINATION:
        return destination_fits(&m->destination);
    case MESSAGE_COURIER_MAIL:
        return TEXT(m->relay.host) && TEXT(m->relay.from) && in_range(m->relay.port, 1, 65535);
    case MESSAGE_WORKER_NOTICE:
    case MESSAGE_STEWARD_NOTICE:
        return in_range(m->notice.kind, NOTICE_NONE + 1, NOTICE_KINDS - 1) && in_range(m->notice.bytes, 1, NOTICE_BYTES) &&
               m->notice.period_days <= NOTICE_DAYS_MAX && TEXT(m->notice.entity);
    case MESSAGE_WORKER_NOTICE_READ:
        return in_range(m->plain.value, 1, UINT32_MAX);
    case MESSAGE_WORKER_REFERENCES:
        return m->plain.value <= REFERENCES_ALL;
    case MESSAGE_WORKER_REGIONS:
        return m->plain.value == 0 || (m->plain.value & REGIONS_BOUNDED && m->plain.value <= REGIONS_ALL);
    case MESSAGE_WORKER_COPIES:
        return copies_fit(&m->copies);
    case MESSAGE_COURIER_LETTER:
        return in_range(m->letter.kind, NOTICE_NONE + 1, NOTICE_KINDS - 1) && in_range(m->letter.bytes, 1, NOTICE_BYTES) &&
               TEXT(m->letter.to) && TEXT(m->letter.host);
    case MESSAGE_COURIER_LETTER_DONE:
        return m->head.tenant && in_range(m->plain.value >> 1, 1, UINT32_MAX);
    case MESSAGE_COURIER_SEAL:
        return TEXT(m->spool.path);
    case MESSAGE_WORKER_WANT_LEDGER:
        return m->own.from >= 1;
    case MESSAGE_STEWARD_OWN_LINES:
        return m->plain.value <= OWN_LINES_MAX * (uint64_t)LEDGER_LINE_BYTES;
    case MESSAGE_STEWARD_SOCKET:
        return in_range(m->plain.value, STEWARD_STATUS, STEWARD_CONTROL);
    case MESSAGE_STEWARD_TENANT:
        return TEXT(m->tenant.name) && TEXT(m->tenant.title) && TEXT(m->tenant.modules) && TEXT(m->tenant.region) &&
               hosts(m->tenant.host, m->tenant.host_count) && layers(m->tenant.layer) && copies(m->tenant.copy, m->tenant.copy_count) &&
               TEXT(m->tenant.contact) && TEXT(m->tenant.entity);
    case MESSAGE_STEWARD_HOST:
        return layers(m->posture.layer);
    case MESSAGE_STEWARD_ACT:
        return act_fits(&m->act);
    case MESSAGE_STEWARD_ANSWER:
        return TEXT(m->answer.code);
    default:
        return true;
    }
}

enum channel_result channel_check(const void *bytes, size_t size, int fds, enum channel_end from, enum channel_end to) {
    union message m;
    if (size < sizeof m.head || size > sizeof m) return CHANNEL_BAD;
    memcpy(&m, bytes, size);
    const struct row *row = row_of(m.head.type);
    if (!row || row->from != (int)from || row->to != (int)to || row->size != size) return CHANNEL_BAD;
    if (fds > 1 || (fds == 1 && row->fd == FD_NONE) || (fds == 0 && row->fd == FD_ONE)) return CHANNEL_BAD;
    return fits(&m) ? CHANNEL_OK : CHANNEL_BAD;
}

/* Takes the sender's pid and all fds out of the control data; returns how many fds there were. Only the first is kept. */
static int control_take(struct msghdr *datagram, int *fd, pid_t *pid) {
    int fds = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(datagram); c; c = CMSG_NXTHDR(datagram, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type == SCM_CREDENTIALS && pid) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(c), sizeof who);
            *pid = who.pid;
        }
        if (c->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int passed;
            memcpy(&passed, CMSG_DATA(c) + i * sizeof passed, sizeof passed);
            if (fds++ == 0)
                *fd = passed;
            else
                close(passed);
        }
    }
    return fds;
}

enum channel_result channel_receive(int socket, enum channel_end from, enum channel_end to, union message *message, int *fd, pid_t *pid) {
    /* Room for credentials and two fds: a surplus fd must be seen to be refused, and MSG_CTRUNC is fatal. */
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    char bytes[sizeof *message + 1];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};

    *fd = -1;
    if (pid) *pid = 0;
    ssize_t size;
    do
        size = recvmsg(socket, &datagram, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0) return errno == EAGAIN ? CHANNEL_AGAIN : errno == ECONNRESET ? CHANNEL_GONE : CHANNEL_ERROR;

    int fds = control_take(&datagram, fd, pid);
    enum channel_result result = CHANNEL_BAD;
    if (size == 0 && fds == 0)
        result = CHANNEL_GONE;
    else if (!(datagram.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        result = channel_check(bytes, (size_t)size, fds, from, to);
    if (result == CHANNEL_OK) {
        memset(message, 0, sizeof *message);
        memcpy(message, bytes, (size_t)size);
    } else if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return result;
}
