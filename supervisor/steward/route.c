#include "route.h"

#include "../../policy/chain.h"
#include "../../policy/names.h"

#include <string.h>

bool route_fits(struct slice path, const char *pattern, struct slice *variable) {
    const char *p = path.data, *end = path.data + path.size;
    for (; *pattern; pattern++) {
        if (pattern[0] == '{') {
            const char *from = p;
            while (p < end && *p != '/')
                p++;
            if (p == from) return false;
            *variable = (struct slice){from, (size_t)(p - from)};
            pattern++;
        } else if (p == end || *p++ != *pattern)
            return false;
    }
    return p == end;
}

bool route_tenant(struct slice variable, char name[TENANT_NAME_MAX + 8]) {
    memset(name, 0, TENANT_NAME_MAX + 8);
    if (variable.size == 0 || variable.size > TENANT_NAME_MAX) return false;
    memcpy(name, variable.data, variable.size);
    if (name_is_tenant(name)) return true;
    memset(name, 0, TENANT_NAME_MAX + 8);
    return false;
}

bool route_number(struct slice variable, uint64_t *number) {
    return chain_number((struct chain_field){variable.data, variable.size}, INT64_MAX, number) && *number > 0;
}
