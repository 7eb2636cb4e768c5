/*
 * From a connection to its tenant's worker: fd, source and nothing else go over the worker's hand-over socket (H2), one fd a message.
 *
 * At most as many as the worker has credits are unacknowledged; a worker that acknowledges more than it got loses its socket. What cannot
 * go over at once is held in order, HELD_PER_TENANT at most, and the supervisor is asked for a worker once a start. For how long a
 * connection is held, and what happens to it afterwards, is its owner's business (connection.h).
 */
#pragma once

#include "../../policy/messages.h"
#include "tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event_base;
struct handover;
struct tenant;

/* A connection on its way over; lies inside its owner's struct. The owner fills fd, kind, port and address. */
struct guest {
    TAILQ_ENTRY(guest) queue;
    struct tenant *tenant; /* whose queue it is in; NULL = in none */
    int fd;
    uint32_t kind; /* enum handover_kind */
    uint16_t port;
    uint8_t address[16];
};

/* The guest left the queue: TALLY_passed, then its worker has the fd and the owner closes its own copy, or why it could not. */
typedef void handover_done(void *argument, struct guest *guest, enum tally_end end);

/* channel: the supervisor's, to ask for workers; stays the caller's. NULL when there is no memory. Lives as long as the process. */
struct handover *handover_new(struct event_base *base, int channel, handover_done *done, void *argument);

/* Connections held for one tenant at once; 0, or more than HELD_PER_TENANT: HELD_PER_TENANT. */
void handover_limit(struct handover *handover, uint32_t held);

/* The tenant's worker of that generation takes connections over socket (owned from here on), credits (1..HANDOVER_CREDITS) at once. An
 * older generation than the one known is ignored. false: out of memory, the socket is closed. */
bool handover_worker(struct handover *handover, uint32_t tenant, uint64_t generation, int socket, uint32_t credits);

/* It has none. Generation 0, or one not older than that known. STOPPED: what is held stays, and the supervisor is asked again after
 * AGAIN_MS. SUSPENDED, THROTTLED: what is held ends, and what comes within REFUSED_MS ends at once, without asking. */
void handover_no_worker(struct handover *handover, uint32_t tenant, uint64_t generation, enum no_worker_reason reason);

/* Sends the guest over (false: done was called for it, it is not the caller's any more) or holds it (true: done will be called, unless
 * handover_leave comes first). */
bool handover_offer(struct handover *handover, uint32_t tenant, struct guest *guest);

/* The owner ends a guest that is held. */
void handover_leave(struct handover *handover, struct guest *guest);

enum { HANDOVER_AGAIN_MS = 200, HANDOVER_REFUSED_MS = 1000 };
