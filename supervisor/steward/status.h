/* status.sock: the operational numbers (H4), for the viewer duty. */
#pragma once

#include "steward.h"

#include <jansson.h>

/* The word of an enum tenant_state: "stopped" … "throttled"; "unknown" for a number that is none. */
const char *status_state(uint32_t state);

/* One tenant as `/v1/tenants/NAME` shows it. NULL: no memory. */
json_t *status_tenant(const struct tenants_row *row);

/* Everything, as `/v1/status` shows it. NULL: no memory. */
json_t *status_json(const struct steward *steward);

/* Answers a request on status.sock. r->context is the struct steward. */
void status_handle(struct staff_request *r);
