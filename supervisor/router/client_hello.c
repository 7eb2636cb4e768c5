#include "client_hello.h"

#include <stdbool.h>
#include <string.h>

enum {
    RECORD_HEADER = 5,
    RECORD_HANDSHAKE = 22,
    RECORD_PAYLOAD_MAX = 16384,
    HANDSHAKE_HEADER = 4,
    HANDSHAKE_CLIENT_HELLO = 1,
    RANDOM_BYTES = 32,
    SESSION_ID_MAX = 32,
    EXTENSION_SERVER_NAME = 0,
    NAME_TYPE_HOST = 0,
};

/* A cursor that never leaves its piece: once something did not fit, ok stays false and everything read is empty. */
struct reader {
    const uint8_t *next;
    size_t left;
    bool ok;
};

static const uint8_t *take(struct reader *r, size_t count) {
    if (!r->ok || count > r->left) {
        r->ok = false;
        return NULL;
    }
    const uint8_t *at = r->next;
    r->next += count;
    r->left -= count;
    return at;
}

/* A big-endian number of 1 to 3 bytes. */
static size_t take_number(struct reader *r, size_t bytes) {
    const uint8_t *at = take(r, bytes);
    size_t number = 0;
    for (size_t i = 0; at && i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

/* A vector with a length of `bytes` bytes in front. */
static struct reader take_vector(struct reader *r, size_t bytes) {
    size_t length = take_number(r, bytes);
    const uint8_t *at = take(r, length);
    return (struct reader){at, at ? length : 0, at != NULL};
}

/* Lower-cases the name into host. A trailing dot, which RFC 6066 forbids, is simply a name nobody has. */
static bool copy_host(const struct reader *name, char host[HOST_MAX + 1]) {
    if (name->left == 0 || name->left > HOST_MAX) return false;
    for (size_t i = 0; i < name->left; i++) {
        uint8_t c = name->next[i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c - 'A' + 'a');
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_') return false;
        host[i] = (char)c;
    }
    host[name->left] = '\0';
    return true;
}

/* A ServerNameList with exactly one entry, of type host_name. */
static bool read_server_name(struct reader extension, char host[HOST_MAX + 1]) {
    struct reader list = take_vector(&extension, 2);
    size_t type = take_number(&list, 1);
    struct reader name = take_vector(&list, 2);
    return extension.ok && list.ok && name.ok && extension.left == 0 && list.left == 0 && type == NAME_TYPE_HOST && copy_host(&name, host);
}

static enum hello_result read_extensions(struct reader extensions, char host[HOST_MAX + 1]) {
    bool named = false;
    while (extensions.ok && extensions.left > 0) {
        size_t type = take_number(&extensions, 2);
        struct reader extension = take_vector(&extensions, 2);
        if (!extension.ok) return HELLO_REFUSED;
        if (type != EXTENSION_SERVER_NAME) continue;
        if (named || !read_server_name(extension, host)) return HELLO_REFUSED;
        named = true;
    }
    if (!extensions.ok) return HELLO_REFUSED;
    return named ? HELLO_NAMED : HELLO_NAMELESS;
}

/* The handshake message without its header. */
static enum hello_result read_hello(struct reader r, char host[HOST_MAX + 1]) {
    size_t version = take_number(&r, 2);
    take(&r, RANDOM_BYTES);
    struct reader session = take_vector(&r, 1);
    struct reader suites = take_vector(&r, 2);
    struct reader compressions = take_vector(&r, 1);
    if (!r.ok || version >> 8 != 3 || session.left > SESSION_ID_MAX || suites.left < 2 || suites.left % 2 != 0 || compressions.left == 0)
        return HELLO_REFUSED;
    if (r.left == 0) return HELLO_NAMELESS; /* TLS 1.2 lets a ClientHello end here */
    struct reader extensions = take_vector(&r, 2);
    if (!r.ok || r.left != 0) return HELLO_REFUSED;
    return read_extensions(extensions, host);
}

enum hello_result client_hello_read(const uint8_t *bytes, size_t size, char host[HOST_MAX + 1], size_t *need) {
    uint8_t message[CLIENT_HELLO_MAX];
    size_t have = 0;   /* bytes of the handshake message so far */
    size_t want = 0;   /* its whole length once its header is there */
    size_t offset = 0; /* of the record being read */
    host[0] = '\0';
    for (;;) {
        *need = offset + RECORD_HEADER;
        if (*need > CLIENT_HELLO_MAX) return HELLO_REFUSED;
        if (size < *need) return HELLO_MORE;
        const uint8_t *record = bytes + offset;
        size_t length = (size_t)record[3] << 8 | record[4];
        if (record[0] != RECORD_HANDSHAKE || record[1] != 3 || length == 0 || length > RECORD_PAYLOAD_MAX) return HELLO_REFUSED;
        *need += length;
        if (*need > CLIENT_HELLO_MAX) return HELLO_REFUSED;
        if (size < *need) return HELLO_MORE;
        memcpy(message + have, record + RECORD_HEADER, length); /* fits: have + length < *need <= CLIENT_HELLO_MAX */
        have += length;
        offset = *need;
        if (message[0] != HANDSHAKE_CLIENT_HELLO) return HELLO_REFUSED;
        if (have < HANDSHAKE_HEADER) continue;
        want = HANDSHAKE_HEADER + ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
        if (have > want || want > CLIENT_HELLO_MAX) return HELLO_REFUSED;
        if (have == want) break;
    }
    return read_hello((struct reader){message + HANDSHAKE_HEADER, want - HANDSHAKE_HEADER, true}, host);
}
