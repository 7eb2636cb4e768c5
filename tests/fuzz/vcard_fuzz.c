/* The first byte chooses the kind; the rest is the file. A card that makes a valid record is written as a card that reads as the same
 * record. */
#include "../../worker/crm/vcard_write.h"
#include "readers_fuzz.h"

static struct text seen; /* what the last record of a file was, canonical; empty = none */

static bool keep(void *argument, unsigned long line, json_t *input, const struct problem *why) {
    struct problem p = {0};
    enum kind kind = *(enum kind *)argument;
    (void)line;
    check(!why || why->status);
    text_clear(&seen);
    json_t *fields = NULL;
    if (input) {
        json_object_del(input, "id");
        fields = record_validate(kind, input, RECORD_NULLS | RECORD_LENIENT, &p);
    }
    char *dump = fields ? json_dumps(fields, JSON_COMPACT) : NULL;
    if (dump) text_string(&seen, dump);
    free(dump);
    json_decref(fields);
    json_decref(input);
    return true;
}

static void there_and_back(enum kind kind, const uint8_t *data, size_t size) {
    for (enum vcard_version version = VCARD_3; version <= VCARD_4; version++) {
        struct problem p = {0};
        struct text card = {0};
        struct reader *r = vcard_reader(kind, keep, &kind, &p);
        text_clear(&seen);
        if (reader_feed(r, data, size)) reader_end(r);
        reader_free(r);
        if (!seen.size) return;
        char *first = strndup(seen.data, seen.size);
        json_t *fields = json_loads(first, 0, NULL);
        check(vcard_write(kind, version, fields, &card));
        r = vcard_reader(kind, keep, &kind, &p);
        check(reader_feed(r, (const uint8_t *)card.data, card.size) && reader_end(r));
        reader_free(r);
        check(seen.size == strlen(first) && memcmp(first, seen.data, seen.size) == 0);
        text_free(&card);
        json_decref(fields);
        free(first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool started;
    if (!started) check(started = collate_start());
    if (!size) return 0;
    enum kind kind = data[0] & 1 ? KIND_CONTACT : KIND_COMPANY;
    struct text whole = {0}, pieces = {0};
    struct problem p = {0};
    read_in(vcard_reader(kind, note, &whole, &p), data + 1, size - 1, size, &whole);
    read_in(vcard_reader(kind, note, &pieces, &p), data + 1, size - 1, 1 + data[0] % 5, &pieces);
    compare(&whole, &pieces);
    text_free(&whole);
    text_free(&pieces);
    there_and_back(kind, data + 1, size - 1);
    text_free(&seen);
    return 0;
}
