/* Lists of records by letter and name, a page at a time; of documents also those of a folder, with a tag, or about a record. */
#pragma once

#include "../web/http.h"
#include "field.h"

void list_handle(struct exchange *x, struct request *r, enum kind kind);
void letters_handle(struct exchange *x, struct request *r, enum kind kind);
