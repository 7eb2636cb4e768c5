/* seccomp from syscalls.def: an allow-list per process; whatever is not on it ends the process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum wall { WALL_SUPERVISOR, WALL_ROUTER, WALL_STEWARD, WALL_WORKER };

/* Installs the list on every thread of the process. count and hash (SHA-256 of the program) may be NULL. 0, or -1 with errno. */
int wall_close(enum wall which, uint32_t *count, uint8_t hash[32]);

/* The rows, for the self-test and the documentation. */
struct wall_row { const char *name; int number; const char *reason; };
size_t wall_rows(enum wall which, struct wall_row *rows, size_t room);
