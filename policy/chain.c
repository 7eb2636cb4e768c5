#include "chain.h"

#include "hex.h"

#include <sha256.h>
#include <string.h>

static void hash_text(const char *text, size_t size, uint8_t hash[LEDGER_HASH]) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, (const uint8_t *)text, size);
    SHA256_Final(hash, &context);
}

static size_t put_hash(char *text, size_t size, const uint8_t hash[LEDGER_HASH]) {
    text[size] = '\t';
    hex_write(hash, LEDGER_HASH, text + size + 1);
    return size + 1 + CHAIN_HASH_HEX;
}

size_t chain_close(char *text, size_t size, size_t room, const uint8_t previous[LEDGER_HASH], uint8_t hash[LEDGER_HASH]) {
    if (size + CHAIN_TAIL > room) return 0;
    size = put_hash(text, size, previous);
    hash_text(text, size, hash);
    size = put_hash(text, size, hash);
    text[size] = '\n';
    return size + 1;
}

static bool read_hash(const char *tab, uint8_t hash[LEDGER_HASH]) { return *tab == '\t' && hex_read(tab + 1, LEDGER_HASH, hash); }

size_t chain_open(const char *text, size_t size, struct chain_field *field, size_t most, uint8_t previous[LEDGER_HASH],
                  uint8_t hash[LEDGER_HASH]) {
    uint8_t computed[LEDGER_HASH];
    if (size < CHAIN_TAIL || memchr(text, '\n', size)) return 0;
    size_t fields = size - (CHAIN_TAIL - 1), signed_part = size - 1 - CHAIN_HASH_HEX;
    if (!read_hash(text + fields, previous) || !read_hash(text + signed_part, hash)) return 0;
    hash_text(text, signed_part, computed);
    if (memcmp(computed, hash, LEDGER_HASH) != 0) return 0;
    const char *p = text, *end = text + fields;
    for (size_t n = 0; n < most; n++) {
        const char *tab = memchr(p, '\t', (size_t)(end - p));
        field[n] = (struct chain_field){p, (size_t)((tab ? tab : end) - p)};
        if (!tab) return n + 1;
        p = tab + 1;
    }
    return 0;
}

bool chain_number(struct chain_field f, uint64_t most, uint64_t *out) {
    if (f.size == 0 || f.size > 20 || (f.size > 1 && f.data[0] == '0')) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < f.size; i++) {
        if (f.data[i] < '0' || f.data[i] > '9') return false;
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) || __builtin_add_overflow(n, (uint64_t)(f.data[i] - '0'), &n)) return false;
    }
    *out = n;
    return n <= most;
}

bool chain_text(struct chain_field f, char *out, size_t most) {
    if (f.size > most || memchr(f.data, '\0', f.size)) return false;
    memcpy(out, f.data, f.size);
    out[f.size] = '\0';
    return true;
}

bool chain_is(struct chain_field f, const char *word) { return f.size == strlen(word) && memcmp(f.data, word, f.size) == 0; }
