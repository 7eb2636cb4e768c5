/* Which programs run: the SHA-256 of a program's file when it is started. Read before the supervisor gives up its rights, and again only
 * when the file is another one, by device, inode, size and times. */
#pragma once

#include "../policy/messages.h"

/* Zero when the file cannot be read. path of PROGRAM_SUPERVISOR: /proc/self/exe. */
void program_hash(enum program which, const char *path, uint8_t hash[PROGRAM_HASH]);
