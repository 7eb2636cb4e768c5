#include "hex.h"

static const char digits[] = "0123456789abcdef";

void hex_write(const uint8_t *bytes, size_t size, char *out) {
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static int value(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool hex_read(const char *text, size_t size, uint8_t *bytes) {
    for (size_t i = 0; i < size; i++) {
        int high = value(text[2 * i]), low = high < 0 ? -1 : value(text[2 * i + 1]);
        if (low < 0) return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
