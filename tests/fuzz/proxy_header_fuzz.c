/* The PROXY header reader: what it says to consume is there and is within the protocol's bounds, and bytes behind the header change
 * nothing. */
#include "../../supervisor/router/proxy_header.h"

#include <stdlib.h>
#include <string.h>

#define HOLD(CONDITION)                                                                                                                    \
    do {                                                                                                                                   \
        if (!(CONDITION)) abort();                                                                                                         \
    } while (0)

static enum proxy_result read_copy(const uint8_t *bytes, size_t size, struct proxy_header *header, size_t *need) {
    uint8_t *copy = malloc(size);
    HOLD(copy || size == 0);
    if (size) memcpy(copy, bytes, size);
    enum proxy_result result = proxy_header_read(copy, size, header, need);
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct proxy_header header, again;
    size_t need, again_need;
    enum proxy_result result = read_copy(bytes, size, &header, &need);
    if (result == PROXY_MORE) {
        HOLD(need > size && need <= PROXY_HEADER_MAX);
        return 0;
    }
    if (result == PROXY_COMPLETE) {
        HOLD(header.size <= size && header.size >= 15);
        HOLD(header.size <= (bytes[0] == 'P' ? (size_t)PROXY_V1_MAX : (size_t)PROXY_HEADER_MAX));
        HOLD(header.kind >= PROXY_SOURCE && header.kind <= PROXY_LOCAL);
        if (bytes[0] == 'P') HOLD(memcmp(bytes + header.size - 2, "\r\n", 2) == 0);
        HOLD(read_copy(bytes, header.size, &again, &again_need) == PROXY_COMPLETE);
        HOLD(memcmp(&header, &again, sizeof header) == 0);
        HOLD(read_copy(bytes, header.size - 1, &again, &again_need) == PROXY_MORE && again_need == header.size);
    }
    for (size_t less = 0; less < size && less < PROXY_HEADER_MAX; less += 1 + less / 8) {
        enum proxy_result before = read_copy(bytes, less, &again, &again_need);
        HOLD(before == PROXY_MORE || before == result);
    }
    return 0;
}
