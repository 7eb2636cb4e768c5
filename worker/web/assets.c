#include "assets.h"

#include "../../policy/hex.h"
#include "../keys/keys.h"

#include <stdlib.h>
#include <string.h>

/* Each file between two symbols; the build runs at the top of the tree. */
#define ASSET(SYMBOL, FILE, TYPE)                                                                                                          \
    __asm__(".section .rodata\n.balign 16\nasset_" #SYMBOL ":\n.incbin \"worker/web/static/" FILE "\"\nasset_" #SYMBOL                     \
            "_end:\n.byte 0\n.previous\n");                                                                                                \
    extern const char asset_##SYMBOL[] __attribute__((visibility("hidden")));                                                              \
    extern const char asset_##SYMBOL##_end[] __attribute__((visibility("hidden")));
#include "assets.def"
#undef ASSET

static struct asset table[] = {
#define ASSET(SYMBOL, FILE, TYPE) {.name = (FILE), .type = (TYPE), .bytes = asset_##SYMBOL},
#include "assets.def"
#undef ASSET
};
enum { COUNT = sizeof table / sizeof *table };

static const char *const ends[] = {
#define ASSET(SYMBOL, FILE, TYPE) asset_##SYMBOL##_end,
#include "assets.def"
#undef ASSET
};

const struct asset *asset_find(const char *name, size_t size) {
    for (size_t i = 0; i < COUNT; i++)
        if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0) return &table[i];
    return NULL;
}

static void set_tag(struct asset *a) {
    static const char hex[] = "0123456789abcdef";
    uint8_t hash[32];
    char *p = a->tag;
    sha256(a->bytes, a->size, hash);
    *p++ = '"';
    for (int i = 0; i < 8; i++) {
        *p++ = hex[hash[i] >> 4];
        *p++ = hex[hash[i] & 15];
    }
    *p++ = '"';
    *p = '\0';
}

/* "/app.js" in the page becomes "/app.js?v=TAG", so that a browser may keep it for ever. */
static bool tag_links(struct asset *page) {
    static const char question[3] = {'?', 'v', '='};
    size_t room = page->size + 1 + 64 * (size_t)COUNT, used = 0;
    char *out = malloc(room);
    if (!out) return false;
    for (const char *p = page->bytes, *end = p + page->size; p < end;) {
        size_t name = 0;
        if (p[0] == '"' && end - p > 2 && p[1] == '/')
            while (p + 2 + name < end && p[2 + name] != '"')
                name++;
        const struct asset *a = name ? asset_find(p + 2, name) : NULL;
        size_t take = a ? name + 2 : 1;
        if (used + take + 32 > room) break;
        memcpy(out + used, p, take);
        used += take;
        p += take;
        if (!a) continue;
        memcpy(out + used, question, sizeof question);
        memcpy(out + used + sizeof question, a->tag + 1, 16);
        used += sizeof question + 16;
    }
    page->bytes = out;
    page->size = used;
    set_tag(page);
    return true;
}

bool assets_start(void) {
    for (size_t i = 0; i < COUNT; i++) {
        table[i].size = (size_t)(ends[i] - table[i].bytes);
        set_tag(&table[i]);
    }
    return tag_links(&table[0]);
}
