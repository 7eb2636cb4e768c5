#include "../../worker/crm/ulid.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

static void text_and_back(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint8_t id[ID_BYTES];
    } known[] = {
        {"00000000000000000000000000", {0}},
        {"7ZZZZZZZZZZZZZZZZZZZZZZZZZ", {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
        {"01ARZ3NDEKTSV4RRFFQ69G5FAV", {0x01, 0x56, 0x3e, 0x3a, 0xb5, 0xd3, 0xd6, 0x76, 0x4c, 0x61, 0xef, 0xb9, 0x93, 0x02, 0xbd, 0x5b}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t id[ID_BYTES];
        char text[ULID_TEXT + 1];
        ulid_text(known[i].id, text);
        assert_string_equal(text, known[i].text);
        assert_true(ulid_parse(text, ULID_TEXT, id));
        assert_memory_equal(id, known[i].id, ID_BYTES);
    }
}

static void refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "01ARZ3NDEKTSV4RRFFQ69G5FA",
                                      "01ARZ3NDEKTSV4RRFFQ69G5FAVV",
                                      "81ARZ3NDEKTSV4RRFFQ69G5FAV",
                                      "01ARZ3NDEKTSV4RRFFQ69G5FAU",
                                      "01ARZ3NDEKTSV4RRFFQ69G5FAI",
                                      "01arz3ndektsv4rrffq69g5fav",
                                      "01ARZ3NDEKTSV4RRFFQ69G5F V",
                                      "-1ARZ3NDEKTSV4RRFFQ69G5FAV"};
    uint8_t id[ID_BYTES];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ulid_parse(bad[i], strlen(bad[i]), id));
    assert_false(ulid_parse("01ARZ3NDEKTSV4RRFFQ69G5FA\0", 26, id));
}

static void rising(void **state) {
    (void)state;
    uint8_t last[ID_BYTES] = {0}, id[ID_BYTES];
    for (int i = 0; i < 100000; i++) {
        ulid_new(id);
        assert_true(memcmp(id, last, ID_BYTES) > 0);
        memcpy(last, id, ID_BYTES);
    }
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    assert_in_range(ms / 1000, time(NULL) - 2, time(NULL) + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_and_back), cmocka_unit_test(refused), cmocka_unit_test(rising)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
