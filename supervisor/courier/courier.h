/* The courier: moves sealed files between the spool and the destinations, and letters to the mail relay. It sees no key and no plaintext:
 * what passes here was sealed in a worker, or is the provider's own words. */
#pragma once

#include "../../policy/messages.h"
#include "lane.h"

#include <stdbool.h>
#include <stdint.h>

struct courier {
    int channel;
    int spool;                                         /* its directory; everything there by openat() */
    struct destination *destination[DESTINATIONS_MAX]; /* NULL: the configuration has none of that index */
    struct mail *mail;                                 /* NULL: no relay is configured */
    struct lane *mail_lane;
    struct lane *lane[DESTINATIONS_MAX + 1];                /* the last one is the spool's own */
    char label[DESTINATIONS_MAX][DESTINATION_NAME_MAX + 8]; /* for the log */
};
enum { COURIER_SPOOL_LANE = DESTINATIONS_MAX };

/* Takes messages until COURIER_SEAL and opens what they name. 0; -1 when the channel ended or lied: leave. */
int courier_open(struct courier *courier);
/* Namespaces, Landlock, the lanes, the wall; fills what is reported. 0, or -1 with errno. */
int courier_seal(struct courier *courier, struct message_ready *ready);
/* Takes messages until the channel ends. */
int courier_work(struct courier *courier);

/* Queues run(destination, job) on the lane of destination `index`, or of COURIER_SPOOL_LANE. false: no such destination, or its queue is
 * full. */
bool courier_lane_add(struct courier *courier, uint32_t index, lane_run *run, void *job);
/* To the supervisor, from any thread; waits while it takes nothing. fd: -1 = none; the caller keeps its own. */
void courier_say(struct courier *courier, const union message *message, int fd);
/* A line of the log. No tenant's name, no key of an object: numbers and the provider's own words. */
__attribute__((format(printf, 1, 2))) void courier_log(const char *format, ...);
