/* A JSON value as a page that a person can read: names and values, nested. */
#pragma once

#include "../crm/text.h"

#include <jansson.h>

/* The whole HTML document about `all`; out->failed when out of memory. */
void page_write(const json_t *all, struct text *out);
