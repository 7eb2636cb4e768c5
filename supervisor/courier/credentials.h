/* A store's credentials, in the form of AWS: lines aws_access_key_id = ... and aws_secret_access_key = ...; [profile] lines, blank ones and
 * comments (#, ;) are passed over, the first of each counts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { CREDENTIAL_MAX = 128 };

struct credentials {
    char id[CREDENTIAL_MAX + 1];
    char secret[CREDENTIAL_MAX + 1];
};

/* Pure. false: one of the two is not there, or not printable ASCII without a colon in the id. */
bool credentials_parse(const char *text, size_t size, struct credentials *out);
