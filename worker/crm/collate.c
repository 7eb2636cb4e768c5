#include "collate.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uclean.h>
#include <unicode/ucol.h>
#include <unicode/udata.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

enum {
    NAME_UNITS = 512, /* bytes of a name that its key looks at: the key is cut to INDEX_KEY_MAX bytes long before */
    BORDERS = 27,     /* 'A'..'Z', and the first letter after every Z */
    BORDER_BYTES = 16,
    MERGE_SEPARATOR = 0xfffe, /* sorts below everything: the name decides before the second name does (UTS 35, "merge separator") */
};

static UCollator *collator;
static const UNormalizer2 *normalizer;
static struct border { uint8_t key[BORDER_BYTES]; } border[BORDERS]; /* primary keys, without what follows them */

/* The primary weight of one character: a sort key's bytes before its first level separator (01). */
static bool border_make(UChar c, struct border *b) {
    uint8_t key[64];
    int32_t size = ucol_getSortKey(collator, &c, 1, key, sizeof key);
    uint8_t *end = size > 0 && (size_t)size <= sizeof key ? memchr(key, 1, (size_t)size) : NULL;
    if (!end || end - key > BORDER_BYTES) return false;
    memset(b, 0, sizeof *b);
    memcpy(b->key, key, (size_t)(end - key));
    return true;
}

bool collate_start(void) {
    UErrorCode error = U_ZERO_ERROR;
    u_setDataDirectory("");
    udata_setFileAccess(UDATA_NO_FILES, &error);
    u_init(&error);
    collator = ucol_open("fr", &error);
    normalizer = unorm2_getNFCInstance(&error);
    if (U_FAILURE(error)) return false;
    ucol_setStrength(collator, UCOL_TERTIARY);
    for (int i = 0; i < 26; i++)
        if (!border_make((UChar)('A' + i), &border[i])) return false;
    if (!border_make(0x01b7 /* EZH */, &border[26])) return false;
    /* Whatever ICU makes on first use, it makes now. */
    static const char sample[] = "Œuvre d’É\xcc\x81t\xc3\xa9 ЖЯ 東京 한국 ١٢٣ \xf0\x9f\x8c\x8d";
    struct index_key key;
    static const uint8_t id[ID_BYTES];
    size_t size;
    char *normal = collate_nfc(sample, sizeof sample - 1, &size);
    bool fine = normal && collate_key(normal, size, sample, sizeof sample - 1, id, &key) && key.letter == 'O';
    free(normal);
    return fine;
}

void collate_stop(void) {
    ucol_close(collator);
    collator = NULL;
    normalizer = NULL;
    u_cleanup();
}

/* Up to `room` units of text. A byte of UTF-8 makes at most one, so what is cut to `room` bytes fits. */
static int32_t to_units(const char *text, size_t size, UChar *units, int32_t room) {
    UErrorCode error = U_ZERO_ERROR;
    int32_t used = 0;
    u_strFromUTF8WithSub(units, room, &used, text, (int32_t)text_cut(text, size, (size_t)room), 0xfffd, NULL, &error);
    return U_SUCCESS(error) ? used : 0;
}

static char letter_of(const uint8_t *key, size_t size) {
    uint8_t start[BORDER_BYTES] = {0};
    const uint8_t *end = memchr(key, 1, size);
    size_t primary = end ? (size_t)(end - key) : size;
    memcpy(start, key, primary < sizeof start ? primary : sizeof start);
    if (memcmp(start, border[0].key, BORDER_BYTES) < 0 || memcmp(start, border[26].key, BORDER_BYTES) >= 0) return '#';
    int letter = 0;
    while (letter < 25 && memcmp(start, border[letter + 1].key, BORDER_BYTES) >= 0)
        letter++;
    return (char)('A' + letter);
}

bool collate_key(const char *name, size_t name_size, const char *second, size_t second_size, const uint8_t id[ID_BYTES],
                 struct index_key *key) {
    UChar units[2 * NAME_UNITS + 1];
    int32_t used = to_units(name, name_size, units, NAME_UNITS);
    if (second_size) {
        units[used++] = MERGE_SEPARATOR;
        used += to_units(second, second_size, units + used, NAME_UNITS);
    }
    uint8_t bytes[INDEX_KEY_MAX];
    /* ICU fills what fits and returns what would be needed, its final NUL among it. */
    int32_t needed = ucol_getSortKey(collator, units, used, bytes, sizeof bytes);
    if (needed <= 0) return false;
    memset(key, 0, sizeof *key);
    key->size = (uint8_t)(needed > INDEX_KEY_MAX ? INDEX_KEY_MAX : needed - 1);
    memcpy(key->bytes, bytes, key->size);
    memcpy(key->id, id, ID_BYTES);
    key->letter = letter_of(key->bytes, key->size);
    return true;
}

static char *copy_of(const char *text, size_t size, size_t *out_size) {
    char *out = malloc(size + 1);
    if (!out) return NULL;
    memcpy(out, text, size);
    out[size] = 0;
    *out_size = size;
    return out;
}

static char *normalized(const UChar *units, int32_t count, size_t *out_size) {
    UErrorCode error = U_ZERO_ERROR;
    int32_t room = count * 3 + 1, used, bytes; /* NFC grows UTF-16 at most threefold (UAX 15) */
    UChar *normal = malloc((size_t)room * sizeof *normal);
    if (!normal) return NULL;
    used = unorm2_normalize(normalizer, units, count, normal, room, &error);
    char *out = U_SUCCESS(error) ? malloc((size_t)used * 3 + 1) : NULL;
    if (out) u_strToUTF8(out, used * 3 + 1, &bytes, normal, used, &error);
    free(normal);
    if (out && U_FAILURE(error)) {
        free(out);
        out = NULL;
    }
    if (out) *out_size = (size_t)bytes;
    return out;
}

char *collate_nfc(const char *text, size_t size, size_t *out_size) {
    size_t ascii = 0;
    while (ascii < size && (unsigned char)text[ascii] < 0x80)
        ascii++;
    if (ascii == size) return copy_of(text, size, out_size);
    if (size > INT32_MAX / 16) return NULL;
    UErrorCode error = U_ZERO_ERROR;
    int32_t count = 0;
    UChar *units = malloc((size + 1) * sizeof *units);
    if (!units) return NULL;
    u_strFromUTF8(units, (int32_t)size + 1, &count, text, (int32_t)size, &error);
    char *out = NULL;
    if (U_SUCCESS(error)) {
        bool done = unorm2_quickCheck(normalizer, units, count, &error) == UNORM_YES && U_SUCCESS(error);
        out = done ? copy_of(text, size, out_size) : normalized(units, count, out_size);
    }
    free(units);
    return out;
}
