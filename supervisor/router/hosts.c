#include "hosts.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char host[HOST_MAX + 1]; /* first: what the tree compares */
    uint32_t tenant;
};

struct hosts {
    void *tree; /* of struct row, ordered by name: balanced, so no choice of names makes a lookup slow */
    size_t count;
};

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

struct hosts *hosts_new(void) {
    return calloc(1, sizeof(struct hosts));
}

void hosts_free(struct hosts *hosts) {
    if (!hosts) return;
    tdestroy(hosts->tree, free);
    free(hosts);
}

static struct row *find(const struct hosts *hosts, const char *host) {
    struct row **node = tfind(host, &hosts->tree, by_name);
    return node ? *node : NULL;
}

bool hosts_set(struct hosts *hosts, const char *host, uint32_t tenant) {
    struct row *row = find(hosts, host);
    if (row) {
        row->tenant = tenant;
        return true;
    }
    if (hosts->count == (size_t)TENANTS_MAX * TENANT_HOSTS_MAX) return false;
    size_t size = strlen(host) + 1;
    if (size > sizeof row->host || !(row = calloc(1, sizeof *row))) return false;
    memcpy(row->host, host, size);
    row->tenant = tenant;
    if (!tsearch(row, &hosts->tree, by_name)) {
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
