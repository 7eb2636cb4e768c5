#include "text.h"

#include <stdlib.h>
#include <string.h>

void text_add(struct text *t, const void *bytes, size_t size) {
    if (t->failed || !size) return;
    if (size > t->room - t->size) {
        size_t room = t->room ? t->room : 256;
        while (room - t->size < size)
            room *= 2;
        char *data = realloc(t->data, room);
        if (!data) {
            t->failed = true;
            return;
        }
        t->data = data;
        t->room = room;
    }
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
}

void text_string(struct text *t, const char *s) { text_add(t, s, strlen(s)); }
void text_char(struct text *t, char c) { text_add(t, &c, 1); }

void text_clear(struct text *t) {
    t->size = 0;
    t->failed = false;
}

void text_free(struct text *t) {
    free(t->data);
    *t = (struct text){0};
}

size_t text_cut(const char *s, size_t size, size_t room) {
    if (size <= room) return size;
    while (room && ((unsigned char)s[room] & 0xc0) == 0x80)
        room--;
    return room;
}

size_t text_characters(const char *s, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}
