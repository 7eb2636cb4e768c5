/* Enrolment, log-in, change of a password: the handlers that need a KDF, and answers they share. Internal to the account routes. */
#pragma once

#include "http.h"

void enrol(struct exchange *x, struct request *r);
void log_in(struct exchange *x, struct request *r);
void change_password(struct exchange *x, struct request *r);

/* A page of another site may not do this (session_same_origin()). true: answered 403. */
bool refuse_foreign(struct exchange *x, const struct request *r);

/* Opens the tenant with what a slot gave. false: answered. login: NULL where the client named none. x NULL: the client went away. */
bool open_tenant(struct exchange *x, const struct slot *slot, const uint8_t tmk[KEY_BYTES], const char *login);

/* A slot was opened: makes the session and answers. x NULL: the client went away. login: NULL where it named none. */
void begin_session(struct exchange *x, const struct slot *slot, const char *login);

/* Answers 200 {user, rights, commit, last_commit, warnings} for a session. last_commit: Unix seconds. */
void answer_session(struct exchange *x, const struct session *session, uint64_t last_commit);

/* Makes a new recovery kit for a user, the old one's place taken, and answers 201 {recovery_kit}. origin: the slot under which it is made.
 */
void answer_new_kit(struct exchange *x, const uint8_t user[ID_BYTES], const uint8_t *origin);

/* Answers 201 {recovery_kit}. */
void answer_kit(struct exchange *x, const uint8_t kit[KEY_BYTES]);

void answer_wrong(struct exchange *x);                  /* the uniform 401 */
bool answer_wait(struct exchange *x, unsigned seconds); /* 429 for a delay; false with 0: not answered */

/* What a failure of the capsule, the password thread or the store is to a client. */
void answer_errno(struct exchange *x, int error);
void answer_failure(struct exchange *x, enum store_result result);
/* 200 {items}. Steals items; NULL: there was no memory for them. */
void answer_items(struct exchange *x, json_t *items);
