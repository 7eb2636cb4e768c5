/* One page of an object store's list (ListObjectsV2), out of its XML. Foreign bytes: what is not exactly such a page is refused. */
#pragma once

#include "destination.h"

#include <stddef.h>

enum {
    S3_PAGE_KEYS = 1000,     /* in one page, as asked for */
    S3_TOKEN_MAX = 1024,     /* bytes of a continuation token */
    S3_PAGE_BYTES = 4194304, /* of one page's XML */
};

struct s3_page {
    struct {
        char key[DESTINATION_KEY_MAX + 1];
        uint64_t size;
    } row[S3_PAGE_KEYS];
    size_t count;                 /* keys of ours; others are passed over */
    size_t seen;                  /* keys in all */
    bool truncated;               /* there is a next page */
    char token[S3_TOKEN_MAX + 1]; /* and this asks for it */
};

/* false: not such a page. The order of the keys is the caller's to check. */
bool s3_list_parse(const char *xml, size_t size, struct s3_page *page);
