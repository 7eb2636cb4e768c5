/* What the support duty's own key does, on the machine of the person who holds it: opening a message, sealing an answer (CMS). */
#pragma once

#include "../../policy/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUPPORT_REPLY = 32 /* bytes of the key that an answer is sealed under */ };

struct support_text {
    char *text;                   /* NUL-terminated; the caller frees */
    uint8_t reply[SUPPORT_REPLY]; /* the message's own */
};

/* Opens a message with the key in a PEM file, asking for its passphrase if it has one. false: *why says what is wrong. */
bool support_cms_open(const char *key_file, const void *sealed, size_t size, struct support_text *out, const char **why);

/* Seals an answer under the message's key; the bytes written to out, 0 = it failed. */
size_t support_cms_seal(const uint8_t reply[SUPPORT_REPLY], const char *text, uint8_t out[SUPPORT_SEALED_MAX]);
