/*
 * control.sock: what staff may do, by duty (C1, C3). The steward decides nothing: every verb goes to the supervisor, which checks it again
 * and records it; verbs that nobody has (C6) and verbs without the duty go too, so that the refusal is recorded.
 */
#pragma once

#include "../../policy/messages.h"
#include "steward.h"

enum { BACKUP_MS = 600000 }; /* for a backup verb: everything may have to cross the network */
enum { CONTROL_MS = 45000 }; /* for the supervisor's answer: a start takes up to START_MS, a drain DRAIN_MS */

/* Answers a request on control.sock. r->context is the struct steward. */
void control_handle(struct staff_request *r);

/* The person lacks the duty, or nobody has this verb: tells the supervisor, then answers 403. tenant: "" = none. */
void control_refuse(struct steward *steward, struct staff_request *r, enum verb verb, const char *tenant);

/* The supervisor's answer. Closes fd (-1 = none). */
void control_answer(struct steward *steward, const struct message_answer *answer, int fd);
