/* Enrolment and log-in: the handlers that need a password stretched. Internal to the account routes. */
#pragma once

#include "http.h"

void enrol(struct exchange *x, struct request *r);
void log_in(struct exchange *x, struct request *r);

/* Answers 200 {user, rights, commit} for a session. */
void answer_session(struct exchange *x, const struct session *session);

/* Makes a new recovery kit for a user, the old one's place taken, and answers 201 {recovery_kit}. origin: the slot under which it is made.
 */
void answer_new_kit(struct exchange *x, const uint8_t user[ID_BYTES], const uint8_t *origin);
void answer_kit(struct exchange *x, const uint8_t kit[KEY_BYTES]);

/* What a capsule's or the store's failure is to a client. */
void answer_errno(struct exchange *x, int error);
void answer_failure(struct exchange *x, enum store_result result);
