/*
 * The way back (C7): the courier gives a snapshot into a pipe, and a child with the tenant's uid and without the capabilities to do
 * anything else writes a data file of it, in the tenant's directory for a restore, in a folder of its own for a drill, which is emptied
 * afterwards. Done when both say so: the courier that every byte was right, the child that it makes a store.
 */
#pragma once

#include "../policy/duties.h"
#include "../policy/messages.h"

#include <stdbool.h>
#include <sys/types.h>

struct tenant;

/* Nothing of it is under way. */
bool loading_may(const struct tenant *tenant);
/* S14: no restore or drill is under way, and no drill has left its folder. false: not yet; a folder that is left is being emptied. */
bool loading_clear(struct tenant *tenant);
/* false: the child could not be started. send: hands the job, with the pipe's end, to the courier. */
bool loading_begin(struct tenant *tenant, enum verb verb, struct message_job *job,
                   void (*send)(struct tenant *, struct message_job *, int fd));
void loading_given(struct tenant *tenant, const struct message_outcome *outcome);
bool loading_child(struct tenant *tenant, pid_t pid, int status);
