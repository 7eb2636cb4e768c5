/* How many workers run at once (max_workers): who waits, and who goes to make room. Sealed ones go first, so that a scanner that wakes
 * everybody ends nobody's session, and whether or not they have connections, so that it keeps nobody out either. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct tenant;

enum { ROOM_IDLE_MS = 2000 /* a worker with traffic within this is not idle, a sealed one that is younger does not go */ };

/* How readily a worker goes: 0 = not at all; the greatest goes first. Pure. */
uint64_t room_rank(bool sealed, uint64_t idle_ms);

/* The tenant waits: LIFE_ROOM comes when it is its turn, maybe from within. */
void room_ask(struct tenant *tenant);
void room_leave(struct tenant *tenant);

/* Lets in who can be let in, and asks idle workers to go for those who cannot. After a worker's end, and now and then. */
void room_run(struct supervisor *house);
