#include "regions.h"

#include "names.h"

#include <stdio.h>
#include <string.h>

static bool has(const char *names, const char *region) {
    size_t size = strlen(region), length;
    for (const char *p = names; *p; p += length + (p[length] == ',')) {
        length = strcspn(p, ",");
        if (length == size && memcmp(p, region, size) == 0) return true;
    }
    return false;
}

/* S8: without a bound every region is allowed, with one only those it names */
bool region_allowed(const struct region_bound *b, const char *region) { return !b->bounded || has(b->names, region); }

bool region_allow(struct region_bound *b, const char *region) {
    size_t used = strlen(b->names), size = strlen(region);
    if (has(b->names, region)) return true;
    if (used + size + 2 > sizeof b->names) return false;
    snprintf(b->names + used, sizeof b->names - used, "%s%s", used ? "," : "", region);
    return true;
}

bool region_bound_is_fine(const struct region_bound *b) {
    char name[TENANT_REGION_MAX + 1];
    const char *end = memchr(b->names, '\0', sizeof b->names);
    if (!end || !b->bounded) return end == b->names;
    for (const char *p = b->names; p < end; p++) {
        size_t length = strcspn(p, ",");
        if (length >= sizeof name) return false;
        memcpy(name, p, length);
        name[length] = '\0';
        p += length;
        if (!name_is_region(name) || (*p && !p[1])) return false;
    }
    return true;
}
