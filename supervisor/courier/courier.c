#include "courier.h"

#include "../../policy/channel.h"
#include "../../policy/jail.h"
#include "../../policy/wall.h"
#include "backup.h"
#include "destination.h"
#include "letters.h"
#include "mail.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <nss.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESOLV "/etc/resolv.conf"
enum { DNS_PORT = 53, PORTS_MAX = DESTINATIONS_MAX + 2 };

void courier_log(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "cloison-courier: %s\n", line); /* one write: lanes speak at once */
}

/* One message, waited for. */
static enum channel_result receive(struct courier *c, union message *m, int *fd) {
    for (;;) {
        enum channel_result result = channel_receive(c->channel, CHANNEL_SUPERVISOR, CHANNEL_COURIER, m, fd, NULL);
        if (result != CHANNEL_AGAIN) return result;
        poll(&(struct pollfd){.fd = c->channel, .events = POLLIN}, 1, -1);
    }
}

void courier_say(struct courier *c, const union message *m, int fd) {
    for (;;) {
        enum channel_result result = channel_send(c->channel, CHANNEL_COURIER, m, fd);
        if (result == CHANNEL_GONE) exit(EXIT_SUCCESS); /* nobody is left to work for */
        if (result != CHANNEL_AGAIN) return;
        poll(&(struct pollfd){.fd = c->channel, .events = POLLOUT}, 1, -1);
    }
}

/* ---- open ---- */

/* Kept until the spool is known: a destination must not share its medium. */
static struct {
    struct message_destination is;
    int credentials;
    bool given;
} told[DESTINATIONS_MAX];

static bool take_before(struct courier *c, const union message *m, int fd) {
    if (m->head.type == MESSAGE_COURIER_MAIL && !c->mail) return (c->mail = mail_open(&m->relay));
    if (m->head.type != MESSAGE_COURIER_DESTINATION || told[m->destination.index].given) return false;
    told[m->destination.index].is = m->destination;
    told[m->destination.index].credentials = fd;
    told[m->destination.index].given = true;
    return true;
}

static bool open_destinations(struct courier *c) {
    for (int i = 0; i < DESTINATIONS_MAX; i++) {
        if (!told[i].given) continue;
        c->destination[i] = destination_open(&told[i].is, told[i].credentials, c->spool);
        if (told[i].credentials >= 0) close(told[i].credentials);
        if (!c->destination[i]) return false;
        enum destination_result opened = destination_opened(c->destination[i]);
        if (opened != DESTINATION_DONE) courier_log("destination %s: %s", told[i].is.name, destination_result_name(opened));
        memcpy(c->label[i], told[i].is.name, sizeof c->label[i]);
    }
    return true;
}

int courier_open(struct courier *c) {
    union message m;
    int fd;
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) return -1; /* TLS is set up before the walls */
    do {
        if (receive(c, &m, &fd) != CHANNEL_OK) return -1;
        if (m.head.type != MESSAGE_COURIER_SEAL && !take_before(c, &m, fd)) {
            errno = EPROTO;
            return -1;
        }
    } while (m.head.type != MESSAGE_COURIER_SEAL);
    c->spool = open(m.spool.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return c->spool < 0 || !open_destinations(c) ? -1 : 0;
}

/* ---- seal ---- */

/* Names are looked up in /etc/hosts and by the servers of resolv.conf: no module of the C library is loaded behind the wall. */
static const char *const readable_always = "/etc";

/* Where resolv.conf lies when it is a link out of /etc; "" = it is not. */
static void find_resolv(char directory[PATH_MAX]) {
    if (!realpath(RESOLV, directory)) directory[0] = '\0';
    char *slash = strrchr(directory, '/');
    if (slash) *slash = '\0';
    if (strcmp(directory, readable_always) == 0) directory[0] = '\0';
}

static bool make_lanes(struct courier *c) {
    for (int i = 0; i < DESTINATIONS_MAX; i++)
        if (c->destination[i] && !(c->lane[i] = lane_new(c->destination[i]))) return false;
    if (c->mail && !(c->mail_lane = lane_new(NULL))) return false;
    return (c->lane[COURIER_SPOOL_LANE] = lane_new(NULL));
}

/* C1, C7: what leaves the machine is moved by a process of its own, which sees sealed files alone */
static int close_in(struct courier *c) {
    static char resolv[PATH_MAX];
    const char *readable[2] = {readable_always, resolv};
    int directory[DESTINATIONS_MAX + 1] = {c->spool};
    uint16_t port[PORTS_MAX] = {DNS_PORT};
    struct jail_opening opening = {.directory = directory, .directories = 1, .readable = readable, .port = port, .ports = 1};
    find_resolv(resolv);
    opening.readables = resolv[0] ? 2 : 1;
    for (int i = 0; i < DESTINATIONS_MAX; i++) {
        if (!c->destination[i]) continue;
        if (destination_directory(c->destination[i]) >= 0) directory[opening.directories++] = destination_directory(c->destination[i]);
        if (destination_port(c->destination[i])) port[opening.ports++] = destination_port(c->destination[i]);
    }
    if (c->mail) port[opening.ports++] = mail_port(c->mail);
    if (jail_unshare_networked() < 0 || jail_enter_only(readable, opening.readables) < 0) return -1;
    return jail_drop_rights_but(&opening);
}

/* C1, C7, C8: what leaves the machine is moved by a process of its own, which sees sealed files alone */
int courier_seal(struct courier *c, struct message_ready *ready) {
    static struct wall_program wall;
    if (__nss_configure_lookup("hosts", "files dns") < 0 || wall_make(WALL_COURIER, &wall) < 0) return -1;
    if (close_in(c) < 0 || !make_lanes(c)) return -1;
    jail_observe(ready->layer, &ready->landlock_abi);
    if (wall_close(&wall) < 0) return -1;
    ready->layer[LAYER_seccomp] = LAYER_ON;
    ready->syscalls = wall.calls;
    memcpy(ready->filter_hash, wall.hash, sizeof wall.hash);
    return 0;
}

/* ---- work ---- */

bool courier_lane_add(struct courier *c, uint32_t index, lane_run *run, void *job) {
    return index <= COURIER_SPOOL_LANE && c->lane[index] && lane_do(c->lane[index], run, job);
}

/* What the supervisor may say once the wall is closed. A handler that keeps fd sets it to -1. */
static const struct {
    uint32_t type;
    void (*handle)(struct courier *, const union message *, int *fd);
} handlers[] = {
    {MESSAGE_COURIER_LETTER, letters_take},
    {MESSAGE_COURIER_JOB, backup_job},
    {0, NULL},
};

int courier_work(struct courier *c) {
    for (;;) {
        union message m;
        int fd;
        enum channel_result result = receive(c, &m, &fd);
        if (result == CHANNEL_GONE) return 0;
        if (result != CHANNEL_OK) return -1;
        size_t i = 0;
        while (handlers[i].type && handlers[i].type != m.head.type)
            i++;
        if (handlers[i].handle) handlers[i].handle(c, &m, &fd);
        if (fd >= 0) close(fd);
        if (!handlers[i].handle) {
            errno = EPROTO;
            return -1;
        }
    }
}
