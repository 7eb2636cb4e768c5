/* The way of a message to the support out of the worker, and of what is told of it back in. */
#pragma once

#include <stdbool.h>

/* Whether the provider has a support that can be written to now. */
bool support_available(void);
/* Seals and sends what has not arrived, one at a time and not too many a minute; goes on by itself. */
void support_send_next(void);
