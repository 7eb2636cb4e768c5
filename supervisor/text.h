/* Copies between arrays of fixed size, NUL-filled to their end as messages must be. What does not fit is cut: callers have checked it. */
#pragma once

#include <stddef.h>
#include <string.h>

static inline void text_copy(char *to, size_t room, const char *from) {
    size_t size = strnlen(from, room - 1);
    memcpy(to, from, size);
    memset(to + size, 0, room - size);
}
#define TEXT_COPY(TO, FROM) text_copy((TO), sizeof(TO), (FROM))
