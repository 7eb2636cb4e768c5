/* What an object store says it keeps: a page that is taken has keys of ours alone, and says how to go on when there is more. */
#include "../../supervisor/courier/s3_list.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct s3_page page;
    if (!s3_list_parse((const char *)data, size, &page)) return 0;
    if (page.count > page.seen || page.seen > S3_PAGE_KEYS || (page.truncated && !page.token[0])) abort();
    for (size_t i = 0; i < page.count; i++)
        if (!destination_key_is(page.row[i].key)) abort();
    return 0;
}
