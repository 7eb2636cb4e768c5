/* One cell of a CSV file (RFC 4180): the one way in which Cloison writes them. */
#pragma once

#include <stddef.h>

/* Takes bytes on their way out. */
typedef void text_put(void *argument, const char *bytes, size_t size);

/* In quotes where a reader could mistake it otherwise, of whatever separator it takes. */
void csv_cell(text_put *put, void *argument, const char *s, size_t size);
