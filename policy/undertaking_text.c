/* The texts, apart from undertaking.c so that root does not link them. */
#include "undertaking.h"

#include <string.h>

static const struct {
    uint32_t version;
    const char *language, *text;
} texts[] = {
#define UNDERTAKING(VERSION, LANGUAGE, TEXT) {VERSION, LANGUAGE, TEXT},
#include "undertaking.def"
#undef UNDERTAKING
};

const char *undertaking_text(uint32_t version, const char *language) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].version == version && strcmp(texts[i].language, language) == 0) return texts[i].text;
    return NULL;
}
