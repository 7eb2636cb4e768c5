/* What became of connections, as numbers: the only thing the router ever says about them (S2, S5). */
#pragma once

#include <stdint.h>

/*
 *   END(NAME, NOTABLE, MEANING)
 * NOTABLE ones make a line appear in the log; the others are only named in it.
 */
#define TALLY_ENDS(END)                                                                                                                    \
    END(passed, 0, "handed over to its tenant's worker")                                                                                   \
    END(redirected, 0, "answered by the plain HTTP listener")                                                                              \
    END(left, 0, "the peer closed first")                                                                                                  \
    END(checked, 0, "a proxy's health check that wanted no more than a connection")                                                        \
    END(late, 1, "nothing complete came within CLIENT_HELLO_MS")                                                                           \
    END(crowded_out, 1, "the oldest, when there was no room for a new one")                                                                \
    END(no_proxy, 1, "not from where a PROXY header is taken")                                                                             \
    END(bad_proxy, 1, "a malformed PROXY header")                                                                                          \
    END(bad_hello, 1, "not a ClientHello")                                                                                                 \
    END(no_host, 1, "no or an unknown host name")                                                                                          \
    END(too_many, 1, "its source has enough connections here")                                                                             \
    END(too_fast, 1, "its source brings them too fast")                                                                                    \
    END(held_full, 1, "enough wait for this tenant")                                                                                       \
    END(held_late, 1, "the tenant's worker did not come within HELD_MS")                                                                   \
    END(closed_tenant, 1, "the tenant is suspended or backs off")                                                                          \
    END(broken, 1, "the kernel refused something")

enum tally_end {
#define END(NAME, NOTABLE, MEANING) TALLY_##NAME,
    TALLY_ENDS(END)
#undef END
        TALLY_COUNT
};

struct tally {
    uint64_t count[TALLY_COUNT];
    uint64_t said[TALLY_COUNT]; /* as of the last line */
};

enum { TALLY_MS = 60000 }; /* how often tally_say is called */

static inline void tally_add(struct tally *tally, enum tally_end end) { tally->count[end]++; }

/* Writes one line to stderr if something notable happened since the last one. */
void tally_say(struct tally *tally);
