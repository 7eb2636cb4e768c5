/* The part of config.h that looks at the machine. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an error says it is about. */
struct place {
    const char *file;
    uint32_t line; /* 0 = no line: a default */
    char *error;   /* CONFIG_ERROR_MAX */
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct place at, const char *format, ...) {
    va_list arguments;
    int used = at.line ? snprintf(at.error, CONFIG_ERROR_MAX, "%s:%u: ", at.file, (unsigned)at.line)
                       : snprintf(at.error, CONFIG_ERROR_MAX, "%s: ", at.file);
    if (used < 0 || used >= CONFIG_ERROR_MAX) return false;
    va_start(arguments, format);
    vsnprintf(at.error + used, (size_t)(CONFIG_ERROR_MAX - used), format, arguments);
    va_end(arguments);
    return false;
}

/* --- passwd, group, subuid, subgid: NAME:X:NUMBER:NUMBER… or NAME:NUMBER:NUMBER --- */

struct row {
    char *name;
    char *field[3]; /* those after the name; "" when there is none */
};

static void split_row(char *line, struct row *row) {
    line[strcspn(line, "\n")] = '\0';
    row->name = strsep(&line, ":");
    for (int i = 0; i < 3; i++) {
        char *field = line ? strsep(&line, ":") : NULL;
        row->field[i] = field ? field : row->name + strlen(row->name);
    }
}

static bool read_id(const char *s, uint32_t *out) {
    char *end;
    if (*s < '0' || *s > '9') return false;
    errno = 0;
    unsigned long long n = strtoull(s, &end, 10);
    *out = (uint32_t)n;
    return !errno && !*end && n < CONFIG_NOBODY;
}

