/*
 * A line of text in a hash chain, as in the provider's ledger and its other records: fields with one tab between them, then the HASH of the
 * line before (zeros in the first) and its own, both in hex, then a newline. HASH is the SHA-256 of the line's text up to and without the
 * tab before it: `cut -f1-9 | tr -d '\n' | sha256sum`, say, shows the one of a line of ten fields. Pure.
 */
#pragma once

#include "limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHAIN_HASH_HEX = 2 * LEDGER_HASH, CHAIN_TAIL = 2 * (1 + CHAIN_HASH_HEX) + 1 /* bytes behind the fields, newline included */ };

/* A piece between two tabs. */
struct chain_field {
    const char *data;
    size_t size;
};

/* Completes text[0..size), the fields, to a whole line and computes its hash. The size of the line, or 0: it does not fit into room. */
size_t chain_close(char *text, size_t size, size_t room, const uint8_t previous[LEDGER_HASH], uint8_t hash[LEDGER_HASH]);

/* Takes a line without its newline apart: at most `most` fields before the two hashes. How many they are, or 0: it is no such line, or its
 * hash is wrong. Whether `previous` is the line before is for the caller to see. */
size_t chain_open(const char *text, size_t size, struct chain_field *field, size_t most, uint8_t previous[LEDGER_HASH],
                  uint8_t hash[LEDGER_HASH]);

/* Decimal as printf writes it: no sign, no zero in front. */
bool chain_number(struct chain_field f, uint64_t most, uint64_t *out);
/* A text of at most `most` bytes without a NUL into out[most + 1]. */
bool chain_text(struct chain_field f, char *out, size_t most);
bool chain_is(struct chain_field f, const char *word);
