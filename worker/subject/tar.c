#include "tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void tar_head(const char *name, uint64_t size, uint64_t modified, char out[TAR_BLOCK]) {
    unsigned sum = 0;
    memset(out, 0, TAR_BLOCK);
    snprintf(out, TAR_NAME, "%s", name);
    snprintf(out + 100, 8, "%07o", 0600);
    snprintf(out + 108, 8, "%07o", 0);
    snprintf(out + 116, 8, "%07o", 0);
    snprintf(out + 124, 12, "%011" PRIo64, size);
    snprintf(out + 136, 12, "%011" PRIo64, modified);
    memset(out + 148, ' ', 8); /* the sum counts its own place as blanks */
    out[156] = '0';
    snprintf(out + 257, 6, "ustar"); /* with its NUL */
    out[263] = out[264] = '0';
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)out[i];
    snprintf(out + 148, 8, "%06o", sum);
    out[155] = ' ';
}
