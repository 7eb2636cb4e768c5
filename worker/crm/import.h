/* POST /api/v1/import: see web/http.h for ROUTE_STREAMED. All or nothing per record; what is committed, is committed. */
#pragma once

#include "../web/http.h"

enum { IMPORT_ERRORS_MAX = 1000 /* told one by one */, IMPORT_BATCH = 256 /* records a commit */ };

void import_handle(struct exchange *x, struct request *r);
