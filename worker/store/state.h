/* The sealed state: one value that says what the file holds. Written with every commit. */
#pragma once

#include "store.h"

/* Into s->state, of an empty file too. STORE_BROKEN: it does not open, or is missing while records are there. */
enum store_result state_read(struct store *s);
enum store_result state_write(struct store *s);
