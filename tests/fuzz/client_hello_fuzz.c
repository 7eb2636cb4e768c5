/* The ClientHello reader: whatever comes, a name it gives is one that may stand in the table of hosts, and it never decides on less than it
 * said it needs, nor otherwise once it has decided. */
#include "../../supervisor/router/client_hello.h"

#include <stdlib.h>
#include <string.h>

#define HOLD(CONDITION)                                                                                                                    \
    do {                                                                                                                                   \
        if (!(CONDITION)) abort();                                                                                                         \
    } while (0)

static enum hello_result read_copy(const uint8_t *bytes, size_t size, char host[HOST_MAX + 1], size_t *need) {
    uint8_t *copy = malloc(size); /* so that a byte read behind the end is seen */
    HOLD(copy || size == 0);
    if (size) memcpy(copy, bytes, size);
    enum hello_result result = client_hello_read(copy, size, host, need);
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char host[HOST_MAX + 1], earlier[HOST_MAX + 1];
    size_t need, earlier_need;
    enum hello_result result = read_copy(bytes, size, host, &need);
    if (result == HELLO_NAMED) {
        size_t length = strlen(host);
        HOLD(length >= 1 && length <= HOST_MAX);
        HOLD(strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == length);
    } else if (result == HELLO_MORE) {
        HOLD(need > size && need <= CLIENT_HELLO_MAX);
    }
    size_t cut = size ? (bytes[size - 1] | (size_t)bytes[size / 2] << 8) % (size + 1) : 0;
    enum hello_result before = read_copy(bytes, cut, earlier, &earlier_need);
    if (before == HELLO_MORE) {
        HOLD(earlier_need > cut);
        if (size < earlier_need) HOLD(result == HELLO_MORE && need == earlier_need);
    } else {
        HOLD(before == result);
        if (result == HELLO_NAMED) HOLD(strcmp(host, earlier) == 0);
    }
    return 0;
}
