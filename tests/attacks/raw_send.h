/* A datagram as no channel would send it: any bytes, any number of fds. For the hostile worker and the hostile courier. */
#pragma once

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { RAW_FDS_MOST = 256 };

static inline ssize_t raw_send(int socket, const void *bytes, size_t size, const int *fds, size_t count, int flags) {
    union {
        char bytes[CMSG_SPACE(RAW_FDS_MOST * sizeof(int))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        datagram.msg_control = control.bytes;
        datagram.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&datagram);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    }
    return sendmsg(socket, &datagram, MSG_NOSIGNAL | flags);
}