static FILE *open_table(const char *etc, const char *table) {
    char path[PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", etc, table);
    return fopen(path, "re");
}

/* Finds a user or a group by name, or by number. false: there is none. group may be NULL. */
static bool find_account(const char *etc, const char *table, const char *name, uint32_t *id, uint32_t *group) {
    FILE *file = open_table(etc, table);
    char *line = NULL;
    size_t room = 0;
    uint32_t wanted, found;
    bool by_number = read_id(name, &wanted), hit = false;
    while (file && !hit && getline(&line, &room, file) > 0) {
        struct row row;
        split_row(line, &row);
        if (!read_id(row.field[1], &found)) continue;
        hit = by_number ? found == wanted : strcmp(row.name, name) == 0;
        if (hit && group) hit = read_id(row.field[2], group);
        if (hit) *id = found;
    }
    free(line);
    if (file) fclose(file);
    return hit;
}

/* Whether [base, base + count) meets an id of passwd or group (ranges: false) or a range of subuid or subgid. */
static bool meets(const char *etc, const char *table, bool ranges, const struct config *c, char *name, size_t name_room) {
    FILE *file = open_table(etc, table);
    char *line = NULL;
    size_t room = 0;
    bool hit = false;
    while (file && !hit && getline(&line, &room, file) > 0) {
        struct row row;
        uint32_t first, count = 1;
        split_row(line, &row);
        if (!read_id(row.field[ranges ? 0 : 1], &first) || (ranges && !read_id(row.field[1], &count))) continue;
        hit = first < (uint64_t)c->uid_base + c->uid_count && c->uid_base < (uint64_t)first + count;
        if (hit) snprintf(name, name_room, "%s", row.name);
    }
    free(line);
    if (file) fclose(file);
    return hit;
}

static bool check_range(struct place at, const char *etc, const struct config *c) {
    static const struct {
        const char *table;
        bool ranges;
    } tables[] = {{"passwd", false}, {"group", false}, {"subuid", true}, {"subgid", true}};
    char name[CONFIG_ACCOUNT_MAX + 1];
    if ((uint64_t)c->uid_base + c->uid_count > 4294967294u) return refuse(at, "uid_base: the range ends above 4294967293");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (meets(etc, tables[i].table, tables[i].ranges, c, name, sizeof name))
            return refuse(at, "uid_base: %u to %u is not free: %s in %s/%s", (unsigned)c->uid_base,
                          (unsigned)(c->uid_base + c->uid_count - 1), name, etc, tables[i].table);
    return true;
}

/* --- the accounts --- */

static bool is_tenants(const struct config *c, uint32_t id) { return id >= c->uid_base && id - c->uid_base < c->uid_count; }

/* One service's user and group; without a group of its own, the user's. */
static bool resolve_service(struct place at, const char *etc, const struct config *c, const char *option, struct config_account *uid,
                            struct config_account *gid) {
    uint32_t primary = CONFIG_NOBODY;
    bool known = find_account(etc, "passwd", uid->name, &uid->id, &primary);
    at.line = uid->line;
    if (!known && !read_id(uid->name, &uid->id)) return refuse(at, "%s_uid: there is no user \"%s\" in %s/passwd", option, uid->name, etc);
    if (uid->id == 0 || is_tenants(c, uid->id)) return refuse(at, "%s_uid: neither 0 nor one of the tenants' uids", option);
    if (gid->name[0]) {
        at.line = gid->line;
        if (!find_account(etc, "group", gid->name, &gid->id, NULL) && !read_id(gid->name, &gid->id))
            return refuse(at, "%s_gid: there is no group \"%s\" in %s/group", option, gid->name, etc);
    } else {
        if (!known) return refuse(at, "%s_gid: needed, since %s/passwd has no user %s", option, etc, uid->name);
        gid->id = primary;
    }
    return gid->id == 0 || is_tenants(c, gid->id) ? refuse(at, "%s_gid: neither 0 nor one of the tenants' gids", option) : true;
}

/* A group that may be absent unless the file names it. */
static bool resolve_group(struct place at, const char *etc, const char *option, struct config_account *gid) {
    if (!gid->name[0] || find_account(etc, "group", gid->name, &gid->id, NULL) || read_id(gid->name, &gid->id)) return true;
    gid->id = CONFIG_NOBODY;
    at.line = gid->line;
    return gid->line == 0 || refuse(at, "%s: there is no group \"%s\" in %s/group", option, gid->name, etc);
}

/* The courier's own uid keeps staff's and the network's processes away from the sealed files it moves. */
static bool resolve_courier(struct place at, const char *etc, struct config *c) {
    if (!config_has_courier(c)) return true;
    if (!resolve_service(at, etc, c, "courier", &c->courier_uid, &c->courier_gid)) return false;
    at.line = c->courier_uid.line;
    if (c->courier_uid.id == c->router_uid.id) return refuse(at, "courier_uid: the router has the same");
    if (c->courier_uid.id == c->steward_uid.id) return refuse(at, "courier_uid: the steward has the same");
    at.line = 0;
    return !c->mail_relay.host[0] || c->mail_from[0] || refuse(at, "mail_relay: needs mail_from");
}

static bool find_binaries(struct place at, struct config *c) {
    if (c->binaries[0]) return true;
    ssize_t size = readlink("/proc/self/exe", c->binaries, sizeof c->binaries);
    if (size <= 0 || (size_t)size >= sizeof c->binaries) return refuse(at, "binaries: cannot be found by /proc/self/exe, so name it");
    c->binaries[size] = '\0';
    char *slash = strrchr(c->binaries, '/');
    slash[slash == c->binaries] = '\0';
    return true;
}

bool config_resolve(const char *file, const char *etc, struct config *c, char error[CONFIG_ERROR_MAX]) {
    struct place at = {.file = file, .error = error};
    error[0] = '\0';
    if (!find_binaries(at, c) || !check_range(at, etc, c)) return false;
    if (!resolve_service(at, etc, c, "router", &c->router_uid, &c->router_gid)) return false;
    if (!resolve_service(at, etc, c, "steward", &c->steward_uid, &c->steward_gid)) return false;
    at.line = c->steward_uid.line;
    if (c->router_uid.id == c->steward_uid.id) return refuse(at, "steward_uid: the router has the same");
    at.line = 0;
    if (!resolve_courier(at, etc, c)) return false;
    for (int i = 0; i < DUTY_COUNT; i++) {
        /* C5: where there is no provider its groups have no duty: only those that the file names, the customer's own */
        if (c->mode != MODE_SHARED && c->duty[i].line == 0) c->duty[i].name[0] = '\0';
        if (!resolve_group(at, etc, duty_table[i].name, &c->duty[i])) return false;
    }
    return resolve_group(at, etc, "proxy_group", &c->proxy_group);
}

/* --- the file --- */

/* Reads a file that only its owner can write. NULL with the error told; else the caller frees it. */
static char *read_file(struct place at, size_t *size) {
    struct stat st;
    int fd = open(at.file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text = NULL;
    if (fd < 0 || fstat(fd, &st) < 0) {
        refuse(at, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_FILE_MAX) {
        refuse(at, "not a regular file of at most %d bytes", CONFIG_FILE_MAX);
    } else if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) {
        refuse(at, "must be owned by root and writable by its owner alone");
    } else if ((text = malloc((size_t)st.st_size + 1))) {
        ssize_t n = read(fd, text, (size_t)st.st_size + 1);
        *size = n > 0 ? (size_t)n : 0;
        if (n < 0 || n > st.st_size) {
            refuse(at, "%s", n < 0 ? strerror(errno) : "it changes while it is read");
            free(text);
            text = NULL;
        }
    } else {
        refuse(at, "%s", strerror(ENOMEM));
    }
    if (fd >= 0) close(fd);
    return text;
}

bool config_load(const char *path, struct config *out, char error[CONFIG_ERROR_MAX]) {
    struct config c;
    size_t size = 0;
    char *text = read_file((struct place){.file = path, .error = error}, &size);
    bool fine = text && config_parse(path, text, size, &c, error) && config_resolve(path, "/etc", &c, error);
    free(text);
    if (fine) *out = c;
    return fine;
}

/* --- reloads --- */

static bool listens(const struct config *c, const char *title) {
    for (uint32_t i = 0; i < c->listener_count; i++)
        if (strcmp(c->listener[i].title, title) == 0) return true;
    return false;
}

bool config_has_courier(const struct config *c) { return c->destination_count > 0 || c->mail_relay.host[0]; }

bool config_same_courier(const struct config *a, const struct config *b) {
    if (a->destination_count != b->destination_count || a->mail_relay.port != b->mail_relay.port) return false;
    if (strcmp(a->mail_relay.host, b->mail_relay.host) != 0 || strcmp(a->mail_from, b->mail_from) != 0) return false;
    for (uint32_t i = 0; i < a->destination_count; i++) {
        const struct config_destination *x = &a->destination[i], *y = &b->destination[i];
        if (strcmp(x->name, y->name) != 0 || x->kind != y->kind || x->same_medium != y->same_medium || x->archive != y->archive ||
            x->object_lock != y->object_lock || strcmp(x->region, y->region) != 0 || strcmp(x->path, y->path) != 0 ||
            strcmp(x->endpoint, y->endpoint) != 0 || strcmp(x->bucket, y->bucket) != 0 ||
            strcmp(x->signing_region, y->signing_region) != 0 || strcmp(x->credentials, y->credentials) != 0 || strcmp(x->ca, y->ca) != 0)
            return false;
    }
    return true;
}

const char *config_needs_restart(const struct config *old, const struct config *changed) {
    if (strcmp(old->run_dir, changed->run_dir) != 0) return "run_dir";
    if (strcmp(old->state_dir, changed->state_dir) != 0) return "state_dir";
    if (old->mode != changed->mode) return "mode"; /* what was told of each tenant before stays told */
    if (old->uid_base != changed->uid_base) return "uid_base";
    if (old->uid_count != changed->uid_count) return "uid_count";
    if (old->router_uid.id != changed->router_uid.id) return "router_uid";
    if (old->router_gid.id != changed->router_gid.id) return "router_gid";
    if (old->steward_uid.id != changed->steward_uid.id) return "steward_uid";
    if (old->steward_gid.id != changed->steward_gid.id) return "steward_gid";
    if (config_has_courier(old) && config_has_courier(changed)) {
        if (old->courier_uid.id != changed->courier_uid.id) return "courier_uid";
        if (old->courier_gid.id != changed->courier_gid.id) return "courier_gid";
    }
    if (strcmp(old->cgroup, changed->cgroup) != 0) return "cgroup";
    if (old->arena_bytes < changed->arena_bytes) return "arena_bytes"; /* RLIMIT_MEMLOCK's hard limit cannot be raised any more */
    for (uint32_t i = 0; i < changed->listener_count; i++)
        if (changed->listener[i].port < IPPORT_RESERVED && !listens(old, changed->listener[i].title)) return "listener";
    return NULL;
}
