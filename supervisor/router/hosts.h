/* Which tenant a host name belongs to, as the supervisor said. Exact names only: no wildcard, no default. */
#pragma once

#include "../../policy/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct hosts;

/* NULL when there is no memory. Free with hosts_free (NULL is fine). */
struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts);

/* Gives the name (lower case, 1..HOST_MAX bytes) to a tenant (> 0); a name that another had changes hands. false: out of memory, or more
 * than TENANTS_MAX * TENANT_HOSTS_MAX names. */
bool hosts_set(struct hosts *hosts, const char *host, uint32_t tenant);

/* Takes the name from that tenant; nothing happens if it is not its own. */
void hosts_unset(struct hosts *hosts, const char *host, uint32_t tenant);

/* The tenant of a name in lower case; 0 when nobody has it. */
uint32_t hosts_find(const struct hosts *hosts, const char *host);
