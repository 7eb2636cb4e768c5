/* Bytes that grow: what an answer or a record is written into. A failed allocation is remembered, so that only the end need look. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* owned; not NUL-terminated; NULL while empty */
    size_t size, room;
    bool failed; /* out of memory: what was added since is missing */
};

void text_add(struct text *t, const void *bytes, size_t size);
void text_string(struct text *t, const char *s);
void text_char(struct text *t, char c);
/* Forgets the bytes, keeps the room. */
void text_clear(struct text *t);
/* Frees; t may be used again. */
void text_free(struct text *t);

/* How many of the first `room` bytes of s make whole UTF-8 characters: where to cut. */
size_t text_cut(const char *s, size_t size, size_t room);
/* Characters (code points) in valid UTF-8. */
size_t text_characters(const char *s, size_t size);
