/* Record ids: ULIDs, 128 bits = 48 of Unix milliseconds and 80 random ones; as text 26 characters of Crockford's base 32. */
#pragma once

#include "../keys/keys.h"

enum { ULID_TEXT = 26 };

/* A new id, greater than every one before it in this process, also within one millisecond or when the clock goes back. One thread. */
void ulid_new(uint8_t id[ID_BYTES]);
/* ULID_TEXT upper-case characters and a NUL. */
void ulid_text(const uint8_t id[ID_BYTES], char text[ULID_TEXT + 1]);
/* false unless text is exactly one ULID in upper case, at most 7ZZZ…: an id has one spelling. */
bool ulid_parse(const char *text, size_t size, uint8_t id[ID_BYTES]);
