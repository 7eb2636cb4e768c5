/* Lower-case hexadecimal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * size digits; no NUL. */
void hex_write(const uint8_t *bytes, size_t size, char *out);
/* Reads 2 * size lower-case digits. false: another character. */
bool hex_read(const char *text, size_t size, uint8_t *bytes);
