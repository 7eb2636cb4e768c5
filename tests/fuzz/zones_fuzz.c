/* The table of countries, whatever the file holds: nothing is read outside it, and what passes the check gives known codes only. */
#include "../../policy/zones.h"

#include <stdlib.h>
#include <string.h>

#define HOLD(CONDITION)                                                                                                                    \
    do {                                                                                                                                   \
        if (!(CONDITION)) abort();                                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint8_t address[16] = {0};
    uint8_t *copy = malloc(size);
    HOLD(copy || size == 0);
    if (size) memcpy(copy, bytes, size);
    bool sound = !zones_check(copy, size);
    for (size_t at = 0; at < 64; at++) {
        memcpy(address, bytes + (size > 16 ? at % (size - 16) : 0), size < 16 ? size : 16);
        if (at % 2) memcpy(address, (uint8_t[12]){[10] = 0xff, [11] = 0xff}, 12);
        uint16_t code = zones_find(copy, size, address);
        HOLD(!sound || code == 0 || zones_counter(code) != COUNTER_zone_unknown);
    }
    free(copy);
    return 0;
}
