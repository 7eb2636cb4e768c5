/* Where the router listens: addresses, ports, and who may speak there for others. */
#include "config_parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* An IPv4 or IPv6 address as IPv6. */
static bool read_address(const char *s, uint8_t address[16], bool *is_v4) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *is_v4 = inet_pton(AF_INET, s, address + 12) == 1;
    if (*is_v4) memcpy(address, mapped, sizeof mapped);
    return *is_v4 || inet_pton(AF_INET6, s, address) == 1;
}

/* ADDRESS or ADDRESS/PREFIX, without a bit set behind the prefix. */
static bool read_network(const char *s, uint8_t address[16], uint32_t *prefix) {
    char text[INET6_ADDRSTRLEN];
    const char *slash = strchr(s, '/'), *end;
    size_t size = slash ? (size_t)(slash - s) : strlen(s);
    uint64_t bits = 0;
    bool is_v4;
    if (size >= sizeof text) return false;
    memcpy(text, s, size);
    text[size] = '\0';
    if (!read_address(text, address, &is_v4)) return false;
    if (slash && (!config_read_decimal(slash + 1, &end, &bits) || *end || bits > (is_v4 ? 32 : 128))) return false;
    *prefix = slash ? (uint32_t)bits + (is_v4 ? 96 : 0) : 128;
    for (uint32_t i = *prefix; i < 128; i++)
        if (address[i / 8] & 0x80 >> i % 8) return false;
    return true;
}

/* "192.0.2.1:443" or "[2001:db8::1]:443". */
static bool read_endpoint(const char *s, struct config_listener *l) {
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(s, ':'), *end;
    bool bracketed = s[0] == '[' && colon && colon > s + 1 && colon[-1] == ']';
    if (!colon) return false;
    const char *from = bracketed ? s + 1 : s;
    size_t size = (size_t)(colon - from) - (bracketed ? 1 : 0);
    uint64_t port;
    if (size >= sizeof host || !config_read_decimal(colon + 1, &end, &port) || *end || port == 0 || port > 65535) return false;
    memcpy(host, from, size);
    host[size] = '\0';
    l->port = (uint32_t)port;
    if (bracketed) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&l->address;
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        l->address_size = sizeof *v6;
        if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1 || !inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host)) return false;
        snprintf(l->title, sizeof l->title, "[%s]:%u", host, (unsigned)port);
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&l->address;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        l->address_size = sizeof *v4;
        if (inet_pton(AF_INET, host, &v4->sin_addr) != 1) return false;
        snprintf(l->title, sizeof l->title, "%s:%u", host, (unsigned)port);
    }
    return true;
}

/* One value of a listener, at its line; config_finish_listener() takes them. */
int config_check_listener(cfg_t *cfg, cfg_opt_t *opt) {
    unsigned count = cfg_opt_size(opt);
    const char *value = cfg_opt_getnstr(opt, count - 1), *expected = NULL;
    uint8_t address[16];
    uint32_t prefix;
    if (strcmp(opt->name, "kind") == 0) {
        if (strcmp(value, "tls") != 0 && strcmp(value, "http") != 0) expected = "tls or http";
    } else if (strcmp(opt->name, "proxy") == 0) {
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) expected = "true or false";
    } else if (strcmp(opt->name, "acme") == 0) {
        if (!config_is_url(value)) expected = "an http:// or https:// address of at most 255 bytes";
    } else {
        if (count > SOURCES_MAX) return config_refuse(cfg, "from: at most %d networks", SOURCES_MAX);
        if (!read_network(value, address, &prefix)) expected = "a network like 192.0.2.0/24 or 2001:db8::/32";
    }
    return expected ? config_refuse(cfg, "%s: expected %s, not \"%.64s\"", opt->name, expected, value) : 0;
}

int config_finish_listener(cfg_t *cfg, cfg_opt_t *opt) {
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const char *title = cfg_title(section), *kind = cfg_getstr(section, "kind"), *acme = cfg_getstr(section, "acme");
    const char *proxy = cfg_getstr(section, "proxy");
    struct config *c = &config_now->config;
    struct config_listener l;
    memset(&l, 0, sizeof l); /* its padding too: listeners are compared as bytes */
    l.proxy = proxy && strcmp(proxy, "true") == 0;
    l.source_count = cfg_size(section, "from");
    if (!read_endpoint(title, &l))
        return config_refuse(cfg, "listener: expected \"ADDRESS:PORT\" or \"[IPV6]:PORT\", not \"%.64s\"", title);
    if (c->listener_count == LISTENERS_MAX) return config_refuse(cfg, "listener: at most %d", LISTENERS_MAX);
    for (uint32_t i = 0; i < c->listener_count; i++)
        if (strcmp(c->listener[i].title, l.title) == 0) return config_refuse(cfg, "listener \"%s\": given twice", l.title);
    if (!kind) return config_refuse(cfg, "listener \"%s\": expected kind = tls or kind = http", l.title);
    l.kind = strcmp(kind, "tls") == 0 ? LISTENER_TLS : LISTENER_HTTP;
    if (l.proxy != (l.source_count > 0)) return config_refuse(cfg, "listener \"%s\": proxy = true and from go together", l.title);
    if (acme && l.kind != LISTENER_HTTP) return config_refuse(cfg, "listener \"%s\": acme needs kind = http", l.title);
    for (uint32_t i = 0; i < l.source_count; i++)
        if (!read_network(cfg_getnstr(section, "from", i), l.source[i].address, &l.source[i].prefix)) return -1;
    snprintf(l.acme_url, sizeof l.acme_url, "%s", acme ? acme : "");
    c->listener[c->listener_count++] = l;
    return 0;
}
