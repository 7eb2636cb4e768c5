#include "login_text.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

enum { UNITS = PASSWORD_MAX + 64 /* UTF-16; what does not fit is too long */ };

static bool to_utf16(const char *utf8, UChar out[UNITS], int32_t *size) {
    UErrorCode error = U_ZERO_ERROR;
    u_strFromUTF8(out, UNITS, size, utf8, -1, &error);
    return U_SUCCESS(error) && *size < UNITS;
}

static bool to_utf8(const UChar *text, int32_t size, char *out, int32_t room) {
    UErrorCode error = U_ZERO_ERROR;
    int32_t written = 0;
    u_strToUTF8(out, room, &written, text, size, &error);
    return U_SUCCESS(error) && error != U_STRING_NOT_TERMINATED_WARNING && written < room;
}

static bool normalise(const UChar *in, int32_t size, UChar out[UNITS], int32_t *out_size) {
    UErrorCode error = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&error);
    if (U_SUCCESS(error)) *out_size = unorm2_normalize(nfc, in, size, out, UNITS, &error);
    return U_SUCCESS(error) && *out_size < UNITS;
}

static bool has_control(const UChar *text, int32_t size) {
    for (int32_t i = 0; i < size;) {
        UChar32 c;
        U16_NEXT(text, i, size, c);
        if (u_iscntrl(c) || u_charType(c) == U_UNASSIGNED) return true;
    }
    return false;
}

/* Folding can leave normal form, and normal form can bring new letters to fold: NFC, fold, NFC (Unicode 3.13, D145). */
bool login_fold(const char *typed, char out[USER_LOGIN_MAX + 1]) {
    UChar a[UNITS], b[UNITS];
    UErrorCode error = U_ZERO_ERROR;
    int32_t size = 0, from = 0;
    bool fine = strlen(typed) <= 4 * USER_LOGIN_MAX && to_utf16(typed, a, &size) && !has_control(a, size) && normalise(a, size, b, &size);
    if (!fine) return false;
    size = u_strFoldCase(a, UNITS, b, size, U_FOLD_CASE_DEFAULT, &error);
    if (U_FAILURE(error) || size >= UNITS || !normalise(a, size, b, &size)) return false;
    while (size > 0 && u_isUWhiteSpace(b[size - 1]))
        size--;
    while (from < size && u_isUWhiteSpace(b[from]))
        from++;
    return from < size && to_utf8(b + from, size - from, out, USER_LOGIN_MAX + 1);
}

bool password_normalise(const char *typed, bool any_length, char out[PASSWORD_MAX + 1]) {
    UChar a[UNITS], b[UNITS];
    int32_t size = 0;
    bool fine = to_utf16(typed, a, &size) && normalise(a, size, b, &size) && to_utf8(b, size, out, PASSWORD_MAX + 1);
    secret_wipe(a, sizeof a);
    secret_wipe(b, sizeof b);
    return fine && strlen(out) >= (any_length ? 1 : PASSWORD_MIN);
}
