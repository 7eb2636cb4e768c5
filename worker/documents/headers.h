/* Header fields of uploads and downloads, from foreign bytes and back. Pure. */
#pragma once

#include "../../policy/http_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum range {
    RANGE_NONE, /* no range that is served: the whole (several ranges, another unit, or malformed; RFC 9110, section 14.2) */
    RANGE_PART,
    RANGE_BEYOND /* 416 */
};
/* Range of one part against `size` bytes; *from and *length with RANGE_PART. */
enum range range_read(struct slice value, uint64_t size, uint64_t *from, uint64_t *length);

/* Upload-Metadata (tus): the value of a key, decoded from base64, as text in valid UTF-8 without control characters into `out` with a NUL.
 * 1 found, 0 absent, -1 malformed, given twice, or too long. */
int metadata_read(struct slice value, const char *key, char *out, size_t room);

/* A decimal number without sign of up to 18 digits. */
bool number_read(struct slice value, uint64_t *number);

/* A media type as it may be kept: type/subtype with its parameters, printable ASCII; else application/octet-stream. room >= 32. */
void type_keep(const struct slice *value, char *out, size_t room);
/* The type that a download of such a type has. A static text. */
const char *type_served(const char *kept);

/* Content-Disposition: attachment with a file name (valid UTF-8), also of other than ASCII characters (RFC 6266, RFC 8187). A name that
 * does not fit is cut. */
enum { DISPOSITION_MAX = 1280 };
void disposition_write(const char *name, char out[DISPOSITION_MAX]);
