#include "ulid.h"

#include <string.h>
#include <time.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void put_ms(uint8_t id[ID_BYTES], uint64_t ms) {
    for (int i = 5; i >= 0; i--, ms >>= 8)
        id[i] = (uint8_t)ms;
}

void ulid_new(uint8_t id[ID_BYTES]) {
    static uint8_t last[ID_BYTES];
    uint8_t next[ID_BYTES];
    put_ms(next, now_ms());
    if (memcmp(next, last, 6) > 0) {
        random_bytes(next + 6, sizeof next - 6);
    } else { /* the same millisecond, or a clock that went back: count on from the last one, over the 48 bits too if need be */
        memcpy(next, last, sizeof next);
        for (int i = ID_BYTES - 1; i >= 0 && ++next[i] == 0; i--) {
        }
    }
    memcpy(last, next, sizeof last);
    memcpy(id, next, sizeof next);
}

void ulid_text(const uint8_t id[ID_BYTES], char text[ULID_TEXT + 1]) {
    /* 26 * 5 = 130 bits: two zero bits in front. */
    unsigned bits = 0, held = 2;
    size_t at = 0;
    for (size_t i = 0; i < ID_BYTES; i++) {
        bits = bits << 8 | id[i];
        for (held += 8; held >= 5; held -= 5)
            text[at++] = alphabet[bits >> (held - 5) & 31];
    }
    text[at] = 0;
}

bool ulid_parse(const char *text, size_t size, uint8_t id[ID_BYTES]) {
    if (size != ULID_TEXT || text[0] < '0' || text[0] > '7') return false;
    uint8_t out[ID_BYTES];
    unsigned bits = 0, held = 0;
    size_t at = 0;
    for (size_t i = 0; i < ULID_TEXT; i++) {
        const char *digit = memchr(alphabet, text[i], sizeof alphabet - 1);
        if (!digit) return false;
        bits = bits << 5 | (unsigned)(digit - alphabet);
        held += i ? 5 : 3; /* the first digit carries three bits */
        if (held >= 8) {
            held -= 8;
            out[at++] = (uint8_t)(bits >> held);
        }
    }
    memcpy(id, out, sizeof out);
    return true;
}
