/* The first byte chooses kind, map and separator; the rest is the file. */
#include "readers_fuzz.h"

static struct reader *reader(uint8_t choice, struct text *log) {
    static const char separators[] = {0, ',', ';', '\t'};
    struct csv_options options = {separators[choice >> 1 & 3],
                                  choice & 8 ? "family_name:Name,emails:A,emails:B,custom.x:C,address.city:D" : NULL};
    enum kind kind = choice & 8 || choice & 1 ? KIND_CONTACT : KIND_COMPANY;
    struct problem p = {0};
    struct reader *r = csv_reader(kind, &options, note, log, &p);
    check(r != NULL);
    return r;
}

/* The first byte as a map's end too: a map of any bytes is taken or refused with a reason. */
static void any_map(const uint8_t *data, size_t size) {
    struct problem p = {0};
    struct text log = {0};
    char *map = malloc(size + 1);
    memcpy(map, data, size);
    map[size] = 0;
    struct csv_options options = {0, map};
    struct reader *r = csv_reader(KIND_COMPANY, &options, note, &log, &p);
    check(r || (p.status >= 400 && p.detail[0]));
    reader_free(r);
    text_free(&log);
    free(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool started;
    if (!started) check(started = collate_start());
    if (!size) return 0;
    struct text whole = {0}, pieces = {0};
    read_in(reader(data[0], &whole), data + 1, size - 1, size, &whole);
    read_in(reader(data[0], &pieces), data + 1, size - 1, 1 + data[0] % 5, &pieces);
    compare(&whole, &pieces);
    text_free(&whole);
    text_free(&pieces);
    if (size < 512) any_map(data + 1, size - 1);
    return 0;
}
