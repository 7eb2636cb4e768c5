/* Password stretching: Argon2id, OWASP's 19 MiB, t = 2, p = 1 (RFC 9106), by libargon2, on scratch pages that are wiped. */
#pragma once

#include "keys.h"

enum { PASSWORD_MIN = 12, PASSWORD_MAX = 1024 }; /* bytes of UTF-8 after NFC */

/* 0 or ENOMEM. About 20 ms: run it on the password thread. */
int password_stretch(const char *password, const uint8_t salt[32], uint8_t out[KEY_BYTES]);
