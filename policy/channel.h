/* One message over one SOCK_SEQPACKET socket, with at most one fd. The policy is messages.def; this is the mechanism. */
#pragma once

#include "messages.h"

#include <stddef.h>
#include <sys/types.h>

enum channel_end { CHANNEL_SUPERVISOR = 1, CHANNEL_ROUTER, CHANNEL_STEWARD, CHANNEL_WORKER, CHANNEL_COURIER };

enum channel_result {
    CHANNEL_OK,
    CHANNEL_AGAIN, /* nothing there, or no room: try when the socket is ready */
    CHANNEL_GONE,  /* the peer closed */
    CHANNEL_BAD,   /* what the peer sent is not in the table: end that peer (S4) */
    CHANNEL_ERROR, /* errno */
};

/* A connected pair, non-blocking, CLOEXEC, SO_PASSCRED on end[0], the parent's. 0, or -1 with errno. */
int channel_pair(int end[2]);

/* Sends a message whose head.type is set; the size comes from the table. fd = -1 for none; the caller keeps its fd.
 * A message that the table does not let `from` send is our own bug: abort. CHANNEL_OK, AGAIN, GONE or ERROR. */
enum channel_result channel_send(int socket, enum channel_end from, const union message *message, int fd);

/* Receives one message that `to` may get from `from`. *fd is the passed fd (CLOEXEC; the caller owns it) or -1.
 * pid (may be NULL): the sender's, from SCM_CREDENTIALS, 0 if none. On anything but CHANNEL_OK no fd is left open. */
enum channel_result channel_receive(int socket, enum channel_end from, enum channel_end to, union message *message, int *fd, pid_t *pid);

/* The table, for tests and for the fuzzer: checks one datagram as channel_receive would. */
enum channel_result channel_check(const void *bytes, size_t size, int fds, enum channel_end from, enum channel_end to);

/* Size of the whole struct of a type; 0 when there is no such type. */
size_t message_size(uint32_t type);
const char *message_name(uint32_t type);
