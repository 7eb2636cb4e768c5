/* What people and clients hold, as text: the recovery kit on paper, cookies and tokens in headers. Pure. */
#pragma once

#include "keys.h"

enum {
    SECRET_TEXT = 43, /* base64url of 32 bytes without padding (RFC 4648) */
    KIT_TEXT = 69,    /* 14 groups of four characters with hyphens */
};

/* SECRET_TEXT characters and a NUL. */
void secret_format(const uint8_t secret[KEY_BYTES], char text[SECRET_TEXT + 1]);
/* false unless it is exactly one secret in its one spelling. */
bool secret_parse(const char *text, size_t size, uint8_t secret[KEY_BYTES]);

/* The kit: 32 bytes as 52 characters of Crockford's base 32, then four of their SHA-256's first 20 bits, to catch a slip of the pen. */
void kit_format(const uint8_t kit[KEY_BYTES], char text[KIT_TEXT + 1]);
/* As typed: any case, with or without hyphens and spaces, O for 0, I and L for 1. false: not a kit, or its check differs. */
bool kit_parse(const char *typed, uint8_t kit[KEY_BYTES]);
