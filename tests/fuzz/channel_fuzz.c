/* A datagram as a lying child would send it: what passes the check is of the table's size and direction. */
#include "../../policy/channel.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum channel_end end[] = {CHANNEL_SUPERVISOR, CHANNEL_ROUTER, CHANNEL_STEWARD, CHANNEL_WORKER};
    if (size < 2) return 0;
    enum channel_end from = end[data[0] & 3], to = end[data[0] >> 2 & 3];
    int fds = data[1] & 3;
    if (channel_check(data + 2, size - 2, fds, from, to) == CHANNEL_OK) {
        uint32_t type;
        memcpy(&type, data + 2, sizeof type);
        if (message_size(type) != size - 2 || fds > 1 || from == to) abort();
        /* Whatever comes from a worker is a plain number, two of them, or its ready message (S2); to the support it says numbers, too (S7).
         */
        bool more = type == MESSAGE_WORKER_READY || type == MESSAGE_WORKER_SUPPORT || type == MESSAGE_WORKER_WANT_LEDGER;
        if (from == CHANNEL_WORKER && !more && size - 2 != sizeof(struct message_plain)) abort();
    }
    return 0;
}
