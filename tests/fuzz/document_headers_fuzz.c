/* The header fields of uploads and downloads: a part lies within the whole, what was decoded is clean text, what goes into a header is
 * visible ASCII on one line. */
#include "../../policy/names.h"
#include "../../worker/documents/headers.h"
#include "../../worker/tenant.h"

#include <stdlib.h>
#include <string.h>

#define HOLD(CONDITION)                                                                                                                    \
    do {                                                                                                                                   \
        if (!(CONDITION)) abort();                                                                                                         \
    } while (0)

struct tenant self;

static void hold_range(struct slice value, uint64_t size) {
    uint64_t from = 1, length = 1;
    if (range_read(value, size, &from, &length) != RANGE_PART) return;
    HOLD(length > 0 && from < size && length <= size - from);
}

static void hold_name(const char *name) {
    char out[DISPOSITION_MAX];
    disposition_write(name, out);
    HOLD(strlen(out) < sizeof out && strncmp(out, "attachment; filename=\"", 22) == 0);
    for (const char *p = out; *p; p++)
        HOLD(*p >= 0x20 && *p < 0x7f);
}

static void hold_metadata(struct slice value, const char *key) {
    char out[256];
    int found = metadata_read(value, key, out, sizeof out);
    HOLD(found >= -1 && found <= 1);
    if (found < 0) return;
    size_t size = strnlen(out, sizeof out);
    HOLD(size < sizeof out && text_is_utf8(out, size));
    for (size_t i = 0; i < size; i++)
        HOLD((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
    hold_name(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char *copy = malloc(size ? size : 1), type[128];
    HOLD(copy);
    if (size) memcpy(copy, bytes, size);
    struct slice value = {copy, size};
    uint64_t number;
    hold_range(value, 0);
    hold_range(value, 1000);
    hold_range(value, 2ULL << 30);
    hold_metadata(value, "filename");
    hold_metadata(value, "");
    if (number_read(value, &number)) HOLD(size > 0 && size <= 18 && number < 1000000000000000000ULL);
    type_keep(&value, type, sizeof type);
    HOLD(strlen(type) < sizeof type && strchr(type, '/'));
    HOLD(strlen(type_served(type)) > 0);
    free(copy);
    return 0;
}
