#include "enrol_code.h"

#include <stddef.h>
#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void enrol_code_format(const uint8_t random[ENROL_CODE_RANDOM], char text[ENROL_CODE_TEXT]) {
    for (size_t i = 0; i < ENROL_CODE_CHARS; i++) {
        if (i && i % 5 == 0) *text++ = '-';
        *text++ = alphabet[random[i] & 31];
    }
    *text = '\0';
}

/* One character as it is hashed; '\0': none of ours. */
static char canonical(char c) {
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') return '0';
    if (c == 'I' || c == 'L') return '1';
    return c && strchr(alphabet, c) ? c : '\0';
}

bool enrol_code_normalise(const char *typed, char out[ENROL_CODE_CHARS + 1]) {
    size_t used = 0;
    for (; *typed; typed++) {
        if (*typed == '-' || *typed == ' ') continue;
        char c = canonical(*typed);
        if (!c || used == ENROL_CODE_CHARS) {
            used = 0;
            break;
        }
        out[used++] = c;
    }
    bool whole = used == ENROL_CODE_CHARS;
    out[whole ? used : 0] = '\0';
    return whole;
}
