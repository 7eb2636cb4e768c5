/* The walls are proved at every start, by children that try what must fail. */
#pragma once

#include "../policy/wall.h"

/* Before the wall is closed on the worker itself, with all other walls standing. Each child closes `wall` on itself and tries one
 * forbidden thing; it must be killed by the wall, or the call must fail where another wall is under test. Returns NULL when all held,
 * else the name of the try that got through (static). */
const char *selftest(const struct wall_program *wall);
