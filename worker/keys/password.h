/*
 * Password stretching: HKDF(password, salt = Argon2id(password)), Argon2id with OWASP's 19 MiB, t = 2, p = 1 (RFC 9106), by libargon2. Its
 * pages are wiped, but lie outside secret memory, and what they hold is all that Argon2id's own result needs: so it alone is no key.
 */
#pragma once

#include "keys.h"

enum {
    PASSWORD_MIN = 12, /* bytes of UTF-8 after NFC */
    PASSWORD_MAX = 1024,
    PASSWORD_ARGON2ID = 2,       /* the KDF's number in a slot's header, */
    PASSWORD_MEMORY_KIB = 19456, /* and its parameters there. Compiled in: a slot that names others is not opened, so there is no */
    PASSWORD_PASSES = 2,         /* downgrade and no oracle */
    PASSWORD_LANES = 1,
};

/* 0 or ENOMEM. About 20 ms: run it on the password thread. Calls keys_prepare() itself. */
int password_stretch(const char *password, const uint8_t salt[32], uint8_t out[KEY_BYTES]);
/* Gives back the thread's working memory, wiped already: a millisecond that nobody waits for, once the result is handed over. */
void password_tidy(void);
