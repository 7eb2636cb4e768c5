#include "credential.h"

#include <string.h>

enum { KIT_DIGITS = 52, CHECK_DIGITS = 4, GROUP = 4 };

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void secret_format(const uint8_t secret[KEY_BYTES], char text[SECRET_TEXT + 1]) {
    uint32_t bits = 0, held = 0;
    size_t at = 0;
    for (size_t i = 0; i < KEY_BYTES; i++) {
        bits = bits << 8 | secret[i];
        for (held += 8; held >= 6; held -= 6)
            text[at++] = base64url[bits >> (held - 6) & 63];
    }
    text[at++] = base64url[bits << (6 - held) & 63];
    text[at] = 0;
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool secret_parse(const char *text, size_t size, uint8_t secret[KEY_BYTES]) {
    uint32_t bits = 0, held = 0;
    size_t at = 0;
    if (size != SECRET_TEXT) return false;
    for (size_t i = 0; i < size; i++) {
        int value = base64_value(text[i]);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        secret[at++] = (uint8_t)(bits >> held);
    }
    return (bits & ((1U << held) - 1)) == 0; /* the two spare bits */
}

/* Five bits a character, from bit `from` of the bytes; beyond their end zero. */
static void put_digits(const uint8_t *bytes, size_t size, size_t digits, char *out) {
    for (size_t i = 0; i < digits; i++) {
        unsigned value = 0;
        for (size_t bit = 5 * i; bit < 5 * i + 5; bit++)
            value = value << 1 | (bit / 8 < size ? bytes[bit / 8] >> (7 - bit % 8) & 1U : 0);
        out[i] = crockford[value];
    }
}

static void all_digits(const uint8_t kit[KEY_BYTES], char digits[KIT_DIGITS + CHECK_DIGITS]) {
    uint8_t hash[32];
    sha256(kit, KEY_BYTES, hash);
    put_digits(kit, KEY_BYTES, KIT_DIGITS, digits);
    put_digits(hash, sizeof hash, CHECK_DIGITS, digits + KIT_DIGITS);
    secret_wipe(hash, sizeof hash);
}

void kit_format(const uint8_t kit[KEY_BYTES], char text[KIT_TEXT + 1]) {
    char digits[KIT_DIGITS + CHECK_DIGITS];
    all_digits(kit, digits);
    for (size_t i = 0; i < sizeof digits; i++) {
        if (i && i % GROUP == 0) *text++ = '-';
        *text++ = digits[i];
    }
    *text = 0;
    secret_wipe(digits, sizeof digits);
}

/* The digit as it is written, 0 for none. */
static char normal_digit(char c) {
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    return c && strchr(crockford, c) ? c : 0;
}

bool kit_parse(const char *typed, uint8_t kit[KEY_BYTES]) {
    char digits[KIT_DIGITS + CHECK_DIGITS], again[KIT_DIGITS + CHECK_DIGITS];
    size_t count = 0;
    memset(kit, 0, KEY_BYTES);
    for (; *typed; typed++) {
        if (*typed == '-' || *typed == ' ') continue;
        char digit = normal_digit(*typed);
        if (!digit || count == sizeof digits) return false;
        digits[count++] = digit;
    }
    if (count != sizeof digits) return false;
    for (size_t bit = 0; bit < 8 * KEY_BYTES; bit++) {
        unsigned value = (unsigned)(strchr(crockford, digits[bit / 5]) - crockford);
        kit[bit / 8] |= (uint8_t)((value >> (4 - bit % 5) & 1) << (7 - bit % 8));
    }
    all_digits(kit, again);
    bool fine = secret_equal(digits, again, sizeof digits);
    if (!fine) secret_wipe(kit, KEY_BYTES);
    secret_wipe(digits, sizeof digits);
    secret_wipe(again, sizeof again);
    return fine;
}
