#include "../../worker/crm/collate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t none[ID_BYTES];

static char letter(const char *name) {
    struct index_key key;
    assert_true(collate_key(name, strlen(name), "", 0, none, &key));
    return key.letter;
}

static void letters(void **state) {
    (void)state;
    static const struct {
        const char *name;
        char letter;
    } known[] = {
        {"Abeille", 'A'},
        {"abeille", 'A'},
        {"Écureuil", 'E'},
        {"e\xcc\x81"
         "cole",
         'E'},
        {"Œuvre", 'O'},
        {"œil", 'O'},
        {"Æsir", 'A'},
        {"Ørsted", 'O'},
        {"Łódź", 'L'},
        {"Đuro", 'D'},
        {"Çelik", 'C'},
        {"Ñandú", 'N'},
        {"Öz", 'O'},
        {"ß", 'S'},
        {"Zürich", 'Z'},
        {"Žižek", 'Z'},
        {"zzz", 'Z'},
        {"İstanbul", 'I'},
        {"ﬁnance", 'F'},
        {"Ａｂｃ", 'A'},
        {"3M", '#'},
        {"", '#'},
        {"-", '#'},
        {"«Acme»", '#'},
        {"Ж", '#'},
        {"Ωmega", '#'},
        {"東京", '#'},
        {"\xf0\x9f\x8c\x8d", '#'},
        {"þing", '#'},
        {"€uro", '#'},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (letter(known[i].name) != known[i].letter) fail_msg("%s: %c", known[i].name, letter(known[i].name));
    for (char c = 'A'; c <= 'Z'; c++) {
        char upper[2] = {c, 0}, lower[2] = {(char)(c | 32), 0};
        assert_int_equal(letter(upper), c);
        assert_int_equal(letter(lower), c);
    }
}

static int compare(const char *a, const char *a2, const char *b, const char *b2) {
    struct index_key x, y;
    assert_true(collate_key(a, strlen(a), a2, strlen(a2), none, &x));
    assert_true(collate_key(b, strlen(b), b2, strlen(b2), none, &y));
    size_t n = x.size < y.size ? x.size : y.size;
    int order = memcmp(x.bytes, y.bytes, n);
    return order ? order : x.size - y.size;
}

static void order(void **state) {
    (void)state;
    static const char *const sorted[] = {"cote",  "coté",   "côte",  "côté", "coter", "eau", "Eau",
                                         "école", "Écoles", "Œdipe", "oeuf", "œuf",   "Zoé"};
    for (size_t i = 1; i < sizeof sorted / sizeof *sorted; i++)
        if (compare(sorted[i - 1], "", sorted[i], "") >= 0) fail_msg("%s, %s", sorted[i - 1], sorted[i]);
    /* The family name decides before the given name, whatever its length. */
    assert_true(compare("Martin", "Zoé", "Martine", "Abel") < 0);
    assert_true(compare("Martin", "Éric", "Martin", "Ernest") < 0);
    assert_true(compare("Martin", "", "Martin", "Abel") < 0);
    assert_true(compare("Du Pont", "Yves", "Dupont", "Alain") < 0);
    assert_int_equal(compare("Étienne", "", "E\xcc\x81tienne", ""), 0);
}

static void long_names(void **state) {
    (void)state;
    char name[4096];
    struct index_key key;
    for (size_t i = 0; i < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    for (size_t size = 4096; size > 3900; size -= 2) {
        assert_true(collate_key(name, size, name, size, none, &key));
        assert_int_equal(key.size, INDEX_KEY_MAX);
        assert_int_equal(key.letter, 'E');
    }
    memset(name, 'x', sizeof name);
    assert_true(collate_key(name, 300, "", 0, none, &key));
    assert_int_equal(key.size, INDEX_KEY_MAX);
}

static void nfc(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } known[] = {
        {"", ""},
        {"plain", "plain"},
        {"e\xcc\x81", "é"},
        {"é", "é"},
        {"\xe1\x84\x80\xe1\x85\xa1", "가"},
        {"\xe2\x84\xab", "Å"},
        {"\xf0\x9d\x85\x9e", "\xf0\x9d\x85\x97\xf0\x9d\x85\xa5"},
        {"\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t size;
        char *out = collate_nfc(known[i].in, strlen(known[i].in), &size);
        assert_non_null(out);
        assert_string_equal(out, known[i].out);
        assert_int_equal(size, strlen(known[i].out));
        free(out);
    }
    /* The worst growth there is: U+0390 in UTF-8, and U+1D160. */
    char many[3 * 1000];
    for (size_t i = 0; i < 1000; i++)
        memcpy(many + 3 * i, "\xef\xac\xac", 3); /* U+FB2C -> three characters */
    size_t size;
    char *out = collate_nfc(many, sizeof many, &size);
    assert_non_null(out);
    assert_int_equal(size, 6000);
    free(out);
}

static int start(void **state) { return (void)state, collate_start() ? 0 : -1; }
static int stop(void **state) { return (void)state, collate_stop(), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(letters), cmocka_unit_test(order), cmocka_unit_test(long_names),
                                       cmocka_unit_test(nfc)};
    return cmocka_run_group_tests(tests, start, stop);
}
