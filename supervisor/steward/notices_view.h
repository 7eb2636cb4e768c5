/* Notices of change (S13) as the staff publishes and sees them. */
#pragma once

#include "act.h"
#include "http.h"
#include "steward.h"

/* The supervisor's word about one. false: more than there can be. */
bool notices_view_put(struct steward *steward, const struct message_notice *notice);

/* It is not kept any more. */
void notices_view_forget(struct steward *steward, uint64_t number);

/* GET /v1/notices: {items: [{number, kind, published, effective, tenant, to, tenants, delivered, bytes}]}, times in Unix seconds. */
void notices_view_list(struct steward *steward, struct staff_request *r);

/* POST /v1/notices?kind=K&effective=YYYY-MM-DD with the text as its body, into *act. The date is the beginning of the day, UTC. false:
 * *problem. */
bool notices_view_read(const struct staff_request *r, struct message_act *act, struct act_problem *problem);
