/* Secrets and recovery kits as text: there and back, one spelling only, slips of the pen found. */
#include "../../worker/keys/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void secrets(void **state) {
    (void)state;
    uint8_t secret[KEY_BYTES], again[KEY_BYTES];
    char text[SECRET_TEXT + 1];
    memset(secret, 0xff, sizeof secret);
    secret_format(secret, text);
    assert_string_equal(text, "__________________________________________8");
    for (int i = 0; i < 2000; i++) {
        random_bytes(secret, sizeof secret);
        secret_format(secret, text);
        assert_int_equal(strlen(text), SECRET_TEXT);
        assert_true(secret_parse(text, SECRET_TEXT, again));
        assert_memory_equal(again, secret, sizeof secret);
    }
    assert_false(secret_parse(text, SECRET_TEXT - 1, again));
    assert_false(secret_parse("__________________________________________9", SECRET_TEXT, again)); /* spare bits set */
    assert_false(secret_parse("__________________________________________+", SECRET_TEXT, again));
    assert_false(secret_parse("_____________________\0____________________8", SECRET_TEXT, again));
}

static void kits(void **state) {
    (void)state;
    uint8_t kit[KEY_BYTES], again[KEY_BYTES];
    char text[KIT_TEXT + 1], loose[4 * KIT_TEXT];
    for (int i = 0; i < 2000; i++) {
        random_bytes(kit, sizeof kit);
        kit_format(kit, text);
        assert_int_equal(strlen(text), KIT_TEXT);
        assert_true(kit_parse(text, again));
        assert_memory_equal(again, kit, sizeof kit);
        size_t n = 0;
        for (const char *p = text; *p; p++) { /* as a person writes it */
            if (*p == '-') continue;
            loose[n++] = *p == '0' ? 'o' : *p == '1' ? (i & 1 ? 'l' : 'I') : (char)(*p >= 'A' ? *p + 32 : *p);
            if (n % 7 == 0) loose[n++] = ' ';
        }
        loose[n] = 0;
        assert_true(kit_parse(loose, again));
        assert_memory_equal(again, kit, sizeof kit);
    }
}

static void slips_are_found(void **state) {
    (void)state;
    static const uint8_t zero[KEY_BYTES];
    uint8_t kit[KEY_BYTES], again[KEY_BYTES];
    char text[KIT_TEXT + 2];
    unsigned missed = 0;
    random_bytes(kit, sizeof kit);
    kit_format(kit, text);
    for (int i = 0; i < KIT_TEXT; i++) {
        char was = text[i];
        if (was == '-') continue;
        text[i] = was == '7' ? '8' : '7';
        if (kit_parse(text, again))
            missed++;
        else
            assert_memory_equal(again, zero, sizeof zero);
        text[i] = was;
        if (i && text[i - 1] != '-' && text[i - 1] != was) { /* two that changed places */
            text[i] = text[i - 1];
            text[i - 1] = was;
            if (kit_parse(text, again)) missed++;
            text[i - 1] = text[i];
            text[i] = was;
        }
    }
    assert_true(missed <= 1); /* one in a million each */
    assert_true(kit_parse(text, again));
    text[KIT_TEXT - 1] = 0;
    assert_false(kit_parse(text, again));
    assert_false(kit_parse("", again));
    assert_false(kit_parse("UUUU", again));
    kit_format(kit, text);
    text[KIT_TEXT] = '0';
    text[KIT_TEXT + 1] = 0;
    assert_false(kit_parse(text, again));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(secrets), cmocka_unit_test(kits), cmocka_unit_test(slips_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
