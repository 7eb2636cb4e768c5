/* What people and clients type: secrets, kits, logins, passwords. Whatever is taken has one spelling, and comes back from it. */
#include "../../worker/keys/credential.h"
#include "../../worker/web/login_text.h"

#include <stdlib.h>
#include <string.h>

static void secret(const char *text, size_t size) {
    uint8_t secret[KEY_BYTES];
    char again[SECRET_TEXT + 1];
    if (!secret_parse(text, size, secret)) return;
    secret_format(secret, again);
    if (size != SECRET_TEXT || memcmp(text, again, size) != 0) abort();
}

static void kit(const char *text) {
    uint8_t kit[KEY_BYTES], same[KEY_BYTES];
    char again[KIT_TEXT + 1];
    if (!kit_parse(text, kit)) return;
    kit_format(kit, again);
    if (!kit_parse(again, same) || memcmp(kit, same, sizeof kit) != 0) abort();
}

static void login(const char *text) {
    char once[USER_LOGIN_MAX + 1], twice[USER_LOGIN_MAX + 1];
    if (!login_fold(text, once)) return;
    if (!*once || strlen(once) > USER_LOGIN_MAX) abort();
    if (!login_fold(once, twice) || strcmp(once, twice) != 0) abort(); /* folding is done once and for all */
}

static void password(const char *text) {
    char once[PASSWORD_MAX + 1], twice[PASSWORD_MAX + 1];
    if (!password_normalise(text, true, once)) return;
    if (!password_normalise(once, true, twice) || strcmp(once, twice) != 0) abort();
    if (password_normalise(text, false, twice) != (strlen(once) >= PASSWORD_MIN)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 4096) return 0;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    secret(text, size);
    kit(text);
    login(text);
    password(text);
    free(text);
    return 0;
}
