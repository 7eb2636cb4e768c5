/*
 * The enrolment code: what a customer types once to make its key. 100 random bits as 20 characters of Crockford's base 32, shown as
 * XXXXX-XXXXX-XXXXX-XXXXX. The registry and the worker know only SHA-256 over the 20 ASCII bytes of its normalised form.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    ENROL_CODE_CHARS = 20,  /* of the normalised form */
    ENROL_CODE_TEXT = 24,   /* as shown, with its NUL */
    ENROL_CODE_RANDOM = 20, /* random bytes needed: five bits of each are used */
};

/* Writes random bytes as a code for a person. */
void enrol_code_format(const uint8_t random[ENROL_CODE_RANDOM], char text[ENROL_CODE_TEXT]);

/* What was typed, as it is hashed: upper case, without hyphens and spaces, O read as 0, I and L as 1; then exactly 20 characters of
 * 0-9 A-H J K M N P-T V-Z, and a NUL. false: not a code; out is "". */
bool enrol_code_normalise(const char *typed, char out[ENROL_CODE_CHARS + 1]);
