/* The staff's undertakings on control.sock (S1, C1): the text, a person's own, and for the auditor the record of all. */
#pragma once

#include "../../policy/messages.h"
#include "../../policy/undertaking.h"
#include "act.h"
#include "steward.h"

/* Reads {"version": N, "name": "…", "until": "YYYY-MM-DD"}: the last two may be left out. until is the last day. false: *problem says why.
 */
bool undertaking_read_body(const char *body, size_t size, struct message_act *act, struct act_problem *problem);

/* A day, YYYY-MM-DD, in UTC: Unix ms of its beginning. false: there is no such day. */
bool undertaking_day(const char *text, uint64_t *ms);

/* Answers a request of one of the verbs undertaking_show, _sign, _end, _list that the supervisor allowed. */
void undertaking_answer(struct steward *steward, struct staff_request *r, const struct message_answer *answer);

/* What a person reads when its undertaking is not in force. */
const char *undertaking_advice(enum undertaking_state state);

/* The whole record as JSON: {"sound", "keep_years", "items": [...]}. NULL: it cannot be read. */
json_t *undertaking_items(int fd);
