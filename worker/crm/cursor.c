#include "cursor.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void cursor_write(const struct index_key *key, char out[CURSOR_TEXT]) {
    uint8_t bytes[2 + INDEX_KEY_MAX + ID_BYTES] = {(uint8_t)key->letter, key->size};
    memcpy(bytes + 2, key->bytes, key->size);
    memcpy(bytes + 2 + key->size, key->id, ID_BYTES);
    size_t size = 2u + key->size + ID_BYTES, at = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            out[at++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held) out[at++] = alphabet[bits << (6 - held) & 63];
    out[at] = 0;
}

bool cursor_read(const char *text, struct index_key *key) {
    uint8_t bytes[CURSOR_TEXT];
    size_t size = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    if (strlen(text) >= CURSOR_TEXT) return false;
    for (; *text; text++) {
        const char *digit = strchr(alphabet, *text);
        if (!digit) return false;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        if ((held += 6) < 8) continue;
        held -= 8;
        bytes[size++] = (uint8_t)(bits >> held);
    }
    if (held >= 6 || bits & ((1u << held) - 1)) return false;
    if (size < 2 || bytes[1] > INDEX_KEY_MAX || size != 2u + bytes[1] + ID_BYTES) return false;
    if (bytes[0] != '#' && (bytes[0] < 'A' || bytes[0] > 'Z')) return false;
    *key = (struct index_key){.letter = (char)bytes[0], .size = bytes[1]};
    memcpy(key->bytes, bytes + 2, key->size);
    memcpy(key->id, bytes + 2 + key->size, ID_BYTES);
    return true;
}
