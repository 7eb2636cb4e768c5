/* Where a page of a list ended: the index key as base64url, opaque to clients. It goes only to the tenant. */
#pragma once

#include "../store/store.h"

enum { CURSOR_TEXT = (2 + INDEX_KEY_MAX + ID_BYTES + 2) / 3 * 4 + 1 };

void cursor_write(const struct index_key *key, char out[CURSOR_TEXT]);
/* false: not a cursor. */
bool cursor_read(const char *text, struct index_key *key);
