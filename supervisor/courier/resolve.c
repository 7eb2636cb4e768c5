#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { ADDRESSES_MAX = 8 };

static bool is_address(const char *host) {
    uint8_t bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* "HOST:PORT:ADDRESS,ADDRESS..." */
static bool write_entry(const char *host, uint16_t port, const struct addrinfo *found, char *entry, size_t room) {
    int used = snprintf(entry, room, "%s:%u:", host, port), count = 0;
    for (; found && count < ADDRESSES_MAX; found = found->ai_next) {
        char address[INET6_ADDRSTRLEN];
        bool v6 = found->ai_family == AF_INET6;
        const void *bytes = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr
                               : (const void *)&((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr;
        if (!inet_ntop(found->ai_family, bytes, address, sizeof address)) continue;
        used += snprintf(entry + used, room - (size_t)used, "%s%s%s%s", count ? "," : "", v6 ? "[" : "", address, v6 ? "]" : "");
        count++;
    }
    return count > 0;
}

bool resolve(const char *host, uint16_t port, struct curl_slist **list) {
    char entry[256 + 16 + ADDRESSES_MAX * (INET6_ADDRSTRLEN + 3)];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    *list = NULL;
    if (is_address(host)) return true;
    if (strlen(host) > 253 || getaddrinfo(host, NULL, &hints, &found) != 0) return false;
    if (write_entry(host, port, found, entry, sizeof entry)) *list = curl_slist_append(NULL, entry);
    freeaddrinfo(found);
    return *list;
}
