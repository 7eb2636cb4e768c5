/* The staff's backup verbs: what a body says, and what is answered. */
#pragma once

#include "act.h"
#include "http.h"

/* The body of a backup verb, or none: {"archive": bool}, of drill and restore also "snapshot", of restore "source" and "destination". */
bool backups_read(const char *body, size_t size, enum verb verb, struct message_act *act, struct act_problem *problem);

bool backups_is(enum verb verb);

/* The list of snapshots out of the supervisor's memfd of `bytes` bytes; fd is the caller's. */
void backups_answer_list(struct staff_request *r, int fd, uint64_t bytes);
/* detail: enum backup_result. */
void backups_answer_failed(struct staff_request *r, uint32_t detail);
