/* The provider's ledger for the auditor duty, read from the supervisor's file by position: any page of it, and a walk along its chain. */
#pragma once

#include "steward.h"

#include <jansson.h>

enum {
    LEDGER_VIEW_LINES = 100, /* of a page when nothing else is asked for */
    LEDGER_VIEW_LINES_MAX = 1000,
    LEDGER_VIEW_STEP = 256 * 1024, /* bytes verified in one turn of the event loop */
    LEDGER_VIEW_WALKS_MAX = 4,     /* at once */
    LEDGER_VIEW_MS = 600000,       /* for one walk */
};

/* Lines from number `from` on (0 = the last ones), at most `limit`: {"lines": […], "next": number or null}. NULL: no memory, or with
 * errno EBADMSG a line that is none, EIO and such from the file. */
json_t *ledger_view_page(int fd, uint64_t from, size_t limit);

json_t *ledger_view_line(const struct ledger_line *line);

/* GET /v1/ledger?from=N&limit=N */
void ledger_view_list(struct steward *steward, struct staff_request *r);
/* GET /v1/ledger/verify: {"sound", "first", "lines", "tenants", "head", "broken_at"}; answers when all files were walked. */
void ledger_view_verify(struct steward *steward, struct staff_request *r);
