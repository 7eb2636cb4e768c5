/* A connection's input buffer: full-sized while a request is read or answered, between requests no larger than what has come of the next.
 */
#pragma once

#include "connection.h"

bool input_ready(struct connection *c); /* makes it full-sized, with what a smaller one held; false: out of memory */
void input_shrink(struct connection *c);
void input_give_back(struct connection *c);
