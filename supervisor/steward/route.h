/* Which request is which: method and path against a pattern. Pure. */
#pragma once

#include "../../policy/http_message.h"

#include <stdbool.h>

/* pattern: a path in which {} stands for one non-empty segment, whose bytes go to *variable, still encoded. No slash at its end. */
bool route_fits(struct slice path, const char *pattern, struct slice *variable);

/* The name of a tenant in a path. false: it cannot be one. */
bool route_tenant(struct slice variable, char name[TENANT_NAME_MAX + 8]);

/* The number of a request in a path: decimal, from 1. false: it cannot be one. */
bool route_number(struct slice variable, uint64_t *number);
