#include "hosts.h"

#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct row {
    uint32_t tenant;
    char host[];
};

struct hosts {
    void *tree; /* of struct row, ordered by name: balanced, so no choice of names makes a lookup slow */
    size_t count;
};

/* What tsearch compares: names. A row is found by its name, which is why the tree holds names and not rows. */
static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static struct row *row_of(const char *name) { return (struct row *)(uintptr_t)(name - offsetof(struct row, host)); }

static void free_name(void *name) { free(row_of(name)); }

struct hosts *hosts_new(void) {
    return calloc(1, sizeof(struct hosts));
}

void hosts_free(struct hosts *hosts) {
    if (!hosts) return;
    tdestroy(hosts->tree, free_name);
    free(hosts);
}

static struct row *find(const struct hosts *hosts, const char *host) {
    char **node = tfind(host, &hosts->tree, by_name);
    return node ? row_of(*node) : NULL;
}

bool hosts_set(struct hosts *hosts, const char *host, uint32_t tenant) {
    struct row *row = find(hosts, host);
    if (row) {
        row->tenant = tenant;
        return true;
    }
    if (hosts->count == (size_t)TENANTS_MAX * TENANT_HOSTS_MAX) return false;
    size_t size = strlen(host) + 1;
    if (!(row = malloc(sizeof *row + size))) return false;
    row->tenant = tenant;
    memcpy(row->host, host, size);
    if (!tsearch(row->host, &hosts->tree, by_name)) {
        free(row);
        return false;
    }
    hosts->count++;
    return true;
}

void hosts_unset(struct hosts *hosts, const char *host, uint32_t tenant) {
    struct row *row = find(hosts, host);
    if (!row || row->tenant != tenant) return;
    tdelete(host, &hosts->tree, by_name);
    free(row);
    hosts->count--;
}

uint32_t hosts_find(const struct hosts *hosts, const char *host) {
    const struct row *row = find(hosts, host);
    return row ? row->tenant : 0;
}
