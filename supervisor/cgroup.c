#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { READ_MAX = 4096 };

/* Reads a small file whole. Its size, or -1. */
static ssize_t read_at(int directory, const char *file, char text[READ_MAX]) {
    int fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t size = read(fd, text, READ_MAX - 1);
    close(fd);
    if (size >= 0) text[size] = '\0';
    return size;
}

static int write_at(int directory, const char *file, const char *text) {
    int fd = openat(directory, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    size_t size = strlen(text);
    ssize_t written = write(fd, text, size);
    int saved = errno;
    close(fd);
    errno = saved;
    return written == (ssize_t)size ? 0 : -1;
}

static int write_number(int directory, const char *file, uint64_t n) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, n);
    return write_at(directory, file, text);
}

/* Whether a word is in a list with spaces between. */
static bool has_word(const char *list, const char *word) {
    size_t size = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += size)
        if ((p == list || p[-1] == ' ') && (p[size] == ' ' || p[size] == '\n' || p[size] == '\0')) return true;
    return false;
}

/* The path of this process's own cgroup v2 directory, after "0::" in /proc/self/cgroup. */
static bool own_path(char path[PATH_BYTES_MAX + 1]) {
    char text[READ_MAX];
    if (read_at(AT_FDCWD, "/proc/self/cgroup", text) < 0) return false;
    for (char *line = text, *rest; line; line = rest) {
        rest = strchr(line, '\n');
        if (rest) *rest++ = '\0';
        if (strncmp(line, "0::/", 4) != 0) continue;
        int size = snprintf(path, PATH_BYTES_MAX + 1, "/sys/fs/cgroup%s", line + 3);
        return size > 0 && size <= PATH_BYTES_MAX;
    }
    return false;
}

/* Moves this process into the leaf: a cgroup that limits its children may hold no process itself. */
static int enter_leaf(int directory) {
    if (mkdirat(directory, "supervisor", 0755) < 0 && errno != EEXIST) return -1;
    return write_at(directory, "supervisor/cgroup.procs", "0");
}

/* Takes the directory whose fd this is. NULL, or what is missing. */
static const char *take(struct cgroup *cgroup, int directory) {
    struct statfs fs;
    char controllers[READ_MAX];
    if (fstatfs(directory, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) return "no cgroup v2 is mounted there";
    if (read_at(directory, "cgroup.controllers", controllers) < 0) return "its controllers cannot be read";
    if (!has_word(controllers, "memory") || !has_word(controllers, "pids")) return "it has no memory and pids controllers";
    if (enter_leaf(directory) < 0) return "it is not delegated: no leaf can be made and entered";
    if (write_at(directory, "cgroup.subtree_control", "+memory +pids") < 0) return "its controllers cannot be switched on";
    cgroup->cpu = has_word(controllers, "cpu") && write_at(directory, "cgroup.subtree_control", "+cpu") == 0;
    cgroup->io = has_word(controllers, "io") && write_at(directory, "cgroup.subtree_control", "+io") == 0;
    return NULL;
}

bool cgroup_open(struct cgroup *cgroup, const char *where) {
    char path[PATH_BYTES_MAX + 1];
    bool automatic = strcmp(where, "auto") == 0;
    *cgroup = (struct cgroup){.directory = -1};
    if (strcmp(where, "off") == 0) {
        snprintf(cgroup->why, sizeof cgroup->why, "cgroup = off in the configuration");
        return true;
    }
    if (!automatic) {
        snprintf(path, sizeof path, "%s", where);
    } else if (!own_path(path)) {
        snprintf(cgroup->why, sizeof cgroup->why, "the supervisor is in no cgroup v2");
        return true;
    }
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *why = directory < 0 ? strerror(errno) : take(cgroup, directory);
    if (!why) {
        cgroup->directory = directory;
        return true;
    }
    snprintf(cgroup->why, sizeof cgroup->why, "%.*s: %s", 100, path, why);
    if (directory >= 0) close(directory);
    return automatic;
}

void cgroup_close(struct cgroup *cgroup) {
    if (cgroup->directory >= 0) close(cgroup->directory);
    cgroup->directory = -1;
}

int cgroup_limit(const struct cgroup *cgroup, int tenant, const struct config_limits *limits) {
    if (write_number(tenant, "memory.max", limits->memory_max) < 0 || write_number(tenant, "pids.max", limits->pids_max) < 0) return -1;
    /* A kernel without swap accounting has no such file, and nothing to forbid. */
    if (write_number(tenant, "memory.swap.max", 0) < 0 && errno != ENOENT) return -1;
    if (cgroup->cpu && write_number(tenant, "cpu.weight", limits->cpu_weight) < 0) return -1;
    /* The io controller may be there without a scheduler that knows weights. */
    if (cgroup->io && write_number(tenant, "io.weight", limits->io_weight) < 0 && errno != ENOENT) return -1;
    return 0;
}

int cgroup_tenant(const struct cgroup *cgroup, const char *name, const struct config_limits *limits) {
    char leaf[TENANT_NAME_MAX + 8];
    if (cgroup->directory < 0) return errno = ENOTSUP, -1;
    snprintf(leaf, sizeof leaf, "tenant-%s", name);
    if (mkdirat(cgroup->directory, leaf, 0755) < 0 && errno != EEXIST) return -1;
    int tenant = openat(cgroup->directory, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tenant >= 0 && cgroup_limit(cgroup, tenant, limits) < 0) {
        int saved = errno;
        close(tenant);
        errno = saved;
        return -1;
    }
    return tenant;
}

uint64_t cgroup_number(int tenant, const char *file) {
    char text[READ_MAX];
    return tenant >= 0 && read_at(tenant, file, text) > 0 ? strtoull(text, NULL, 10) : 0;
}

uint64_t cgroup_oom_kills(int tenant) {
    char text[READ_MAX];
    if (tenant < 0 || read_at(tenant, "memory.events", text) <= 0) return 0;
    const char *row = strstr(text, "\noom_kill ");
    return row ? strtoull(row + strlen("\noom_kill "), NULL, 10) : 0;
}

int cgroup_remove(const struct cgroup *cgroup, const char *name) {
    char leaf[TENANT_NAME_MAX + 8];
    if (cgroup->directory < 0) return 0;
    snprintf(leaf, sizeof leaf, "tenant-%s", name);
    return unlinkat(cgroup->directory, leaf, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}
