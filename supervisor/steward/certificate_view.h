/* What a certificate of destruction says (S14): the provider's record of a tenant that is gone, in a form that is signed and kept. The
 * signature is made where the key is, by `cloison certificate issue`; no key lies on this machine for it. */
#pragma once

#include "steward.h"

#include <jansson.h>

/* The body of {"until": "YYYY-MM-DD"}, or none, into *act. false: *problem says why. */
struct act_problem;
struct message_act;
bool certificate_view_read_end(const char *body, size_t size, struct message_act *act, struct act_problem *problem);

/* RFC 3339 in UTC; null for 0. */
json_t *certificate_view_date(uint64_t ms);

/* The dates of a tenant's contract as the status shows them: null while it goes on. */
json_t *certificate_view_contract(const struct message_tenant *t);

/* Answers VERB_certificate, which the supervisor allowed; last: COUNT of the tenant's last line in the ledger. */
void certificate_view_answer(struct steward *steward, struct staff_request *r, uint64_t last);
