#include "redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char challenge[] = "/.well-known/acme-challenge/";

#define END_OF_HEAD "Content-Length: 0\r\nConnection: close\r\n\r\n"

/* An answer always fits: what goes into it is bounded by REQUEST_TARGET_MAX, HOST_MAX and PATH_BYTES_MAX. */
static size_t fits(int size) {
    if (size < 0 || size >= REDIRECT_MAX) abort();
    return (size_t)size;
}

size_t redirect_refusal(int status, char out[REDIRECT_MAX]) {
    return fits(snprintf(out, REDIRECT_MAX, "HTTP/1.1 %d %s\r\n" END_OF_HEAD, status, http_reason(status)));
}

/* base64url, as RFC 8555 has it. */
static bool is_token(struct slice s) {
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    }
    return s.size > 0;
}

static size_t to_challenge(const char *url, struct slice token, char out[REDIRECT_MAX]) {
    if (!is_token(token)) return redirect_refusal(404, out);
    const char *between = url[strlen(url) - 1] == '/' ? "" : "/";
    return fits(snprintf(out, REDIRECT_MAX, "HTTP/1.1 307 %s\r\nLocation: %s%s%.*s\r\n" END_OF_HEAD, http_reason(307), url, between,
                         (int)token.size, token.data));
}

size_t redirect_answer(const struct redirect_rule *rule, const struct http_request_head *head, const char *host, char out[REDIRECT_MAX]) {
    if (!host) return redirect_refusal(421, out);
    size_t prefix = sizeof challenge - 1;
    if (rule->acme_url[0] && head->path.size >= prefix && memcmp(head->path.data, challenge, prefix) == 0)
        return to_challenge(rule->acme_url, (struct slice){head->path.data + prefix, head->path.size - prefix}, out);

    char port[8] = "";
    if (rule->https_port != 443) snprintf(port, sizeof port, ":%u", rule->https_port & 0xffff);
    return fits(snprintf(out, REDIRECT_MAX, "HTTP/1.1 308 %s\r\nLocation: https://%s%s%.*s%s%.*s\r\n" END_OF_HEAD, http_reason(308), host,
                         port, (int)head->path.size, head->path.data, head->has_query ? "?" : "", (int)head->query.size, head->query.data));
}
