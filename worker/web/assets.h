/* The tenant's interface: the files of static/, in the binary. Served from memory, named in assets.def. */
#pragma once

#include "http.h"

struct asset {
    const char *name; /* "app.js" */
    const char *type; /* media type */
    const char *bytes;
    size_t size;
    char tag[20]; /* entity tag with its quotes: of the content */
};

bool assets_start(void); /* computes the tags, and writes them into index.html's links; false: out of memory */
const struct asset *asset_find(const char *name, size_t size);
