/* ClientHellos for tests, made piece by piece so that each piece can be wrong. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct maker {
    uint8_t bytes[70000];
    size_t size;
};

static inline void put(struct maker *m, const void *bytes, size_t size) {
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static inline void put_number(struct maker *m, size_t number, int bytes) {
    while (bytes-- > 0)
        m->bytes[m->size++] = (uint8_t)(number >> 8 * bytes);
}

/* A server_name extension with these names, NULL-terminated, all of one type. */
static inline void put_names(struct maker *m, const char *const *names, uint8_t type) {
    size_t list = 0;
    for (const char *const *n = names; *n; n++)
        list += 3 + strlen(*n);
    put_number(m, 0, 2);
    put_number(m, list + 2, 2);
    put_number(m, list, 2);
    for (const char *const *n = names; *n; n++) {
        put_number(m, type, 1);
        put_number(m, strlen(*n), 2);
        put(m, *n, strlen(*n));
    }
}

static inline void put_name(struct maker *m, const char *name) { put_names(m, (const char *const[]){name, NULL}, 0); }

/* An extension of that type with size bytes of nothing. */
static inline void put_extension(struct maker *m, uint16_t type, size_t size) {
    put_number(m, type, 2);
    put_number(m, size, 2);
    memset(m->bytes + m->size, 0, size);
    m->size += size;
}

/* The handshake message around these extensions. */
static inline void make_message(struct maker *out, const struct maker *extensions) {
    out->size = 0;
    put_number(out, 1, 1);
    put_number(out, 2 + 32 + 1 + 32 + 2 + 4 + 2 + 2 + extensions->size, 3);
    put_number(out, 0x0303, 2);
    for (int i = 0; i < 32; i++)
        put_number(out, (size_t)i, 1);
    put_number(out, 32, 1);
    for (int i = 0; i < 32; i++)
        put_number(out, (size_t)i, 1);
    put_number(out, 4, 2);
    put_number(out, 0x0a0a, 2); /* GREASE */
    put_number(out, 0x1301, 2);
    put_number(out, 0x0100, 2);
    put_number(out, extensions->size, 2);
    put(out, extensions->bytes, extensions->size);
}

/* Records of at most `piece` bytes around the message. */
static inline void make_records(struct maker *out, const struct maker *message, size_t piece) {
    out->size = 0;
    for (size_t at = 0; at < message->size;) {
        size_t size = message->size - at < piece ? message->size - at : piece;
        put_number(out, 22, 1);
        put_number(out, 0x0301, 2);
        put_number(out, size, 2);
        put(out, message->bytes + at, size);
        at += size;
    }
}

/* A plain ClientHello for that host; padding bytes more in an unknown extension. */
static inline void make_hello(struct maker *out, const char *host, size_t padding, size_t piece) {
    static struct maker extensions, message;
    extensions.size = 0;
    put_extension(&extensions, 0x1a1a, 0); /* GREASE */
    put_name(&extensions, host);
    if (padding) put_extension(&extensions, 21, padding);
    make_message(&message, &extensions);
    make_records(out, &message, piece);
}
