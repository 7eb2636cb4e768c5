/* What the parts of the steward share: everything the supervisor told it, and where it answers. Nothing here is a tenant's (S4). */
#pragma once

#include "../../policy/person.h"
#include "events.h"
#include "http.h"
#include "ledger_files.h"
#include "tenants.h"

#include <stdbool.h>
#include <stdint.h>

struct steward {
    struct event_base *base;
    struct event *sample; /* its period is host.sample_ms */
    int channel;          /* to the supervisor */
    struct duty_map duties;
    struct tenants *tenants;
    struct events *events;
    struct publication *publication;
    struct message_notice notice[NOTICES_MAX]; /* in the order of their numbers */
    size_t notice_count;
    struct support *support;
    bool has_host; /* the supervisor has told of the machine */
    struct message_posture host;
    struct ledger_files ledger;
    struct {
        union message message; /* OWN_LINES that the supervisor takes no sooner; type 0 = none */
        int fd;
        struct event *again;
    } owed;
    int record[STEWARD_RECORDS];           /* for reading only with pread(), of each enum steward_record; -1 = none yet */
    struct staff_server *status, *control; /* NULL until their sockets came */
};

/* Makes the event loop and what belongs in it around steward->channel. Whatever opens, seeds or reads a file does so here, before the
 * wall. false: no memory. */
bool steward_open(struct steward *steward);

/* Looks at the pages of counters so often from now on, in ms. false: not 1 s to 1 h. */
bool steward_sample_every(struct steward *steward, uint64_t ms);

/* Unix time, ms. */
uint64_t steward_now_ms(void);

/* One line on stderr: operations only, never a name, a path or a request (S2, S5). */
void steward_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
