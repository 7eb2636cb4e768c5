/* What is asked of an upload before its first byte. Each call that returns false has answered. */
#pragma once

#include "../web/http.h"
#include "entry.h"

/* A content of this size for a document that exists (with `document` its record) or comes with it (NULL): not too large for the place or
 * for the document. Fills in u but for makes, document, name and type. */
bool upload_announce(struct exchange *x, const struct request *r, uint64_t size, const json_t *document, struct upload *u);
