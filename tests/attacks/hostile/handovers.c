/* Misdeeds on the hand-over socket: connections never taken, credit that was not due, anything else that can be sent there. */
#include "hostile.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void take_none(int socket) { unwatch(socket); }

/* Takes them all, keeps them, and gives no credit. */
static void take_and_keep(int socket) {
    union message m;
    int fd;
    enum channel_result result;
    do
        result = channel_receive(socket, CHANNEL_ROUTER, CHANNEL_WORKER, &m, &fd, NULL);
    while (result == CHANNEL_OK);
    if (result != CHANNEL_AGAIN) unwatch(socket);
}

static void credit(int socket, uint64_t value, size_t size, const int *fds, size_t count) {
    union message m = plain_message(MESSAGE_CREDIT, value);
    send_raw(socket, &m, size, fds, count);
    take_and_keep(socket);
}
static void credit_more(int socket) { credit(socket, HANDOVER_CREDITS, sizeof(struct message_plain), NULL, 0); }
static void credit_zero(int socket) { credit(socket, 0, sizeof(struct message_plain), NULL, 0); }
static void credit_wild(int socket) { credit(socket, ~0ULL, sizeof(struct message_plain), NULL, 0); }
static void credit_short(int socket) { credit(socket, 1, sizeof(struct message_plain) - 1, NULL, 0); }
static void credit_fd(int socket) { credit(socket, 1, sizeof(struct message_plain), &spare_memfd, 1); }

static void hand_back(int socket) {
    union message m;
    int fd;
    if (channel_receive(socket, CHANNEL_ROUTER, CHANNEL_WORKER, &m, &fd, NULL) != CHANNEL_OK) return;
    send_raw(socket, &m, sizeof m.handover, &fd, 1); /* its own message, with a customer's connection, back to the router */
}

static void hang_up(int socket) { shutdown(socket, SHUT_RDWR); }

/* Credits without end, each a lie after the first. */
static void credit_flood(int socket) {
    union message m = plain_message(MESSAGE_CREDIT, 1);
    for (int i = 0; i < 100000 && send_raw(socket, &m, sizeof m.plain, NULL, 0) == 0; i++) {
    }
    take_and_keep(socket);
}

const struct misdeed handover_misdeeds[] = {
    {.name = "take-none", .on_handover = take_none},
    {.name = "take-and-keep", .on_handover = take_and_keep},
    {.name = "credit-more", .on_handover = credit_more},
    {.name = "credit-zero", .on_handover = credit_zero},
    {.name = "credit-wild", .on_handover = credit_wild},
    {.name = "credit-short", .on_handover = credit_short},
    {.name = "credit-fd", .on_handover = credit_fd},
    {.name = "hand-back", .on_handover = hand_back},
    {.name = "hang-up", .on_handover = hang_up},
    {.name = "credit-flood", .on_handover = credit_flood},
    {0},
};
