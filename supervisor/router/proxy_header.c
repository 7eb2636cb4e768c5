#include "proxy_header.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum {
    V1_SHORTEST = 15, /* "PROXY UNKNOWN\r\n" */
    V2_FIXED = 16,
    V2_INET = 12,
    V2_INET6 = 36,
    V2_UNIX = 216,
};

static const uint8_t v2_signature[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
static const uint8_t v1_signature[6] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool begins_with(const uint8_t *bytes, size_t size, const uint8_t *signature, size_t length) {
    return memcmp(bytes, signature, size < length ? size : length) == 0;
}

/* 0..65535 without sign or leading zero; -1 for anything else. */
static long read_port(const char *word) {
    size_t digits = strspn(word, "0123456789");
    if (digits == 0 || digits > 5 || word[digits] != '\0' || (word[0] == '0' && digits > 1)) return -1;
    long port = 0;
    for (size_t i = 0; i < digits; i++)
        port = port * 10 + (word[i] - '0');
    return port <= 65535 ? port : -1;
}

static bool read_address(int family, const char *word, uint8_t address[16]) {
    if (family == AF_INET6) return inet_pton(AF_INET6, word, address) == 1;
    memcpy(address, mapped, sizeof mapped);
    return inet_pton(AF_INET, word, address + 12) == 1;
}

/* "TCP4 source destination port port", one space between. strsep gives "" for a doubled space, which is no address. */
static bool read_v1_words(char *line, struct proxy_header *out) {
    char *word[5];
    for (size_t i = 0; i < 5; i++)
        if (!(word[i] = strsep(&line, " "))) return false;
    if (line) return false;
    bool four = strcmp(word[0], "TCP4") == 0;
    if (!four && strcmp(word[0], "TCP6") != 0) return false;
    int family = four ? AF_INET : AF_INET6;
    uint8_t destination[16];
    long port = read_port(word[3]);
    if (!read_address(family, word[1], out->address) || !read_address(family, word[2], destination) || port < 0 || read_port(word[4]) < 0)
        return false;
    out->port = (uint16_t)port;
    return true;
}

static enum proxy_result read_v1(const uint8_t *bytes, size_t size, struct proxy_header *out, size_t *need) {
    size_t seen = size < PROXY_V1_MAX ? size : PROXY_V1_MAX;
    size_t end = 0;
    while (end < seen && bytes[end] != '\r' && bytes[end] != '\n' && bytes[end] != '\0')
        end++;
    if (end < seen && bytes[end] != '\r') return PROXY_REFUSED;
    if (end + 1 >= seen) {
        if (seen == PROXY_V1_MAX) return PROXY_REFUSED;
        *need = size + 1 > V1_SHORTEST ? size + 1 : V1_SHORTEST;
        return PROXY_MORE;
    }
    if (bytes[end + 1] != '\n') return PROXY_REFUSED;

    char line[PROXY_V1_MAX + 1];
    size_t length = end - sizeof v1_signature;
    memcpy(line, bytes + sizeof v1_signature, length);
    line[length] = '\0';
    out->size = end + 2;
    if (strcmp(line, "UNKNOWN") == 0 || strncmp(line, "UNKNOWN ", 8) == 0) {
        out->kind = PROXY_UNKNOWN;
        return PROXY_COMPLETE;
    }
    out->kind = PROXY_SOURCE;
    return read_v1_words(line, out) ? PROXY_COMPLETE : PROXY_REFUSED;
}

/* Type, two bytes of length, value: they must fill the header to its end. */
static bool tlvs_are_whole(const uint8_t *bytes, size_t size) {
    while (size >= 3) {
        size_t length = (size_t)bytes[1] << 8 | bytes[2];
        if (length > size - 3) return false;
        bytes += 3 + length;
        size -= 3 + length;
    }
    return size == 0;
}

/* The PROXY command: family and transport in one byte, then both addresses, both ports, TLVs. */
static bool read_v2_addresses(uint8_t family, const uint8_t *body, size_t length, struct proxy_header *out) {
    size_t fixed = 0;
    switch (family) {
    case 0x00: /* AF_UNSPEC: whatever follows is to be ignored */
        out->kind = PROXY_UNKNOWN;
        return true;
    case 0x11:
        fixed = V2_INET;
        break;
    case 0x21:
        fixed = V2_INET6;
        break;
    case 0x31:
        fixed = V2_UNIX;
        break;
    default:
        return false; /* datagrams, or what does not exist */
    }
    if (length < fixed || !tlvs_are_whole(body + fixed, length - fixed)) return false;
    if (fixed == V2_UNIX) {
        out->kind = PROXY_UNKNOWN;
        return true;
    }
    out->kind = PROXY_SOURCE;
    if (fixed == V2_INET) {
        memcpy(out->address, mapped, sizeof mapped);
        memcpy(out->address + 12, body, 4);
        out->port = (uint16_t)(body[8] << 8 | body[9]);
    } else {
        memcpy(out->address, body, 16);
        out->port = (uint16_t)(body[32] << 8 | body[33]);
    }
    return true;
}

static enum proxy_result read_v2(const uint8_t *bytes, size_t size, struct proxy_header *out, size_t *need) {
    *need = V2_FIXED;
    if (size < V2_FIXED) return PROXY_MORE;
    uint8_t command = bytes[12];
    size_t length = (size_t)bytes[14] << 8 | bytes[15];
    if ((command != 0x20 && command != 0x21) || V2_FIXED + length > PROXY_HEADER_MAX) return PROXY_REFUSED;
    *need = V2_FIXED + length;
    if (size < V2_FIXED + length) return PROXY_MORE;
    out->size = V2_FIXED + length;
    if (command == 0x20) {
        out->kind = PROXY_LOCAL; /* its family and addresses are to be discarded */
        return PROXY_COMPLETE;
    }
    return read_v2_addresses(bytes[13], bytes + V2_FIXED, length, out) ? PROXY_COMPLETE : PROXY_REFUSED;
}

/* H3: the source that a proxy tells, of versions 1 and 2 */
enum proxy_result proxy_header_read(const uint8_t *bytes, size_t size, struct proxy_header *out, size_t *need) {
    memset(out, 0, sizeof *out);
    *need = V1_SHORTEST;
    if (size == 0) return PROXY_MORE;
    if (begins_with(bytes, size, v2_signature, sizeof v2_signature)) return read_v2(bytes, size, out, need);
    if (begins_with(bytes, size, v1_signature, sizeof v1_signature)) return read_v1(bytes, size, out, need);
    return PROXY_REFUSED;
}
