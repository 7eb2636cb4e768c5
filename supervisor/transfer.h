/* A tenant's contract goes to another provider, by merger or sale (S13): what is asked for (policy/request.h) is announced to the tenant,
 * and nothing happens before that notice has been delivered and its period has run. */
#pragma once

#include "../policy/request.h"

#include <stdbool.h>

struct tenant;

/* The day (Unix ms) that a notice of today names. */
uint64_t transfer_day(const struct tenant *tenant, uint64_t now_ms);
/* Publishes the notice of a request. false with errno. */
bool transfer_announce(struct tenant *tenant, const struct request *request);
/* Why it cannot be carried out yet: WAIT_DELIVERY or WAIT_PERIOD; 0 = it can. */
enum wait_reason transfer_waits(const struct tenant *tenant, const struct request *request, uint64_t now_ms);
/* Enters the entity in the registry. false: not written. */
bool transfer_do(struct tenant *tenant, const char *entity);
