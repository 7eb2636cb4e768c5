/*
 * How often something may be done: a worker tells the supervisor of what users do, and one that tells too often is ended (H1). Whoever asks
 * for more than a worker may tell is refused here, or told later, before it comes to that.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

struct exchange;

struct pace {
    unsigned most;  /* in a minute, by all users of the tenant together */
    time_t since;   /* the minute's begin */
    unsigned taken; /* in it */
};

/* Takes one; false: there is none left in this minute. */
bool pace_take(struct pace *pace);

/* The same for a request; false: answered with 429. */
bool pace_admit(struct pace *pace, struct exchange *x);
