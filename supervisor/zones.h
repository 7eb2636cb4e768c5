/* The operator's table of zones (policy/zones.h), as bytes: the supervisor reads nothing in it. */
#pragma once

#include <stdbool.h>

/* Copies a file that only root can write into a memfd that can never change. path "" = none: *fd is -1. false with errno: EPERM when it is
 * not such a file, EFBIG when it is no table for its size. */
bool zones_open(const char *path, int *fd);
