/* A worker is told its plans and what came of them. */
#pragma once

#include <stdbool.h>

struct tenant;

/* answers: it is the one answer to a word of the worker's own (messages.h). */
void tell_plans(struct tenant *tenant, bool answers);
