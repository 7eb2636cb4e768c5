/*
 * Names in order: the letter a name stands under, its place below it, and Unicode normal form. On ICU with its data linked in; after
 * collate_start() nothing here opens a file. One thread.
 */
#pragma once

#include "../store/store.h"

/* Opens the French collator and makes ICU load all it will ever need. Before sealing. false: it cannot be had. */
bool collate_start(void);
/* Frees everything of ICU; for tests. */
void collate_stop(void);

/*
 * The index key of a name (valid UTF-8, not NUL-terminated), `second` (may be empty) deciding between equal names, the id after that.
 * The letter is that of the name's first character with accents folded (É -> E, Œ -> O, Ł -> L), '#' for whatever is no Latin letter:
 * decided by the same collation that orders the keys, so that letter and order agree. false: out of memory.
 */
bool collate_key(const char *name, size_t name_size, const char *second, size_t second_size, const uint8_t id[ID_BYTES],
                 struct index_key *key);

/* Valid UTF-8 in normal form C into a new string, NUL-terminated, to free(). NULL: out of memory. */
char *collate_nfc(const char *text, size_t size, size_t *out_size);
