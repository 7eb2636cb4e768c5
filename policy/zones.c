#include "zones.h"

#include <endian.h>
#include <string.h>

_Static_assert(sizeof(struct zones_head) == 16, "the starts are aligned");

struct table {
    uint32_t v6, v4;
    const uint8_t *start6, *start4, *code6, *code4;
};

size_t zones_size(uint32_t v6, uint32_t v4) { return sizeof(struct zones_head) + (size_t)v6 * 10 + (size_t)v4 * 6; }

static bool table_read(const void *bytes, size_t size, struct table *t) {
    struct zones_head head;
    if (size < sizeof head) return false;
    memcpy(&head, bytes, sizeof head);
    *t = (struct table){.v6 = le32toh(head.v6), .v4 = le32toh(head.v4)};
    if (memcmp(head.magic, ZONES_MAGIC, sizeof head.magic) != 0 || !t->v6 || !t->v4) return false;
    if (t->v6 > ZONES_RANGES_MAX || t->v4 > ZONES_RANGES_MAX || size != zones_size(t->v6, t->v4)) return false;
    t->start6 = (const uint8_t *)bytes + sizeof head;
    t->start4 = t->start6 + (size_t)t->v6 * 8;
    t->code6 = t->start4 + (size_t)t->v4 * 4;
    t->code4 = t->code6 + (size_t)t->v6 * 2;
    return true;
}

static uint64_t start_at(const uint8_t *starts, size_t width, uint32_t i) {
    uint64_t wide = 0;
    memcpy(&wide, starts + i * width, width);
    return le64toh(wide);
}

static uint16_t code_at(const uint8_t *codes, uint32_t i) {
    uint16_t code;
    memcpy(&code, codes + (size_t)i * 2, sizeof code);
    return le16toh(code);
}

/* The last range that does not start after `wanted`: the first one starts at 0. */
static uint32_t range_of(const uint8_t *starts, size_t width, uint32_t count, uint64_t wanted) {
    uint32_t low = 0, high = count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (start_at(starts, width, middle) <= wanted)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* S6: of an address its country is all that is taken */
uint16_t zones_find(const void *bytes, size_t size, const uint8_t address[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct table t;
    uint64_t upper;
    uint32_t lower;
    if (!table_read(bytes, size, &t)) return 0;
    memcpy(&upper, address, sizeof upper);
    memcpy(&lower, address + 12, sizeof lower);
    if (memcmp(address, mapped, sizeof mapped) == 0) return code_at(t.code4, range_of(t.start4, 4, t.v4, be32toh(lower)));
    return code_at(t.code6, range_of(t.start6, 8, t.v6, be64toh(upper)));
}

/* ---- the whole of it ---- */

static bool code_known(uint16_t code) { return code == 0 || zones_counter(code) != COUNTER_zone_unknown; }

static const char *check_ranges(const uint8_t *starts, size_t width, const uint8_t *codes, uint32_t count) {
    if (start_at(starts, width, 0) != 0) return "the first range does not start at 0";
    for (uint32_t i = 0; i < count; i++) {
        if (i && start_at(starts, width, i) <= start_at(starts, width, i - 1)) return "the ranges are not in order";
        if (!code_known(code_at(codes, i))) return "a code is of no known country";
    }
    return NULL;
}

const char *zones_check(const void *bytes, size_t size) {
    struct table t;
    if (!table_read(bytes, size, &t)) return "it is no table of zones, or cut";
    const char *wrong = check_ranges(t.start6, 8, t.code6, t.v6);
    return wrong ? wrong : check_ranges(t.start4, 4, t.code4, t.v4);
}

/* ---- countries ---- */

static const struct {
    char code[8];
    enum counter counter;
} zones[] = {
#define ZONE(CODE) {#CODE, COUNTER_zone_##CODE},
#include "usage.def"
};

enum counter zones_counter(uint16_t code) {
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        if (!zones[i].code[2] && ZONE_CODE(zones[i].code[0], zones[i].code[1]) == code) return zones[i].counter;
    return COUNTER_zone_unknown;
}
