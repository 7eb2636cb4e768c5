#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text behind "\nNAME:" of a status file, or NULL. */
static const char *value_of(const char *text, const char *name) {
    size_t size = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, size) == 0 && line[size] == ':') return line + size + 1;
    }
    return NULL;
}

/* The next number from *at on, behind white space; *at is then behind it. */
static bool take(const char **at, int base, uint64_t *out) {
    char *end;
    errno = 0;
    *out = strtoull(*at, &end, base);
    bool fine = end != *at && errno == 0;
    *at = end;
    return fine;
}

static bool field(const char *text, const char *name, int base, uint64_t *out) {
    const char *value = value_of(text, name);
    return value && take(&value, base, out);
}

static bool small(const char *text, const char *name, uint32_t *out) {
    uint64_t value;
    if (!field(text, name, 10, &value) || value > INT32_MAX) return false;
    *out = (uint32_t)value;
    return true;
}

static bool uids(const char *text, struct proof *p) {
    const char *at = value_of(text, "Uid");
    uint64_t uid[4]; /* real, effective, saved, file system */
    for (int i = 0; i < 4; i++)
        if (!at || !take(&at, 10, &uid[i])) return false;
    p->uid = (uid_t)uid[0];
    p->one_uid = uid[0] == uid[1] && uid[0] == uid[2] && uid[0] == uid[3];
    return true;
}

static bool capabilities(const char *text, struct proof *p) {
    static const char *const held[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        uint64_t set;
        if (!field(text, held[i], 16, &set)) return false;
        p->capabilities |= set;
    }
    return field(text, "CapBnd", 16, &p->bounding);
}

bool proof_parse(const char *text, struct proof *p) {
    *p = (struct proof){0};
    uint32_t parent;
    const char *state = value_of(text, "State");
    if (!state || !small(text, "PPid", &parent) || !small(text, "Seccomp", &p->seccomp) || !small(text, "NoNewPrivs", &p->no_new_privs))
        return false;
    if (!small(text, "Seccomp_filters", &p->filters)) p->filters = 0;
    p->dead = strncmp(state, "\tZ", 2) == 0 || strncmp(state, "\tX", 2) == 0;
    p->parent = (pid_t)parent;
    return uids(text, p) && capabilities(text, p);
}

bool proof_read(pid_t pid, struct proof *p) {
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t used = 0;
    ssize_t size;
    while (used < sizeof text - 1 && (size = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)size;
    close(fd);
    text[used] = '\0';
    if (proof_parse(text, p)) return true;
    errno = EBADMSG;
    return false;
}

const char *proof_lacks(const struct proof *p, const struct proof_demand *d) {
    if (p->dead) return "died as it said ready";
    if (p->parent != d->parent) return "is not our child";
    if (!p->one_uid || p->uid != d->uid) return "runs under another uid";
    /* 3: the filter is ending it at this moment; the news of that follows and says it better. */
    bool filtered = p->seccomp == 2 || p->seccomp == 3;
    if (!filtered || (p->filters && p->filters <= d->filters)) return "has no filter of its own";
    if (p->no_new_privs != 1) return "could gain privileges";
    if (p->capabilities || p->bounding & ~d->bounding) return "holds capabilities";
    return NULL;
}

enum need { FREE, TOLERATED, REQUIRED };
static const enum need needs[LAYER_COUNT] = {
    [LAYER_user_namespace] = REQUIRED,
    [LAYER_mount_namespace] = REQUIRED,
    [LAYER_pid_namespace] = REQUIRED,
    [LAYER_net_namespace] = REQUIRED,
    [LAYER_ipc_namespace] = REQUIRED,
    [LAYER_uts_namespace] = REQUIRED,
    [LAYER_cgroup_namespace] = REQUIRED,
    [LAYER_no_new_privs] = REQUIRED,
    [LAYER_no_capabilities] = REQUIRED,
    [LAYER_not_dumpable] = REQUIRED,
    [LAYER_landlock] = REQUIRED,
    [LAYER_seccomp] = REQUIRED,
    [LAYER_mdwe] = TOLERATED,
    [LAYER_cgroup_limits] = TOLERATED,
};

/* H1: a worker is believed to be jailed as far as the kernel says so */
enum layer proof_missing(const uint8_t layer[64], uint64_t allowed, enum secret_memory secret_memory) {
    for (int i = 0; i < LAYER_COUNT; i++) {
        if (layer[i] == LAYER_ON || allowed >> i & 1) continue;
        if (needs[i] == REQUIRED || (needs[i] == TOLERATED && layer[i] == LAYER_OFF)) return (enum layer)i;
        if (i == LAYER_secret_memory && secret_memory != SECRET_MEMORY_BEST_EFFORT) return (enum layer)i;
    }
    return LAYER_COUNT;
}

static const char *const names[LAYER_COUNT] = {
#define LAYER(NAME, MEANING, OFF) #NAME,
#include "../policy/layers.def"
#undef LAYER
};

const char *layer_name(enum layer layer) { return (unsigned)layer < LAYER_COUNT ? names[layer] : "none"; }
