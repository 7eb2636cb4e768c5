/* The supervisor's messages: one handler a type. What the table does not know ends the steward; it is started again. */
#pragma once

#include "steward.h"

/* Takes every message that is there. false: the supervisor is gone or spoke nonsense; leave. */
bool uplink_receive(struct steward *steward);

/* Tries again to send what is owed; for steward->owed.again. */
void uplink_owed(int none, short what, void *steward);
