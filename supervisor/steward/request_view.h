/* What takes two people, on control.sock (C1, S11): the list of requests, agreeing to one, and the package of a disclosure. */
#pragma once

#include "../../policy/messages.h"
#include "act.h"
#include "steward.h"

/* Reads {"ground", "scope": […], "recipient", "reason", "hold_until": "YYYY-MM-DD"}: the last may be left out; the tenant is told when that
 * day begins. false: *problem says why. */
bool request_view_read(const char *body, size_t size, struct message_act *act, struct act_problem *problem);

/* The same of {"use": a name of references.def, "where"}. */
bool request_view_read_citation(const char *body, size_t size, struct message_act *act, struct act_problem *problem);

/* GET /v1/requests: those of the kinds that the person's duties ask for or agree to. */
void request_view_list(struct steward *steward, struct staff_request *r);

/* The supervisor did what was agreed to: what the person gets. */
void request_view_approved(struct steward *steward, struct staff_request *r, const struct message_answer *answer);

/* Of a refusal to agree: which duty it takes. */
const char *request_view_duty(uint32_t agrees);
