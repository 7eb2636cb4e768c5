/*
 * A worker that does one misdeed, for tests only. It goes through the very jail and wall of the real one (policy/jail.h, policy/wall.h),
 * says ready and then does what its tenant's name tells it: evil-NAME. It gets nothing else from outside. For any other tenant it becomes
 * the program of its own name with ".real" behind it, so that honest and hostile workers live in one house.
 *
 * How it ended is all that gets out: status THROUGH means that a wall let it through, UNKNOWN that there is no such misdeed.
 */
#pragma once

#include "../../../policy/channel.h"
#include "../../../policy/counters.h"
#include "../../../policy/wall.h"

#include <stddef.h>

enum { THROUGH = 99, UNKNOWN = 98, BROKEN = 97 /* the attack itself could not be set up */ };

/* Walls that a lying start leaves out; it says ready all the same, with every layer claimed. */
enum omission { OMIT_NAMESPACES = 1, OMIT_ROOT = 2, OMIT_RIGHTS = 4, OMIT_WALL = 8, OMIT_READY = 16 };

struct misdeed {
    const char *name;                /* behind "evil-" */
    unsigned omit;                   /* enum omission */
    void (*first)(void);             /* as it begins, before any wall */
    void (*before_wall)(void);       /* with all walls but seccomp */
    void (*before_ready)(void);      /* with all walls, before it says ready */
    void (*after_ready)(void);       /* then it goes on as an honest one, if it still can */
    void (*on_csr)(void);            /* asked for a certification request */
    void (*on_chain)(void);          /* given a chain */
    void (*on_drain)(void);          /* asked to leave */
    void (*on_permit)(void);         /* a permit came */
    void (*on_lines)(void);          /* its tenant's lines of the ledger came, or word that they cannot be had */
    void (*on_snapshot)(void);       /* given a pipe for a snapshot */
    void (*on_plans)(void);          /* told what is kept of its plans */
    void (*on_handover)(int socket); /* a connection waits in the hand-over socket, or it was just given */
};

/* The tables; each ends with a row without a name. */
extern const struct misdeed start_misdeeds[], call_misdeeds[], channel_misdeeds[], csr_misdeeds[], handover_misdeeds[];

/* What it was given. */
extern struct message_start profile;
extern struct counter_page *counters;
extern struct wall_program wall;
/* Opened before the wall, for use behind it. */
extern int spare_memfd, spare_pipe, spare_directory, spare_device, own_file;
extern char own_path[4096]; /* of its directory, as it was before the jail */
/* Bytes that a file of this tenant may grow to. */
uint64_t file_ceiling(void);

__attribute__((noreturn)) void got_through(void);
__attribute__((noreturn)) void broken(const char *step); /* before the wall only: says why */

/* A message of this tenant and generation; only for types that are one plain number. */
union message plain_message(uint32_t type, uint64_t value);
void say(uint32_t type, uint64_t value, int fd);
/* A READY that claims everything. */
union message ready_message(void);
/* Any bytes with any fds over any socket. Returns 0, or -1 when the peer takes no more. */
int send_raw(int socket, const void *bytes, size_t size, const int *fds, size_t count);
/* Does nothing for this long; the honest life has not begun. */
void wait_ms(int ms);
/* The honest life looks at this fd no more. */
void unwatch(int fd);
