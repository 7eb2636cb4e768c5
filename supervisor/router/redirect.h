/* What the plain HTTP listener answers: where to go instead, and nothing else (H3). Pure: no I/O, no allocation. */
#pragma once

#include "../../policy/http_message.h"
#include "../../policy/limits.h"

#include <stddef.h>
#include <stdint.h>

enum { REDIRECT_MAX = REQUEST_TARGET_MAX + HOST_MAX + 512 /* bytes of an answer */ };

struct redirect_rule {
    const char *acme_url; /* in front of an ACME challenge's token; a '/' is put between if it ends without one. "" = nowhere */
    uint32_t https_port;  /* in the Location; 443 is left out */
};

/*
 * The answer to a complete request. host: the name it asks for in lower case if a tenant has it, else NULL. Returns its size.
 *   a known host   308 to https://HOST[:PORT]PATH[?QUERY]
 *   a challenge    /.well-known/acme-challenge/TOKEN of a known host: 307 to ACME_URL/TOKEN, when there is one; 404 for what is no token
 *   another host   421
 */
size_t redirect_answer(const struct redirect_rule *rule, const struct http_request_head *head, const char *host, char out[REDIRECT_MAX]);

/* The answer to what http_read_head() refused with that status. */
size_t redirect_refusal(int status, char out[REDIRECT_MAX]);
