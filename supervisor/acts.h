/* The verbs of staff, as the steward passes them on. The steward is not believed: who asks is read from the person's own connection, duty
 * (policy/duties.h), every field (policy/names.h) and the tenant's state are checked here again; then the act is recorded, and only then
 * done (C1, C6). */
#pragma once

#include "../policy/messages.h"
#include "../policy/person.h"

struct supervisor;

/* Does it or refuses it; the answer goes to the steward now or when a worker has done its part. Takes fd (-1 = none) over. */
void acts_do(struct supervisor *house, struct person who, const struct message_act *act, int fd);

/* Who is at the other end of a connection that the steward shows. false: nobody is any more. */
bool acts_person(const struct supervisor *house, int socket, struct person *who);
